//! The database of a directory: opened when it is first used, closed when it fails, and opened again later.

use std::cell::RefCell;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use parking_lot::{MappedRwLockReadGuard, Mutex, ReentrantMutex, RwLock, RwLockReadGuard};
use twat_cache_core::persist::{prepare_below, prepare_root, trust};
use twat_cache_core::{Error, ErrorKind, Namespace, Process, Trust, WarnOnce};

use crate::changes::Changes;
use crate::engine::place::{Place, Turn};
use crate::engine::recovery::{SUSPECT, quarantine, suspect};
use crate::engine::{Engine, LONGEST, from_fjall, guard, is_damage};
use crate::entry;
use crate::sweep::Sweep;
use crate::usage::Usage;

/// A database, which may not be open.
pub(crate) struct Database {
    pub(crate) dir: PathBuf,
    turn: Arc<Turn>,
    /// The limit of the first store that uses the database. The engine's options depend on it.
    max_bytes: u64,
    /// A forked process has neither the threads nor the locks of the engine.
    process: Process,
    engine: RwLock<Option<Engine>>,
    was_open: AtomicBool,
    /// Locked and borrowed while the engine is opened. The engine logs meanwhile, and a logger may use this very cache: that
    /// call finds it borrowed by its own thread, and does not wait.
    pause: ReentrantMutex<RefCell<Option<Pause>>>,
    /// Found in the database when it is first opened, and given to those that take its place.
    secret: OnceLock<[u8; 16]>,
    pub(crate) usage: Arc<Mutex<Usage>>,
    /// They outlive the engine: what is outdated stays so when the database is opened again.
    pub(crate) changes: Changes,
}

/// After a failure, the database is not opened for a while.
struct Pause {
    /// When the first of several failures was.
    begun: Instant,
    end: Instant,
    kind: ErrorKind,
    /// Why it failed.
    reason: String,
}

const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

impl Pause {
    /// Failures belong together until the database has worked for a while. That it can be opened is not enough: a full disk
    /// fails at the first write.
    fn after(last: Option<&Self>, error: &Error) -> Self {
        let now = Instant::now();
        let last = last.filter(|last| now.saturating_duration_since(last.end) < LONGEST_PAUSE);
        let begun = last.map_or(now, |last| last.begun);
        Self { begun, end: now + pause(now - begun), kind: error.kind(), reason: error.chain().to_string() }
    }

    /// An error if it is not over.
    fn check(&self, dir: &Path) -> Result<(), Error> {
        if Instant::now() >= self.end {
            return Ok(());
        }
        Err(Error::new(self.kind, "open the database").at(dir).because(self.reason.clone()))
    }
}

/// How long the database is left alone that has failed for so long. A process that starts while another one still has the
/// database usually gets it within 2 seconds of the other's end: the two overlap for less than 16.
fn pause(failing: Duration) -> Duration {
    (failing / 8).clamp(FIRST_PAUSE, LONGEST_PAUSE)
}

impl Database {
    pub(crate) fn new(dir: PathBuf, turn: Arc<Turn>, max_bytes: u64, process: Process) -> Self {
        Self {
            dir,
            turn,
            max_bytes,
            process,
            engine: RwLock::new(None),
            was_open: AtomicBool::new(false),
            pause: ReentrantMutex::default(),
            secret: OnceLock::new(),
            usage: Arc::default(),
            changes: Changes::new(),
        }
    }

    /// Makes this directory and the cache directory above it ready. An error if they are not those that may be used.
    pub(crate) fn prepare_directories(&self, trust: Trust) -> Result<(), Error> {
        if let Some(parent) = self.dir.parent()
            && prepare_root(parent, trust)? != parent
        {
            let why = "it is behind a link that was not there before";
            return Err(Error::new(ErrorKind::Other, "use the cache directory").at(parent).because(why));
        }
        prepare_below(&self.dir, trust)
    }

    /// Whether it is not open, in the process that it belongs to.
    pub(crate) fn is_closed(&self) -> bool {
        !self.process.is_forked() && self.engine.read().is_none()
    }

    /// An error if it is known that the database cannot be opened now.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let Some(lock) = self.pause.try_lock() else { return Ok(()) };
        let Ok(pause) = lock.try_borrow() else { return Ok(()) };
        pause.as_ref().map_or(Ok(()), |pause| pause.check(&self.dir))
    }

    /// The namespace that all caches in this database are in.
    pub(crate) fn namespace(&self, trust: Trust) -> Result<Namespace, Error> {
        // Once the database has been open, the secret is known.
        drop(self.engine(trust)?);
        Ok(Namespace::from_secret(*self.secret.get_or_init(Namespace::random_secret)))
    }

    /// Does something with the engine, which is opened if it is not open, and closed if it has failed.
    pub(crate) fn with<T>(
        &self,
        trust: Trust,
        attempt: &'static str,
        work: impl FnOnce(&Engine) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let engine = self.engine(trust)?;
        guard(attempt, || work(&engine)).map_err(|error| {
            // The engine takes no more writes after one that failed, and says only once why.
            let has_failed = matches!(error.kind(), ErrorKind::Full | ErrorKind::Poisoned);
            engine.has_failed.fetch_or(has_failed, Ordering::Relaxed);
            drop(engine);
            if has_failed { self.close(error) } else { error.at(&self.dir) }
        })
    }

    #[inline]
    fn engine(&self, trust: Trust) -> Result<MappedRwLockReadGuard<'_, Engine>, Error> {
        // Before any lock: a thread that this process does not have may hold it.
        if self.process.is_forked() {
            let why = "it is the parent's of this process, which was forked";
            return Err(Error::new(ErrorKind::Unavailable, "use the database").at(&self.dir).because(why));
        }
        RwLockReadGuard::try_map(self.engine.read(), Option::as_ref).or_else(|closed| {
            drop(closed);
            self.open(trust)
        })
    }

    #[cold]
    fn open(&self, trust: Trust) -> Result<MappedRwLockReadGuard<'_, Engine>, Error> {
        // At first, other threads wait until the database is open. Later they do not, and memory serves: it can take long to
        // read all of a database that may be damaged.
        let busy = || Error::new(ErrorKind::Io, "wait until the database is opened").at(&self.dir);
        let was_open = self.was_open.load(Ordering::Acquire);
        let lock = if was_open { self.pause.try_lock() } else { Some(self.pause.lock()) };
        // Also without the lock: another thread may have it only to look here.
        if let Ok(engine) = RwLockReadGuard::try_map(self.engine.read(), Option::as_ref) {
            return Ok(engine);
        }
        let lock = lock.ok_or_else(busy)?;
        let mut pause = lock.try_borrow_mut().map_err(|_| busy())?;
        pause.as_ref().map_or(Ok(()), |pause| pause.check(&self.dir))?;
        let (engine, moved) = self.open_engine(trust).inspect_err(|error| {
            *pause = Some(Pause::after(pause.as_ref(), error));
        })?;
        *self.engine.write() = Some(engine);
        self.was_open.store(true, Ordering::Release);
        drop(pause);
        drop(lock);
        // Without a lock: a logger is the program's own, and may use this very cache.
        if let Some((damage, aside)) = moved {
            WarnOnce::new().warn(&damage, format_args!("it was moved to {}, and a new one is made", aside.display()));
        }
        // It may have failed by now. Then there is a pause.
        self.engine(trust)
    }

    /// Opens the engine. A damaged database is moved aside, and a new one is made: then the damage is given, too, and where
    /// the database is now.
    fn open_engine(&self, trust: Trust) -> Result<(Engine, Option<(Error, PathBuf)>), Error> {
        let at = |error: Error| error.at(&self.dir);
        self.prepare_directories(trust)?;
        trust::fits(LONGEST).map_err(|error| at(error.into()))?;
        let place = Arc::new(Place::take(&self.dir, &self.turn)?);
        let attempt = || {
            let sweep = Sweep(AssertUnwindSafe(self.usage.clone()));
            let engine = Engine::open(&self.dir, self.max_bytes, sweep, place.clone())?;
            guard("read the database", || self.prepare(&engine))?;
            Ok(engine)
        };
        let damage = match place.attempt(attempt).map_err(at) {
            Err(error) if is_damage(&error) => error,
            opened => return opened.map(|engine| (engine, None)),
        };
        let failed = |error| at(Error::from(error).attempting("move the damaged database aside"));
        let aside = quarantine(&self.dir).map_err(failed)?;
        prepare_below(&self.dir, trust)?;
        Ok((attempt().map_err(at)?, Some((damage, aside))))
    }

    /// Reads what the database has beside the entries, or writes the secret into a new one.
    fn prepare(&self, engine: &Engine) -> Result<(), Error> {
        let failed = |error| from_fjall(error, "read the database");
        let suspect = self.dir.join(SUSPECT);
        if suspect.exists() {
            engine.entries.iter().try_for_each(|entry| entry.value().map(drop)).map_err(failed)?;
            // If the file stays, all is read again next time.
            let _ = std::fs::remove_file(suspect);
        }
        let known = engine.entries.get(entry::SECRET).map_err(failed)?;
        let known = known.and_then(|secret| <[u8; 16]>::try_from(&*secret).ok());
        let records = engine.entries.prefix(entry::RECORDS).map(fjall::Guard::into_inner);
        let records = records.collect::<Result<Vec<_>, _>>().map_err(failed)?;
        // Not before: after an error above, the next attempt must not find anything changed.
        let secret = *self.secret.get_or_init(|| known.unwrap_or_else(Namespace::random_secret));
        if known != Some(secret) {
            // The database is new, or another process has made it in place of the one that was here.
            self.usage.lock().lose_records();
            return engine.write("write to the database", 0, |entries| entries.insert(entry::SECRET, secret));
        }
        for (key, record) in records {
            entry::recorded(&key).and_then(|name| self.usage.lock().restore(name, &record));
        }
        Ok(())
    }

    /// Writes down the usage of a name.
    pub(crate) fn record(&self, engine: &Engine, name: u64, is_last: bool) -> Result<(), Error> {
        // The record is made while the engine is locked. So a later record never comes before an earlier one.
        engine.write("write to the database", 0, |entries| {
            let record = self.usage.lock().record(name, is_last);
            entries.insert(entry::record(name), record)
        })
    }

    /// Closes the engine after this error, if no other thread has done so. The next caller after a pause opens it again.
    #[cold]
    fn close(&self, error: Error) -> Error {
        let is_full = error.kind() == ErrorKind::Full;
        // The error of an engine is not lasting: the next engine may work.
        let error = if is_full { error } else { Error::new(ErrorKind::Io, "write to the database").because(error) };
        let error = error.at(&self.dir);
        // In the same order as in `open`.
        let lock = self.pause.lock();
        // If it was opened again by now, the new engine has not failed.
        let failed = self.engine.write().take_if(|engine| *engine.has_failed.get_mut());
        if let Some(engine) = failed {
            lock.replace_with(|pause| Some(Pause::after(pause.as_ref(), &error)));
            drop(lock);
            // The engine may have given up because of damage, which would make the next one give up, too.
            if !is_full {
                suspect(&self.dir, !engine.is_there());
            }
            // Without a lock: it can take seconds.
            engine.close();
        }
        error
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let Some(engine) = self.engine.get_mut().take() else { return };
        if self.process.is_forked() {
            // To close it, with its files and threads, is up to the parent.
            std::mem::forget(engine);
            return;
        }
        let names = self.usage.lock().unrecorded();
        // The next process counts too much for a name whose last record cannot be written.
        let _ = guard("close the database", || names.iter().try_for_each(|name| self.record(&engine, *name, true)));
        engine.close();
    }
}

#[cfg(test)]
mod tests;
