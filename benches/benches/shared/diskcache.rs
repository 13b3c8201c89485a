//! Python's `diskcache`, measured by a script.

use std::process::{Command, Stdio};

use twat_cache_benches::{Report, asked_for};

use crate::child::Times;
use crate::directory;

pub(crate) struct Measured {
    what: String,
    pub(crate) store: Times,
    pub(crate) hit: Times,
    /// The bytes that it takes on disk when it is closed.
    pub(crate) disk: f64,
}

/// Runs the script. `None` if Python or the package is missing: then it says so, on the standard error. Also `None` if nothing
/// is measured.
pub(crate) fn measure(processes: usize, entries: usize, length: usize) -> Option<Measured> {
    if !asked_for("--bench") {
        return None;
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/python/diskcache_workers.py");
    let dir = directory();
    let numbers = [processes, entries, length].map(|number| number.to_string());
    let run = Command::new("python3").arg(script).arg(dir.path()).args(numbers).stderr(Stdio::inherit()).output();
    let said = run.ok().filter(|run| run.status.success()).map(|run| String::from_utf8_lossy(&run.stdout).into_owned());
    let numbers = |what: &str| {
        let line = said.as_ref()?.lines().find_map(|line| line.strip_prefix(what))?;
        line.split_whitespace().map(|number| number.parse().ok()).collect::<Option<Vec<f64>>>()
    };
    let measured = (|| {
        let what = format!("`diskcache`, {processes} × {length} B among {entries}");
        let [store, hit] = [numbers("store ")?, numbers("hit ")?].map(|numbers| Times::from_numbers(&numbers));
        Some(Measured { what, store, hit, disk: numbers("disk ")?[0] })
    })();
    if measured.is_none() {
        eprintln!("`diskcache` could not be measured: {}", said.unwrap_or_default());
    }
    measured
}

impl Measured {
    pub(crate) fn print(&self, report: &Report) {
        let row = |what, times: Times| {
            let [mean, median, long, worst] = times.columns();
            [format!("{}, {what}", self.what), mean, median, long, worst]
        };
        report.table(["µs", "mean", "median", "99 %", "worst"], [row("store", self.store), row("hit", self.hit)]);
    }
}
