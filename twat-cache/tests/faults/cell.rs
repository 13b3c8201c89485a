//! One fault and one wrapper: what must come of it, and what does.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use twat_cache_core::testing::{Counter, record_logs};

use super::wrappers::{Kind, ROOM, Wrapper};

/// Something that happens to a cache.
pub(crate) struct Fault {
    /// Its number in the list of scenarios.
    pub(crate) scenario: u8,
    pub(crate) name: &'static str,
    /// How many keys are asked for.
    pub(crate) keys: u64,
    pub(crate) run: fn(&mut Cell),
    pub(crate) rule: fn(Kind) -> Rule,
}

/// How many there must be, of all the cases of a cell.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Amount {
    Exactly(usize),
    AtMost(usize),
    /// It depends on who comes first.
    Any,
}

impl Amount {
    fn allows(self, amount: usize) -> bool {
        match self {
            Self::Exactly(expected) => amount == expected,
            Self::AtMost(most) => amount <= most,
            Self::Any => true,
        }
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(expected) => write!(f, "{expected}"),
            Self::AtMost(most) => write!(f, "≤ {most}"),
            Self::Any => f.write_str("–"),
        }
    }
}

/// What must come of a fault, beside right values, and healing where anything is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rule {
    pub(crate) computed: Amount,
    pub(crate) warnings: Amount,
    /// What the warnings name as serving instead.
    pub(crate) instead: &'static str,
}

impl Rule {
    pub(crate) const fn new(computed: Amount, warnings: Amount) -> Self {
        Self { computed, warnings, instead: "" }
    }

    /// One warning, which says what serves instead.
    pub(crate) const fn instead(computed: Amount, instead: &'static str) -> Self {
        Self { computed, warnings: Amount::Exactly(1), instead }
    }
}

/// A wrapper in use.
pub(crate) struct Session {
    pub(crate) wrapper: Box<dyn Wrapper>,
    pub(crate) computed: Arc<Counter>,
    wrong: AtomicUsize,
    dir: PathBuf,
    warned: usize,
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
        Self::limited(kind, dir, ROOM)
    }

    pub(crate) fn limited(kind: Kind, dir: &Path, max_bytes: u64) -> Self {
        let computed = Arc::new(Counter::new());
        let counter = computed.clone();
        let warned = warnings(dir).len();
        let function = move |key: &u64| {
            counter.count();
            value(*key)
        };
        let wrapper = kind.open(dir, max_bytes, Box::new(function));
        Self { wrapper, computed, wrong: AtomicUsize::new(0), dir: dir.to_owned(), warned }
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

    /// Asks for it until the disk keeps it: failures are waited out for ever longer, half a second at first.
    pub(crate) fn until_kept(&self, key: u64) {
        let begun = Instant::now();
        while !self.wrapper.is_kept(key) {
            self.judge(key, &self.wrapper.refresh(key));
            assert!(begun.elapsed() < PATIENCE, "storing does not resume");
            std::thread::yield_now();
        }
    }

    /// What there was until now.
    pub(crate) fn seen(&self) -> Round {
        let warnings = warnings(&self.dir).split_off(self.warned);
        Round { wrong: self.wrong.load(Ordering::Relaxed), computed: self.computed.get(), warnings }
    }

    /// What there was, its end included.
    pub(crate) fn end(mut self) -> Round {
        // In its place one that can be dropped without a word.
        self.wrapper = Kind::Memory.open(&self.dir, 0, Box::new(value_of));
        self.seen()
    }
}

fn value_of(key: &u64) -> Vec<u64> {
    value(*key)
}

/// Longer than anything is waited for that comes at all.
const PATIENCE: Duration = Duration::from_secs(20);

fn warnings(dir: &Path) -> Vec<String> {
    record_logs().warnings(&dir.display().to_string())
}

/// What a wrapper did.
#[derive(Debug)]
pub(crate) struct Round {
    pub(crate) wrong: usize,
    pub(crate) computed: usize,
    pub(crate) warnings: Vec<String>,
}

/// Asks for everything twice, with a wrapper of its own.
pub(crate) fn round(kind: Kind, dir: &Path, keys: Range<u64>) -> Round {
    let session = Session::open(kind, dir);
    (0..2).for_each(|_| session.call_all(keys.clone()));
    session.end()
}

/// A fault, and a wrapper that it happens to; what came of it.
pub(crate) struct Cell {
    pub(crate) kind: Kind,
    /// An empty directory.
    pub(crate) dir: PathBuf,
    pub(crate) rule: Rule,
    pub(crate) complaints: Vec<String>,
    pub(crate) cases: usize,
}

impl Cell {
    /// Holds what was seen in one case against the rule.
    pub(crate) fn check(&mut self, case: &impl fmt::Display, seen: &Round) {
        self.cases += 1;
        let Rule { computed, warnings, instead } = self.rule;
        self.expect(seen.wrong == 0, case, format_args!("{} wrong values", seen.wrong));
        self.expect(computed.allows(seen.computed), case, format_args!("{} computed, not {computed}", seen.computed));
        let count = seen.warnings.len();
        self.expect(warnings.allows(count), case, format_args!("{count} warnings, not {warnings}: {:?}", seen.warnings));
        for warning in &seen.warnings {
            self.expect(warning.contains(instead), case, format_args!("no word of {instead}: {warning}"));
        }
    }

    pub(crate) fn expect(&mut self, is_right: bool, case: &impl fmt::Display, complaint: impl fmt::Display) {
        if !is_right {
            self.complaints.push(format!("{case}: {complaint}"));
        }
    }

    /// Without a fault, nothing is computed and nothing warned of.
    pub(crate) fn is_healed(&mut self, case: &impl fmt::Display, dir: &Path, keys: Range<u64>) {
        if self.kind != Kind::Memory {
            let seen = round(self.kind, dir, keys);
            let is_healed = seen.wrong == 0 && seen.computed == 0 && seen.warnings.is_empty();
            self.expect(is_healed, case, format_args!("not healed: {seen:?}"));
        }
    }

    /// As soon as there is no fault any more, results are kept again, and nothing is warned of.
    pub(crate) fn recovers(&mut self, case: &impl fmt::Display, dir: &Path, keys: Range<u64>) {
        let begun = Instant::now();
        while !self.kind.can_open(dir) {
            assert!(begun.elapsed() < PATIENCE, "cannot be opened any more");
            std::thread::yield_now();
        }
        let seen = round(self.kind, dir, keys.clone());
        let is_quiet = seen.wrong == 0 && seen.warnings.is_empty();
        self.expect(is_quiet, case, format_args!("not over: {seen:?}"));
        self.is_healed(case, dir, keys);
    }
}
