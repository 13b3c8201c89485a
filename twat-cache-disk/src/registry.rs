//! One database for each directory, shared by all stores of the process.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Weak};

use parking_lot::Mutex;
use twat_cache_core::Process;
use twat_cache_core::persist::canonical;

use crate::database::Database;
use crate::engine::place::Turn;
use crate::upkeep::Kept;

type Databases = HashMap<PathBuf, (Arc<Turn>, Weak<Kept>)>;

static DATABASES: LazyLock<(Process, Mutex<Databases>)> = LazyLock::new(Default::default);

/// The database in this cache directory. It is opened when it is first used.
pub(crate) fn database(dir: &Path, max_bytes: u64) -> Arc<Kept> {
    let path = canonical(dir);
    let (process, databases) = &*DATABASES;
    let new = |turn| Kept::new(Database::new(path.join("bcache"), turn, max_bytes, *process));
    if process.is_forked() {
        // A thread that this process does not have may hold the lock.
        return new(Arc::default());
    }
    let mut databases = databases.lock();
    // Those stay that are in use, or are just being closed.
    databases.retain(|_, (turn, _)| Arc::strong_count(turn) > 1);
    let (turn, database) = databases.entry(path.clone()).or_default();
    database.upgrade().unwrap_or_else(|| {
        let new = new(turn.clone());
        *database = Arc::downgrade(&new);
        new
    })
}
