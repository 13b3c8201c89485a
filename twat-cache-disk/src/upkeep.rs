//! Gives disk space back in the background: that of evicted, expired and cleared entries, and of journals that are in tables.
//! The engine alone does so only when much more is written.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use twat_cache_core::Error;

use crate::database::Database;
use crate::engine::space::{disk_bytes, flush};
use crate::engine::{Engine, from_fjall, guard};
use crate::entry;

/// A database, with a thread that gives its disk space back while there is any to give.
pub(crate) struct Kept(Arc<Database>);

/// What the thread is told.
#[derive(Default)]
pub(crate) struct Upkeep {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// What is asked for, and whether it is urgent.
    asked: Option<bool>,
    is_running: bool,
    is_over: bool,
    thread: Option<JoinHandle<()>>,
}

/// Nothing is done before nothing has been written for so long.
const QUIET: Duration = Duration::from_secs(2);

/// After a `clear`, so long is enough, and something is done in any case after four times as long.
const SHORT_QUIET: Duration = Duration::from_millis(500);

/// So much of the disk is given to the engine, beside twice the bytes that the entries have.
const SLACK: u64 = 8 << 20;

/// After a `clear`, this much is left alone.
const LEAST: u64 = 1 << 20;

/// The pause after the work, in lengths of the work.
const REST: u32 = 8;

impl Kept {
    pub(crate) fn new(database: Database) -> Arc<Self> {
        Arc::new(Self(Arc::new(database)))
    }

    /// Gives disk space back soon, on a thread of its own.
    #[cold]
    pub(crate) fn tidy(&self, is_urgent: bool) {
        let mut state = self.0.upkeep.state.lock();
        state.asked = Some(is_urgent || state.asked == Some(true));
        if state.is_running {
            self.0.upkeep.changed.notify_all();
            return;
        }
        if let Some(last) = state.thread.take() {
            // It has ended, but for its last reference to the database.
            let _ = last.join();
        }
        let database = self.0.clone();
        match thread::Builder::new().name("twat-cache".into()).spawn(move || run(&database)) {
            Ok(thread) => (state.is_running, state.thread) = (true, Some(thread)),
            // The system allows no more threads. The space is given back some other time.
            Err(_) => state.asked = None,
        }
    }
}

impl Deref for Kept {
    type Target = Database;

    fn deref(&self) -> &Database {
        &self.0
    }
}

impl Drop for Kept {
    /// Waits until the thread has done what it has in hand, at most one compaction. So the database is closed when this is done.
    fn drop(&mut self) {
        let upkeep = &self.0.upkeep;
        if self.0.process.is_forked() {
            // There is no such thread in this process.
            std::mem::forget(upkeep.state.try_lock().and_then(|mut state| state.thread.take()));
            return;
        }
        let thread = {
            let mut state = upkeep.state.lock();
            state.is_over = true;
            upkeep.changed.notify_all();
            state.thread.take()
        };
        // A logger may have dropped the last store on this very thread.
        if let Some(thread) = thread.filter(|thread| thread.thread().id() != thread::current().id()) {
            let _ = thread.join();
        }
    }
}

fn run(database: &Database) {
    while let Some(is_urgent) = database.upkeep.next() {
        let is_quiet = database.wait_until_quiet(is_urgent);
        let begun = Instant::now();
        let _ = guard("give disk space back", || {
            let done = database.tidy(is_urgent, is_quiet);
            done.inspect_err(|error| log::debug!(target: "twat_cache", "{}", error.chain()))
        });
        database.upkeep.pause(begun.elapsed() * REST);
    }
}

impl Upkeep {
    /// What is asked for. If it is nothing, the thread ends.
    fn next(&self) -> Option<bool> {
        let mut state = self.state.lock();
        let asked = state.asked.take().filter(|_| !state.is_over);
        state.is_running = asked.is_some();
        asked
    }

    /// Waits for so long, or until the database is closed.
    fn pause(&self, length: Duration) {
        let end = Instant::now() + length;
        let mut state = self.state.lock();
        while !state.is_over && !self.changed.wait_until(&mut state, end).timed_out() {}
    }

    /// Whether the work should stop: the database is closed, or something more urgent is asked for.
    fn is_over(&self, is_urgent: bool) -> bool {
        let state = self.state.lock();
        state.is_over || (!is_urgent && state.asked == Some(true))
    }
}

impl Database {
    /// Gives disk space back. What a call waits for is held no longer than the engine takes to close and open when there is
    /// nothing to write or read.
    fn tidy(&self, is_urgent: bool, is_quiet: bool) -> Result<(), Error> {
        if self.upkeep.is_over(is_urgent) || !self.is_worth_it(is_urgent)? || !self.compact()? {
            return Ok(());
        }
        if self.upkeep.is_over(true) || (is_quiet && self.renew()?) {
            return Ok(());
        }
        // The engine removes the files that it has compacted when one more table is there.
        let again = |engine: &Engine| match engine.entries.get(entry::SECRET) {
            Ok(Some(secret)) => {
                engine.write("write to the database", 0, |entries| entries.insert(entry::SECRET, secret))
            }
            _ => Ok(()),
        };
        self.on_open(again).transpose()?;
        self.on_open(Engine::handles).map_or(Ok(false), |handles| flush(&handles)).map(drop)
    }

    /// Drops what is dead from the tables. `false` if the engine is not open.
    fn compact(&self) -> Result<bool, Error> {
        // They keep the engine open, so that no lock need be held.
        let Some(handles) = self.on_open(Engine::handles) else { return Ok(false) };
        // If nothing is written from here on, there is nothing to write when the engine is closed and calls wait.
        self.on_open(|engine| self.record_all(engine)).transpose()?;
        flush(&handles)?;
        // The next opening knows by the last write in tables that a journal is missing. A compaction may drop that write. So the
        // journals that the engine has removed are noted first.
        self.on_open(Engine::note).transpose()?;
        handles.1.major_compact().map_err(|error| from_fjall(error, "compact the database"))?;
        Ok(true)
    }

    /// Whether nothing has been written for a while.
    fn wait_until_quiet(&self, is_urgent: bool) -> bool {
        let begun = Instant::now();
        let written = || self.on_open(|engine| engine.written.load(Ordering::Relaxed));
        let length = if is_urgent { SHORT_QUIET } else { QUIET };
        loop {
            let before = written();
            self.upkeep.pause(length);
            if written() == before {
                return true;
            }
            if self.upkeep.is_over(is_urgent) || (is_urgent && begun.elapsed() > 4 * length) {
                return false;
            }
        }
    }

    fn is_worth_it(&self, is_urgent: bool) -> Result<bool, Error> {
        // The engine writes tables by their paths. In place of a database that was moved away there may be another one.
        if !self.on_open(Engine::is_there).unwrap_or(false) {
            return Ok(false);
        }
        let bytes = disk_bytes(&self.dir).map_err(|error| Error::from(error).at(&self.dir))?;
        let needed = self.usage.lock().held();
        Ok(bytes > needed.saturating_mul(2).saturating_add(SLACK) || (is_urgent && bytes > LEAST))
    }
}
