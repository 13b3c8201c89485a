//! One fault and one wrapper: the required outcome, and the actual one.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use twat_cache_core::testing::child::Task;
use twat_cache_core::testing::until;

use super::session::{Round, round};
use super::wrappers::Kind;

/// Something that happens to a cache.
pub(crate) struct Fault {
    /// Its number in the list of scenarios.
    pub(crate) scenario: u8,
    pub(crate) name: &'static str,
    /// The number of keys that are called.
    pub(crate) keys: u64,
    pub(crate) run: Box<dyn Fn(&mut Cell)>,
    pub(crate) rule: fn(Kind) -> Rule,
}

/// The required count over all cases of a cell.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Amount {
    Exactly(usize),
    AtMost(usize),
    /// It depends on which process is first.
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

/// The required outcome of a fault, besides right values and, if anything is stored, recovery.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rule {
    pub(crate) computed: Amount,
    pub(crate) warnings: Amount,
    /// The backend that the warnings name as the replacement.
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

/// A fault, a wrapper, and the outcome.
pub(crate) struct Cell {
    pub(crate) kind: Kind,
    /// An empty directory.
    pub(crate) dir: PathBuf,
    pub(crate) rule: Rule,
    pub(crate) seen: Seen,
}

/// The combined outcome of all cases of a cell.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// `None` means that this machine cannot make the fault.
    pub(crate) cases: usize,
    /// The most of all cases.
    pub(crate) computed: usize,
    pub(crate) warnings: usize,
    pub(crate) complaints: Vec<String>,
}

impl Seen {
    /// To the parent.
    pub(crate) fn tell(&self, task: &Task) {
        let Self { cases, computed, warnings, complaints } = self;
        task.say(format_args!("{cases} {computed} {warnings}"));
        task.say_all(complaints.iter().map(|complaint| complaint.replace('\n', " ")));
    }

    /// The report of a child, if the child got that far.
    pub(crate) fn told(said: &[String]) -> Option<Self> {
        let (numbers, complaints) = said.split_first()?;
        let mut numbers = numbers.split(' ').map_while(|number| number.parse().ok());
        let [cases, computed, warnings] = [numbers.next()?, numbers.next()?, numbers.next()?];
        Some(Self { cases, computed, warnings, complaints: complaints.to_vec() })
    }
}

impl Cell {
    /// Compares the outcome of one case with the rule.
    pub(crate) fn check(&mut self, case: &impl fmt::Display, seen: &Round) {
        let Rule { computed, warnings, instead, .. } = self.rule;
        self.seen.cases += 1;
        self.seen.computed = self.seen.computed.max(seen.computed);
        self.seen.warnings = self.seen.warnings.max(seen.warnings.len());
        self.expect(seen.wrong == 0, case, format_args!("{} wrong values", seen.wrong));
        self.expect(computed.allows(seen.computed), case, format_args!("{} computed, not {computed}", seen.computed));
        let count = seen.warnings.len();
        self.expect(
            warnings.allows(count),
            case,
            format_args!("{count} warnings, not {warnings}: {:?}", seen.warnings),
        );
        for warning in &seen.warnings {
            self.expect(warning.contains(instead), case, format_args!("no word of {instead}: {warning}"));
        }
    }

    pub(crate) fn expect(&mut self, is_right: bool, case: &impl fmt::Display, complaint: impl fmt::Display) {
        if !is_right {
            self.seen.complaints.push(format!("{case}: {complaint}"));
        }
    }

    /// Without a fault, nothing is computed and nothing warned of.
    pub(crate) fn is_healed(&mut self, case: &impl fmt::Display, dir: &Path, keys: Range<u64>) {
        if self.kind != Kind::Memory {
            self.healed(case, &round(self.kind, dir, keys));
        }
    }

    pub(crate) fn healed(&mut self, case: &impl fmt::Display, seen: &Round) {
        let is_healed = seen.wrong == 0 && seen.computed == 0 && seen.warnings.is_empty();
        self.expect(is_healed, case, format_args!("not healed: {seen:?}"));
    }

    /// As soon as the fault is over, results are stored again, and there are no warnings.
    pub(crate) fn recovers(&mut self, case: &impl fmt::Display, dir: &Path, keys: Range<u64>) {
        self.until_it_opens(dir);
        let seen = round(self.kind, dir, keys.clone());
        let is_quiet = seen.wrong == 0 && seen.warnings.is_empty();
        self.expect(is_quiet, case, format_args!("not over: {seen:?}"));
        self.is_healed(case, dir, keys);
    }

    /// A failed operation is tried again after a while.
    pub(crate) fn until_it_opens(&self, dir: &Path) {
        until("it can be opened", || self.kind.can_open(dir));
    }
}
