use std::fmt;
use std::process::ExitCode;

use crate::{Effort, Outcome, Spread};

/// Prints the measurements as Markdown and checks the bounds.
#[derive(Debug)]
pub struct Report {
    effort: Effort,
    bounds: Vec<Bound>,
}

#[derive(Debug)]
struct Bound {
    what: String,
    measured: f64,
    limit: Limit,
}

/// The limit of a ratio.
#[derive(Clone, Copy, Debug)]
pub enum Limit {
    /// At most this many times the base.
    AtMost(f64),
    /// At least this part of the base.
    AtLeast(f64),
}

impl Limit {
    fn holds(self, measured: f64) -> bool {
        match self {
            Limit::AtMost(limit) => measured <= limit,
            Limit::AtLeast(limit) => measured >= limit,
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Limit::AtMost(limit) => write!(f, "≤ {limit:.2}"),
            Limit::AtLeast(limit) => write!(f, "≥ {limit:.2}"),
        }
    }
}

impl Report {
    /// A report of measurements with this effort.
    pub fn new(effort: Effort) -> Self {
        Self { effort, bounds: Vec::new() }
    }

    /// Prints the heading of a section.
    pub fn section(&self, title: &str) {
        println!("## {title}\n");
    }

    /// Prints a paragraph.
    pub fn note(&self, text: &str) {
        println!("{text}\n");
    }

    /// Prints a table.
    pub fn table<const COLUMNS: usize>(
        &self,
        heads: [&str; COLUMNS],
        rows: impl IntoIterator<Item = [String; COLUMNS]>,
    ) {
        println!("| {} |", heads.join(" | "));
        println!("|---|{}", "--:|".repeat(COLUMNS - 1));
        for row in rows {
            println!("| {} |", row.join(" | "));
        }
        println!();
    }

    /// Prints the table of a race: each contestant's time and its ratio to the first contestant.
    pub fn race(&self, outcome: &Outcome) {
        let Some(base) = outcome.names().next() else { return };
        let rows = outcome.names().map(|name| {
            let Spread { low, median, high } = outcome.ratio(name, base);
            let time = format!("{:.1}", outcome.time(name).median);
            [name.to_owned(), time, format!("{median:.2}"), format!("{low:.2}–{high:.2}")]
        });
        self.table(["", "ns", "ratio", "quartiles"], rows);
    }

    /// Adds a bound that must hold.
    pub fn bound(&mut self, what: impl Into<String>, measured: f64, limit: Limit) {
        self.bounds.push(Bound { what: what.into(), measured, limit });
    }

    /// Prints the table of all bounds. With `--check` on the command line, the exit code says whether they hold.
    pub fn finish(self) -> ExitCode {
        if self.effort.is_touch() {
            self.note("Everything runs. These numbers mean nothing; `cargo bench` measures.");
            return ExitCode::SUCCESS;
        }
        self.section("Bounds");
        let rows = self.bounds.iter().map(|Bound { what, measured, limit }| {
            let verdict = if limit.holds(*measured) { "yes" } else { "**no**" };
            [what.clone(), limit.to_string(), format!("{measured:.2}"), verdict.to_owned()]
        });
        self.table(["", "bound", "measured", "holds"], rows);
        let all_hold = self.bounds.iter().all(|bound| bound.limit.holds(bound.measured));
        if all_hold || !std::env::args().any(|arg| arg == "--check") { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_holds_up_to_itself_and_for_nothing_unmeasured() {
        assert!(Limit::AtMost(1.1).holds(1.1) && !Limit::AtMost(1.1).holds(1.2));
        assert!(Limit::AtLeast(0.9).holds(0.9) && !Limit::AtLeast(0.9).holds(0.8));
        assert!(!Limit::AtMost(1.1).holds(f64::NAN) && !Limit::AtLeast(0.9).holds(f64::NAN));
    }
}
