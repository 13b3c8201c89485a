//! One fjall database, with what this process knows of it: opened when it is first used, and again when it has failed.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, RwLock, RwLockReadGuard};
use twat_cache_core::Process;
use twat_cache_core::persist::trust;
use twat_cache_core::{Error, ErrorKind, Namespace, Trust};

use crate::debris::SUSPECT;
use crate::engine::{self, Engine, Mended, from_fjall, guard};
use crate::entry;
use crate::ledger::{Ledger, Record};
use crate::registry::Place;
use crate::stripes::Stripes;

/// A database that may not be open: not yet, or not any more.
pub(crate) struct Database {
    dir: PathBuf,
    place: Arc<Place>,
    /// The limit of the first store that uses it, by which it is made.
    max_bytes: u64,
    /// A child of it, made by `fork`, has neither its threads nor its locks.
    process: Process,
    /// Whether one of the stores trusts a group.
    trusts_group: AtomicBool,
    engine: RwLock<Option<Engine>>,
    attempts: Mutex<Attempts>,
    /// Found in the database when it is first opened, and given to those that replace it.
    secret: OnceLock<[u8; 16]>,
    pub(crate) ledger: Arc<Mutex<Ledger>>,
    /// Held while a record is taken from the ledger and written, so that records reach the disk in order.
    recording: Mutex<()>,
    /// They outlive the engines: what was outdated for one is so for the next.
    pub(crate) stripes: Stripes,
}

/// Opening fails for as long as it does: it is tried again ever less often. A full disk may have room later.
#[derive(Debug, Default)]
struct Attempts {
    next: Option<Instant>,
    delay: Duration,
    kind: Option<ErrorKind>,
    /// What it failed of, in words.
    reason: String,
    opened: Option<Instant>,
}

impl Attempts {
    /// After a failure. A disk that is full fails at the first write, and opening is no sign of room: only an engine
    /// that has worked for a while is.
    fn put_off(&mut self, kind: ErrorKind) {
        if self.opened.take().is_some_and(|opened| opened.elapsed() > LAST_DELAY) {
            self.delay = Duration::ZERO;
        }
        self.delay = (self.delay * 2).clamp(FIRST_DELAY, LAST_DELAY);
        self.next = Some(Instant::now() + self.delay);
        self.kind = Some(kind);
    }
}

const FIRST_DELAY: Duration = Duration::from_millis(500);
const LAST_DELAY: Duration = Duration::from_secs(30);

impl Database {
    pub(crate) fn new(dir: PathBuf, place: Arc<Place>, max_bytes: u64, process: Process) -> Self {
        Self {
            dir,
            place,
            max_bytes,
            process,
            trusts_group: AtomicBool::new(false),
            engine: RwLock::new(None),
            attempts: Mutex::default(),
            secret: OnceLock::new(),
            ledger: Arc::default(),
            recording: Mutex::new(()),
            stripes: Stripes::new(),
        }
    }

    /// The directory that it is in.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Lets a store use it that has this trust.
    pub(crate) fn admit(&self, trust: Trust) {
        self.trusts_group.fetch_or(trust == Trust::Group, Ordering::Relaxed);
    }

    /// Whose directories it uses: as its most trusting store does.
    pub(crate) fn trust(&self) -> Trust {
        if self.trusts_group.load(Ordering::Relaxed) { Trust::Group } else { Trust::Owner }
    }

    /// The engine, opened if need be.
    #[inline]
    pub(crate) fn engine(&self) -> Result<Open<'_>, Error> {
        // Before any lock: a thread that is not here may have it.
        if self.process.is_forked() {
            let why = "it is the parent's of this process, which was forked";
            return Err(Error::new(ErrorKind::Unavailable, "use the database").at(&self.dir).because(why));
        }
        let engine = self.engine.read();
        if engine.is_some() { Ok(Open(engine)) } else { self.open(engine) }
    }

    #[cold]
    fn open<'a>(&'a self, closed: RwLockReadGuard<'a, Option<Engine>>) -> Result<Open<'a>, Error> {
        drop(closed);
        // Whoever needs it meanwhile waits for us the first time, for there is nothing else to be had. Later, memory
        // serves: it may take long to read through what may be damaged.
        let mut attempts = if self.secret.get().is_none() {
            self.attempts.lock()
        } else {
            let being_opened = || Error::new(ErrorKind::Io, "wait until the database is opened again").at(&self.dir);
            self.attempts.try_lock().ok_or_else(being_opened)?
        };
        let engine = self.engine.read();
        if engine.is_some() {
            return Ok(Open(engine));
        }
        drop(engine);
        if let (Some(next), Some(kind)) = (attempts.next, attempts.kind)
            && Instant::now() < next
        {
            return Err(Error::new(kind, "open the database").at(&self.dir).because(attempts.reason.clone()));
        }
        let mut mended = None;
        let opened = self.try_open(&mut mended).map(|engine| *self.engine.write() = Some(engine));
        match &opened {
            Ok(()) => {
                attempts.next = None;
                attempts.opened = Some(Instant::now());
            }
            Err(error) => {
                attempts.put_off(error.kind());
                attempts.reason = error.chain().to_string();
            }
        }
        drop(attempts);
        if let Some(mended) = mended {
            mended.warn();
        }
        opened?;
        let engine = self.engine.read();
        // It may have failed by now.
        let failed = || Error::new(ErrorKind::Io, "open the database").at(&self.dir);
        if engine.is_some() { Ok(Open(engine)) } else { Err(failed()) }
    }

    fn try_open(&self, mended: &mut Option<Mended>) -> Result<Engine, Error> {
        let prepare = |engine: &Engine| self.prepare(engine);
        self.place.occupy(|| engine::open(&self.dir, self.trust(), &self.ledger, self.max_bytes, mended, prepare))
    }

    /// Brings the database and what we know of it together.
    fn prepare(&self, engine: &Engine) -> Result<(), Error> {
        let entries = &engine.entries;
        let suspect = self.dir.join(SUSPECT);
        if suspect.exists() {
            for entry in entries.iter() {
                entry.value().map_err(|error| from_fjall(error, "read the database"))?;
            }
            // If it stays, all is read again next time.
            let _ = fs::remove_file(suspect);
        }
        let known = entries.get(entry::SECRET).map_err(|error| from_fjall(error, "read the database"))?;
        let known = known.and_then(|secret| <[u8; 16]>::try_from(&*secret).ok());
        let mut records = Vec::new();
        for record in entries.prefix(entry::RECORDS) {
            let (key, value) = record.into_inner().map_err(|error| from_fjall(error, "read the database"))?;
            records.extend(entry::recorded(&key).zip(Record::from_bytes(&value)));
        }
        // Only now: after an error above, the next attempt must find everything as this one did.
        let secret = *self.secret.get_or_init(|| known.unwrap_or_else(Namespace::random_secret));
        if known == Some(secret) {
            // Also when it is opened anew: another process may have had it meanwhile.
            let mut ledger = self.ledger.lock();
            for (area, record) in records {
                ledger.restore(area, record);
            }
        } else {
            // A new database, or one that another process has made in place of ours.
            engine.insert(entry::SECRET, secret, "write to the database")?;
            self.ledger.lock().empty();
        }
        Ok(())
    }

    /// The namespace that all caches of this database are in.
    pub(crate) fn namespace(&self) -> Result<Namespace, Error> {
        drop(self.engine()?);
        let secret = self.secret.get().ok_or_else(|| Error::new(ErrorKind::Unavailable, "read the database"))?;
        Ok(Namespace::from_secret(*secret))
    }

    /// Writes down what the ledger has about these areas.
    pub(crate) fn record(&self, engine: &Engine, areas: &[u64]) -> Result<(), Error> {
        self.write_records(engine, areas, false)
    }

    fn write_records(&self, engine: &Engine, areas: &[u64], end: bool) -> Result<(), Error> {
        let _in_order = self.recording.lock();
        for area in areas {
            let record = self.ledger.lock().record(*area, end);
            if let Some(record) = record {
                engine.insert(&entry::record(*area), record.to_bytes(), "write to the database")?;
            }
        }
        Ok(())
    }

    /// Looks at an error of the engine: one that has given up is closed, to be opened anew by the next who needs it.
    #[cold]
    fn failed(&self, error: Error, opened: u64) -> Error {
        // The engine takes no writes any more after one that failed, and says why only once.
        let full = error.kind() == ErrorKind::Full;
        if !full && error.kind() != ErrorKind::Poisoned {
            return error.at(&self.dir);
        }
        // In the order of `open`: who opens anew must not come between, or it waits for us with what we wait for.
        let mut attempts = self.attempts.lock();
        let mut engine = self.engine.write();
        // Another may have closed it by now, and a third have opened the next, which is none the worse for our error.
        let engine = if engine.as_ref().is_some_and(|engine| engine.id == opened) { engine.take() } else { None };
        if let Some(engine) = engine {
            attempts.put_off(if full { ErrorKind::Full } else { ErrorKind::Io });
            attempts.reason = error.chain().to_string();
            drop(attempts);
            // Perhaps over a block that it cannot read, and so not compact: then it would give up again and again.
            if !full {
                let _ = trust::options().write(true).create(true).truncate(false).open(self.dir.join(SUSPECT));
            }
            // Closing can take seconds. Others go on without it meanwhile.
            self.place.vacate(engine);
        }
        if full {
            return error.at(&self.dir);
        }
        // Of another kind, because it is not lasting: the next engine may work.
        Error::new(ErrorKind::Io, "write to the database").because(error).at(&self.dir)
    }

    /// Does something with the engine, and sees to its errors.
    pub(crate) fn with<T>(
        &self,
        attempt: &'static str,
        work: impl FnOnce(&Engine) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let engine = self.engine()?;
        let done = guard(attempt, || work(&engine));
        let opened = engine.id;
        // Before the error is seen to, which may close it.
        drop(engine);
        done.map_err(|error| self.failed(error, opened))
    }
}

/// The engine, while it is open.
pub(crate) struct Open<'a>(RwLockReadGuard<'a, Option<Engine>>);

impl std::ops::Deref for Open<'_> {
    type Target = Engine;

    fn deref(&self) -> &Engine {
        match &*self.0 {
            Some(engine) => engine,
            None => unreachable!("only made of an open engine, and nobody closes it under the guard"),
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let Some(engine) = self.engine.get_mut().take() else { return };
        if self.process.is_forked() {
            // What closing it would do, to its files and its threads, is the parent's to do.
            std::mem::forget(engine);
        } else {
            let areas = self.ledger.lock().unrecorded();
            // What cannot be written down is counted too high by the next process.
            let _ = guard("close the database", || self.write_records(&engine, &areas, true));
            self.place.vacate(engine);
        }
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").field("dir", &self.dir).finish_non_exhaustive()
    }
}
