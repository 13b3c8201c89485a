//! A wrapper in use, and its observed behaviour.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use twat_cache_core::testing::child::Task;
use twat_cache_core::testing::{Counter, counted, until, warnings_from_now};

use super::wrappers::{Kind, Limits, Wrapper};

/// A wrapper in use.
pub(crate) struct Session {
    pub(crate) wrapper: Box<dyn Wrapper>,
    pub(crate) computed: Arc<Counter>,
    wrong: AtomicUsize,
    dir: PathBuf,
    warnings: Box<dyn Fn() -> Vec<String>>,
}

/// Of every length up to 700 bytes, and one long enough to be mapped, which are the small keys'; 8 KB for the others.
pub(crate) fn value(key: u64) -> Vec<u64> {
    let length = match key {
        5 => 17_000,
        0..12 => key * 8,
        _ => 1000,
    };
    (0..length).map(|n| n * 1000 + key).collect()
}

impl Session {
    pub(crate) fn open(kind: Kind, dir: &Path) -> Self {
        Self::limited(kind, dir, Limits::default())
    }

    pub(crate) fn limited(kind: Kind, dir: &Path, limits: Limits) -> Self {
        let warnings = Box::new(warnings_from_now(dir));
        let (function, computed) = counted(value);
        let wrapper = kind.open(dir, limits, function);
        Self { wrapper, computed, wrong: AtomicUsize::new(0), dir: dir.to_owned(), warnings }
    }

    pub(crate) fn call_all(&self, keys: Range<u64>) {
        keys.for_each(|key| self.judge(key, &self.wrapper.call(key)));
    }

    pub(crate) fn peek_all(&self, keys: Range<u64>) {
        for key in keys {
            if let Some(found) = self.wrapper.peek(key).unwrap() {
                self.judge(key, &found);
            }
        }
    }

    fn judge(&self, key: u64, found: &[u64]) {
        if found != value(key) {
            self.wrong.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Refreshes a key until it is stored: after a failure, the disk is tried again after a while.
    pub(crate) fn until_kept(&self, key: u64) {
        until("storing resumes", || {
            self.wrapper.is_kept(key) || {
                self.judge(key, &self.wrapper.refresh(key));
                false
            }
        });
    }

    /// The behaviour until now.
    pub(crate) fn seen(&self) -> Round {
        let wrong = self.wrong.load(Ordering::Relaxed);
        Round { wrong, computed: self.computed.get(), warnings: (self.warnings)() }
    }

    /// The behaviour, including the end of the wrapper.
    pub(crate) fn end(mut self) -> Round {
        // Replaces it with a wrapper that logs nothing when it is dropped.
        self.wrapper = Kind::Memory.open(&self.dir, Limits::default(), Box::new(|_| Vec::new()));
        self.seen()
    }
}

/// What a wrapper did.
#[derive(Debug)]
pub(crate) struct Round {
    pub(crate) wrong: usize,
    pub(crate) computed: usize,
    pub(crate) warnings: Vec<String>,
}

impl Round {
    /// To the parent.
    pub(crate) fn tell(&self, task: &Task) {
        task.say(format_args!("{} {}", self.wrong, self.computed));
        task.say_all(&self.warnings);
    }

    /// The report of a child, if the child got that far.
    pub(crate) fn told(said: Vec<String>) -> Option<Self> {
        let mut said = said.into_iter();
        let numbers = said.next()?;
        let (wrong, computed) = numbers.split_once(' ')?;
        Some(Self { wrong: wrong.parse().ok()?, computed: computed.parse().ok()?, warnings: said.collect() })
    }
}

/// Calls every key twice, with a new wrapper.
pub(crate) fn round(kind: Kind, dir: &Path, keys: Range<u64>) -> Round {
    twice(Session::open(kind, dir), keys)
}

/// Calls every key twice, and ends the wrapper.
pub(crate) fn twice(session: Session, keys: Range<u64>) -> Round {
    (0..2).for_each(|_| session.call_all(keys.clone()));
    session.end()
}
