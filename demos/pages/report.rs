//! The table of all steps.

use std::time::{Duration, Instant};
use std::{fmt, io};

use crate::page;
use crate::server::Server;

pub(crate) struct Report {
    /// How many pages were cached at the start.
    pub(crate) remembered: usize,
    pub(crate) steps: Vec<Step>,
    /// The error for a page that does not exist.
    pub(crate) error: Option<io::Error>,
}

pub(crate) struct Step {
    pub(crate) name: &'static str,
    pub(crate) requests: usize,
    pub(crate) hits: u64,
    pub(crate) misses: u64,
    pub(crate) computations: u64,
    /// Misses that got the result of another call's computation.
    pub(crate) waits: u64,
    pub(crate) time: Duration,
}

impl Report {
    pub(crate) fn new(remembered: usize) -> Self {
        Self { remembered, steps: Vec::new(), error: None }
    }

    /// Does the work and measures it.
    pub(crate) async fn step<T>(&mut self, name: &'static str, server: &Server, work: impl Future<Output = T>) -> T {
        let (requests, before, begun) = (server.requests(), page::memo().stats(), Instant::now());
        let result = work.await;
        let (time, after) = (begun.elapsed(), page::memo().stats());
        self.steps.push(Step {
            name,
            requests: server.requests() - requests,
            hits: after.hits - before.hits,
            misses: after.misses - before.misses,
            computations: after.computations - before.computations,
            waits: after.waits - before.waits,
            time,
        });
        result
    }
}

impl Step {
    /// The time of a hit, if the step had only hits. It includes the time of the tasks.
    fn per_hit(&self) -> Option<Duration> {
        let hits = u32::try_from(self.hits).ok()?;
        if self.misses > 0 { None } else { self.time.checked_div(hits) }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} pages remembered from before\n", self.remembered)?;
        line(f, ["step", "calls", "requests", "computations", "waits", "hits", "time", "per hit"])?;
        for step in &self.steps {
            let Step { name, requests, hits, misses, computations, waits, time } = step;
            let per_hit = step.per_hit().map_or_else(|| "-".to_owned(), human);
            let [calls, hits] = [hits + misses, *hits].map(|number| number.to_string());
            let [requests, computations, waits] = [*requests as u64, *computations, *waits].map(|n| n.to_string());
            line(f, [name, &calls, &requests, &computations, &waits, &hits, &human(*time), &per_hit])?;
        }
        if let Some(error) = &self.error {
            writeln!(f, "\nnot remembered: {error}")?;
        }
        Ok(())
    }
}

/// Formats a duration as `Debug` does, with one digit after the point, but no fractions of nanoseconds.
fn human(time: Duration) -> String {
    let digits = usize::from(time >= Duration::from_micros(1));
    format!("{time:.digits$?}")
}

fn line(f: &mut fmt::Formatter<'_>, columns: [&str; 8]) -> fmt::Result {
    let [step, calls, requests, computations, waits, hits, time, per_hit] = columns;
    writeln!(f, "{step:<8} {calls:>5} {requests:>8} {computations:>12} {waits:>5} {hits:>4} {time:>8} {per_hit:>8}")
}
