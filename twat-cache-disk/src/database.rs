//! The database of a directory: opened when it is first used, closed when it fails, and opened again later.

use std::cell::RefCell;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::{MappedRwLockReadGuard, Mutex, ReentrantMutex, RwLock, RwLockReadGuard};
use twat_cache_core::persist::{Pause, prepare_below, prepare_root, trust};
use twat_cache_core::{Error, ErrorKind, Namespace, Process, Trust, WarnOnce};

use crate::changes::Changes;
use crate::engine::place::{Place, Turn};
use crate::engine::recovery::{SUSPECT, quarantine, suspect};
use crate::engine::{Engine, LONGEST, from_fjall, guard, is_damage};
use crate::entry;
use crate::sweep::Sweep;
use crate::upkeep::Upkeep;
use crate::usage::Usage;

/// A database, which may not be open.
pub(crate) struct Database {
    pub(crate) dir: PathBuf,
    turn: Arc<Turn>,
    /// The limit of the first store that uses the database. The engine's options depend on it.
    max_bytes: u64,
    /// A forked process has neither the threads nor the locks of the engine.
    pub(crate) process: Process,
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
    pub(crate) upkeep: Upkeep,
}

/// How often to look for a moment in which no call uses the engine, a millisecond apart.
const LOOKS: u32 = 100;

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
            upkeep: Upkeep::default(),
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
        // At first, other threads wait until the database is open. After a failure they do not, and memory serves: it can take
        // long to read all of a database that may be damaged.
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
        // While it was closed, another process may have changed it.
        self.changes.outdate_all();
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
        let damage = match place.attempt(|| self.attempt(&place)).map_err(at) {
            Err(error) if is_damage(&error) => error,
            opened => return opened.map(|engine| (engine, None)),
        };
        let failed = |error| at(Error::from(error).attempting("move the damaged database aside"));
        let aside = quarantine(&self.dir).map_err(failed)?;
        prepare_below(&self.dir, trust)?;
        Ok((self.attempt(&place).map_err(at)?, Some((damage, aside))))
    }

    fn attempt(&self, place: &Arc<Place>) -> Result<Engine, Error> {
        let sweep = Sweep(AssertUnwindSafe(self.usage.clone()));
        let engine = Engine::open(&self.dir, self.max_bytes, sweep, place.clone())?;
        guard("read the database", || self.prepare(&engine))?;
        Ok(engine)
    }

    /// Does something with the engine if it is open.
    pub(crate) fn on_open<T>(&self, work: impl FnOnce(&Engine) -> T) -> Option<T> {
        self.engine.read().as_ref().map(work)
    }

    /// Closes the engine and opens it again, which gives back the disk space that neither needs. Calls wait meanwhile. `false` if
    /// it cannot be closed, because it is in use.
    pub(crate) fn renew(&self) -> Result<bool, Error> {
        let lock = self.pause.lock();
        let Ok(mut pause) = lock.try_borrow_mut() else { return Ok(false) };
        let was_open = self.was_open.swap(false, Ordering::AcqRel);
        // Not `write`: behind a caller that waits for the lock, all others would wait.
        let idle = |engine: &mut Engine| !*engine.is_lent.get_mut() && engine.is_there();
        let take = || self.engine.try_write().and_then(|mut engine| engine.take_if(idle));
        let engine = (0..LOOKS).find_map(|_| {
            take().or_else(|| {
                std::thread::sleep(Duration::from_millis(1));
                None
            })
        });
        let renewed = engine.map_or(Ok(false), |engine| {
            let place = engine.place.clone();
            self.finish(engine);
            *self.engine.write() = Some(place.attempt(|| self.attempt(&place)).map_err(|error| error.at(&self.dir))?);
            Ok(true)
        });
        self.was_open.store(was_open, Ordering::Release);
        renewed.inspect_err(|error| *pause = Some(Pause::after(pause.as_ref(), error)))
    }

    /// Closes the engine, with all that the next one needs.
    fn finish(&self, engine: Engine) {
        // The next process counts too much for a name whose last record cannot be written.
        let _ = guard("close the database", || self.record_all(&engine));
        engine.finish(&self.dir);
    }

    /// Writes down the usage of all names.
    pub(crate) fn record_all(&self, engine: &Engine) -> Result<(), Error> {
        let names = self.usage.lock().unrecorded();
        names.iter().try_for_each(|name| self.record(engine, *name, true))
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
        self.finish(engine);
    }
}
