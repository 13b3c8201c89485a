//! One database per directory and process, shared by all caches in it.
//!
//! The engine locks its directory, even against its own process. So each directory has one [`Place`], which is occupied
//! by one engine at a time: the next is not opened before the last one is closed.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Weak};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use twat_cache_core::Process;
use twat_cache_core::{Error, ErrorKind, Trust};

use crate::database::Database;
use crate::engine::Engine;

type Places = HashMap<PathBuf, (Arc<Place>, Weak<Database>)>;

static PLACES: LazyLock<(Process, Mutex<Places>)> = LazyLock::new(Default::default);

/// The database of this directory, whoever else uses it. It is opened when it is first used.
pub(crate) fn database(dir: &Path, max_bytes: u64, trust: Trust) -> Arc<Database> {
    let path = canonical(dir);
    let (process, places) = &*PLACES;
    let new = |place| Arc::new(Database::new(path.join("bcache"), place, max_bytes, *process));
    if process.is_forked() {
        // A thread that is not here may have the lock.
        return new(Arc::default());
    }
    let mut places = places.lock();
    if let Some(database) = places.get(&path).and_then(|(_, database)| database.upgrade()) {
        database.admit(trust);
        return database;
    }
    // A place stays as long as a database is there, or is just being closed.
    places.retain(|_, (place, _)| Arc::strong_count(place) > 1);
    let place = places.get(&path).map(|(place, _)| place.clone()).unwrap_or_default();
    let database = new(place.clone());
    database.admit(trust);
    places.insert(path, (place, Arc::downgrade(&database)));
    database
}

/// One path for all spellings of a directory, which may not exist yet.
fn canonical(dir: &Path) -> PathBuf {
    let absolute = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
    for ancestor in absolute.ancestors() {
        if let (Ok(canonical), Ok(rest)) = (ancestor.canonicalize(), absolute.strip_prefix(ancestor)) {
            // Joined with nothing, a path gains a slash at its end.
            return if rest.as_os_str().is_empty() { canonical } else { canonical.join(rest) };
        }
    }
    absolute
}

/// Where one engine at a time may be.
#[derive(Debug, Default)]
pub(crate) struct Place {
    occupied: Mutex<bool>,
    vacated: Condvar,
}

/// Closing takes a few seconds when much has just been written.
const PATIENCE: Duration = Duration::from_secs(10);

impl Place {
    /// Opens an engine here, when the last one is closed.
    pub(crate) fn occupy(&self, open: impl FnOnce() -> Result<Engine, Error>) -> Result<Engine, Error> {
        let mut occupied = self.occupied.lock();
        while *occupied {
            if self.vacated.wait_for(&mut occupied, PATIENCE).timed_out() {
                return Err(Error::new(ErrorKind::Locked, "open the database that is still being closed"));
            }
        }
        let engine = open()?;
        *occupied = true;
        Ok(engine)
    }

    /// Closes the engine that is here.
    pub(crate) fn vacate(&self, engine: Engine) {
        // The engine panics if its workers have, with a lock held.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(engine)));
        *self.occupied.lock() = false;
        self.vacated.notify_all();
    }
}
