//! The database of a cache directory: opened when it is first used, and again when it was moved away or damaged.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use twat_cache_core::among::Latest;
use twat_cache_core::among::last_check::{AT_ONCE, LastCheck, uptime};
use twat_cache_core::persist::{Pause, prepare_below, prepare_root};
use twat_cache_core::{Error, ErrorKind, Process, Trust, WarnOnce};

use crate::failure::{Failure, Result};
use crate::open::Open;

/// All stores of a process that use the same cache directory share it.
pub(crate) struct Database {
    /// The directory of all databases, in the cache directory.
    pub(crate) dir: PathBuf,
    /// A forked process must not use connections of its parent, nor make its own: SQLite would take the parent's locks for
    /// its own.
    process: Process,
    open: Latest<Open>,
    /// Locked while the database is opened. The pause after an attempt that has failed.
    opening: Mutex<Option<Pause>>,
    /// The secret of the last `meta`. If this process makes one that takes its place, it gets the same.
    secret: Mutex<Option<[u8; 16]>>,
    /// Of the open database: whether its counters can be read,
    whole: LastCheck,
    /// and whether its files are in place.
    in_place: LastCheck,
    /// How often somebody has asked to tidy up since that was done last. While it is not 0, a thread is doing so.
    asked_to_tidy: AtomicUsize,
    warned: WarnOnce,
}

/// How long, in nanoseconds, it may take to notice that a file was moved away.
const MOVED: u64 = 10_000_000;

impl Database {
    pub(crate) fn new(dir: PathBuf, process: Process) -> Self {
        Self {
            dir,
            process,
            open: Latest::default(),
            opening: Mutex::new(None),
            secret: Mutex::new(None),
            whole: LastCheck::default(),
            in_place: LastCheck::default(),
            asked_to_tidy: AtomicUsize::new(0),
            warned: WarnOnce::new(),
        }
    }

    /// An error if the directory cannot be trusted.
    pub(crate) fn check(&self, trust: Trust) -> std::result::Result<(), Error> {
        if self.is_forked() { Ok(()) } else { self.prepare(trust) }
    }

    /// Whether this process was forked from the one that has the database.
    pub(crate) fn is_forked(&self) -> bool {
        self.process.is_forked()
    }

    /// The open database, without a look at its files.
    #[inline]
    pub(crate) fn latest(&self) -> Option<&Open> {
        self.open.get()
    }

    /// Works with the open database, which is replaced if it turns out to be damaged. Then the work is repeated.
    pub(crate) fn with<T>(
        &self,
        trust: Trust,
        attempt: &'static str,
        mut work: impl FnMut(&Open) -> Result<T>,
    ) -> std::result::Result<T, Error> {
        let mut open = self.open(trust)?;
        for _ in 0..4 {
            match work(open) {
                Ok(done) => return Ok(done),
                Err(Failure::Error(error)) => return Err(error.attempting(attempt).at(&open.path)),
                Err(Failure::Damaged(error)) => self.replace(open, error.attempting(attempt).at(&open.path))?,
                Err(Failure::Moved) => {}
            }
            open = self.reopen(trust)?;
        }
        let why = "other processes replace it again and again";
        Err(Error::new(ErrorKind::Io, attempt).at(&self.dir).because(why))
    }

    #[inline]
    pub(crate) fn open(&self, trust: Trust) -> std::result::Result<&Open, Error> {
        if self.process.is_forked() {
            let why = "this process was made by `fork`, and the database is its parent's";
            return Err(Error::new(ErrorKind::Unavailable, "use the database").at(&self.dir).because(why));
        }
        let now = uptime();
        match self.open.get() {
            Some(open) if self.is_usable(open, now) => Ok(open),
            _ => self.reopen(trust),
        }
    }

    #[inline]
    fn is_usable(&self, open: &Open, now: u64) -> bool {
        self.whole.passes(now, AT_ONCE, || open.meta.is_whole())
            && open.is_in_use()
            && self.in_place.passes(now, MOVED, || self.is_in_place(open))
    }

    #[cold]
    fn is_in_place(&self, open: &Open) -> bool {
        if !open.is_in_place() {
            return false;
        }
        let Err(Failure::Damaged(error)) = open.check_files() else { return true };
        // If it cannot be replaced, it is opened again.
        let _ = self.replace(open, error.at(&open.path));
        false
    }

    #[cold]
    fn reopen(&self, trust: Trust) -> std::result::Result<&Open, Error> {
        // During a pause, a call must not cost more than this.
        let check = |pause: &Option<Pause>| pause.as_ref().map_or(Ok(()), |pause| pause.check(&self.dir));
        if self.open.get().is_none() {
            check(&self.opening.lock())?;
        }
        // Without the lock, because this may log, and the logger is the program's own.
        self.prepare(trust)?;
        let mut pause = self.opening.lock();
        // On a medium that can be written to by now, it is opened again.
        let is_usable =
            |open: &&Open| open.meta.is_whole() && open.is_in_use() && open.is_in_place() && !open.could_be_writable();
        if let Some(open) = self.open.get().filter(is_usable) {
            return Ok(open);
        }
        check(&pause)?;
        if let Some(old) = self.open.get() {
            self.open.end();
            old.close();
        }
        let (open, damage) =
            self.open_anew().inspect_err(|error| *pause = Some(Pause::after(pause.as_ref(), error)))?;
        *self.secret.lock() = Some(open.meta.secret);
        let open = self.open.replace(open);
        drop(pause);
        if let Some(damage) = damage {
            self.warn(&damage);
        }
        Ok(open)
    }

    fn open_anew(&self) -> std::result::Result<(Open, Option<Error>), Error> {
        // Each one that was opened keeps up to two files open.
        if self.open.is_full() {
            let why = "its directory was lost too often";
            return Err(Error::new(ErrorKind::Unavailable, "open the database").at(&self.dir).because(why));
        }
        let known = *self.secret.lock();
        Open::new(&self.dir, known, self.process).map_err(|error| {
            if error.path().is_some() { error } else { error.attempting("open the database").at(&self.dir) }
        })
    }

    /// Makes the directory and the cache directory above it ready. An error if they are not those that may be used.
    fn prepare(&self, trust: Trust) -> std::result::Result<(), Error> {
        let root = self.dir.parent().unwrap_or(Path::new(""));
        if prepare_root(root, trust)? != root {
            let why = "it is behind a link that was not there before";
            return Err(Error::new(ErrorKind::Other, "use the cache directory").at(root).because(why));
        }
        prepare_below(&self.dir, trust)
    }

    /// Puts a new database in place of a damaged one.
    #[cold]
    fn replace(&self, open: &Open, damage: Error) -> std::result::Result<(), Error> {
        let mut pause = self.opening.lock();
        if self.open.get().is_some_and(|latest| ptr::eq(latest, open)) {
            if !open.is_writable() {
                return Err(damage);
            }
            pause.as_ref().map_or(Ok(()), |pause| pause.check(&self.dir))?;
            let replaced = open.replace(&self.dir);
            replaced.inspect_err(|error| *pause = Some(Pause::after(pause.as_ref(), error)))?;
            drop(pause);
            self.warn(&damage);
        }
        Ok(())
    }

    /// Without a lock: a logger may use this very cache.
    fn warn(&self, damage: &Error) {
        self.warned.warn(damage, "a new one takes its place");
    }

    /// Runs `work` in a thread of its own, or here if there can be none. If that thread runs already, it does so once more.
    pub(crate) fn tidy(self: &Arc<Self>, work: fn(&Self)) {
        if self.asked_to_tidy.fetch_add(1, Ordering::AcqRel) > 0 {
            return;
        }
        let this = self.clone();
        let thread = move || while !this.tidy_once(work) {};
        let is_spawned = std::thread::Builder::new().name("twat-cache".into()).spawn(thread).is_ok();
        // A call must not work for all others, so here it is done once.
        if !is_spawned && !self.tidy_once(work) {
            self.asked_to_tidy.store(0, Ordering::Release);
        }
    }

    /// Whether nobody has asked for it again meanwhile.
    fn tidy_once(&self, work: fn(&Self)) -> bool {
        let asked = self.asked_to_tidy.load(Ordering::Acquire);
        // The program's own logger may panic.
        let _ = catch_unwind(AssertUnwindSafe(|| work(self)));
        self.asked_to_tidy.compare_exchange(asked, 0, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use twat_cache_core::testing::until;

    use super::*;

    fn database() -> Arc<Database> {
        Arc::new(Database::new(PathBuf::new(), Process::this()))
    }

    fn until_done(database: &Database) {
        until("it is done", || database.asked_to_tidy.load(Ordering::Acquire) == 0);
    }

    #[test]
    fn to_tidy_up_is_possible_after_a_panic() {
        static RUNS: AtomicUsize = AtomicUsize::new(0);
        let database = database();
        for runs in 1..=2 {
            database.tidy(|_| {
                RUNS.fetch_add(1, Ordering::AcqRel);
                std::panic::resume_unwind(Box::new("the logger panics"));
            });
            until_done(&database);
            assert_eq!(RUNS.load(Ordering::Acquire), runs);
        }
    }

    #[test]
    fn what_is_asked_for_while_the_thread_runs_is_done_afterwards() {
        static RUNS: AtomicUsize = AtomicUsize::new(0);
        static MAY_END: AtomicBool = AtomicBool::new(false);
        let database = database();
        let work: fn(&Database) = |_| {
            RUNS.fetch_add(1, Ordering::AcqRel);
            until("the test goes on", || MAY_END.load(Ordering::Acquire));
        };
        database.tidy(work);
        until("it runs", || RUNS.load(Ordering::Acquire) == 1);
        (0..2).for_each(|_| database.tidy(work));
        MAY_END.store(true, Ordering::Release);
        until_done(&database);
        assert_eq!(RUNS.load(Ordering::Acquire), 2);
    }
}
