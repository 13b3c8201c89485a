//! One fault and one wrapper: what must come of it, and what does.

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
    /// How many keys are asked for.
    pub(crate) keys: u64,
    pub(crate) run: Box<dyn Fn(&mut Cell)>,
    pub(crate) rule: fn(Kind) -> Rule,
}

/// How many there must be, of all the cases of a cell.
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

/// A fault, and a wrapper that it happens to; what came of it.
pub(crate) struct Cell {
    pub(crate) kind: Kind,
    /// An empty directory.
    pub(crate) dir: PathBuf,
    pub(crate) rule: Rule,
    pub(crate) seen: Seen,
}

/// What the cases of a cell came to.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// None means that this machine cannot do it.
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

    /// By a child, if it came that far.
    pub(crate) fn told(said: &[String]) -> Option<Self> {
        let (numbers, complaints) = said.split_first()?;
        let mut numbers = numbers.split(' ').map_while(|number| number.parse().ok());
        let [cases, computed, warnings] = [numbers.next()?, numbers.next()?, numbers.next()?];
        Some(Self { cases, computed, warnings, complaints: complaints.to_vec() })
    }
}

impl Cell {
    /// Holds what was seen in one case against the rule.
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

    /// As soon as there is no fault any more, results are kept again, and nothing is warned of.
    pub(crate) fn recovers(&mut self, case: &impl fmt::Display, dir: &Path, keys: Range<u64>) {
        self.until_it_opens(dir);
        let seen = round(self.kind, dir, keys.clone());
        let is_quiet = seen.wrong == 0 && seen.warnings.is_empty();
        self.expect(is_quiet, case, format_args!("not over: {seen:?}"));
        self.is_healed(case, dir, keys);
    }

    /// What has failed is tried again after a while.
    pub(crate) fn until_it_opens(&self, dir: &Path) {
        until("it can be opened", || self.kind.can_open(dir));
    }
}
