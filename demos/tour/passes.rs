//! Running the job, and measuring it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::progress;
use crate::signature::{COMPUTATIONS, Signature};
use crate::sources::Source;
use crate::wrappers::Wrapper;

/// The result of one pass.
#[derive(Debug)]
pub(crate) struct Pass<'a> {
    /// The files that could be read.
    pub(crate) signed: Vec<(&'a Source, Arc<Signature>)>,
    pub(crate) figures: Figures,
}

/// The measurements of a pass.
#[derive(Debug)]
pub(crate) struct Figures {
    pub(crate) wrapper: &'static str,
    pub(crate) number: usize,
    pub(crate) calls: usize,
    pub(crate) computations: usize,
    pub(crate) time: Duration,
}

impl Figures {
    /// Calls that did not run the function.
    pub(crate) fn hits(&self) -> usize {
        self.calls - self.computations
    }

    /// The time of a hit, if the pass had only hits.
    pub(crate) fn per_hit(&self) -> Option<Duration> {
        let calls = u32::try_from(self.calls).ok()?;
        if self.computations > 0 { None } else { self.time.checked_div(calls) }
    }
}

/// Reading the clock and moving the bar take longer than a hit. So both are done once for this many files.
const BATCH: usize = 64;

/// Signs all `sources` with `wrapper`. Unreadable files are reported and left out.
pub(crate) fn run_pass<'a>(wrapper: &Wrapper, number: usize, sources: &'a [Source]) -> Pass<'a> {
    let bar = progress::bar(format!("{}, pass {number}", wrapper.name), sources.len());
    let computations = COMPUTATIONS.load(Ordering::Relaxed);
    let mut signed = Vec::with_capacity(sources.len());
    let mut time = Duration::ZERO;
    let mut results = Vec::with_capacity(BATCH);
    for batch in sources.chunks(BATCH) {
        // The measured time contains only the calls, not the use of their results.
        let begun = Instant::now();
        results.extend(batch.iter().map(|source| (wrapper.sign)(source)));
        time += begun.elapsed();

        for (source, result) in batch.iter().zip(results.drain(..)) {
            match result {
                Ok(signature) => signed.push((source, signature)),
                Err(error) => progress::skipped(&bar, &format!("{}: {error}", source.path.display())),
            }
        }
        bar.inc(batch.len() as u64);
    }
    bar.finish_and_clear();
    let computations = COMPUTATIONS.load(Ordering::Relaxed) - computations;
    Pass { signed, figures: Figures { wrapper: wrapper.name, number, calls: sources.len(), computations, time } }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use twat_cache::Backend;

    use super::*;
    use crate::sources::Sources;
    use crate::wrappers::wrappers;

    // No other test may run `sign`, because its counter is global.
    #[test]
    fn a_file_is_computed_once_and_again_when_it_has_changed_and_an_unreadable_one_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
        write("a.rs", "fn a() { one(1) }");
        write("b.rs", "fn b() { two(2) }");
        write("gone.rs", "fn gone() {}");
        let found = Sources::find(Some(dir.path())).unwrap();
        fs::remove_file(dir.path().join("gone.rs")).unwrap();
        write("b.rs", "fn b() { three(2) }");
        let later = Sources::find(Some(dir.path())).unwrap();

        let cache = tempfile::tempdir().unwrap();
        for wrapper in wrappers(found.files.len(), Backend::Auto, Some(cache.path())) {
            let first = run_pass(&wrapper, 1, &found.files);
            assert_eq!((first.signed.len(), first.figures.computations, first.figures.hits()), (2, 3, 0));
            // An error is not cached.
            let second = run_pass(&wrapper, 2, &found.files);
            assert_eq!((second.signed.len(), second.figures.computations, second.figures.hits()), (2, 1, 2));
            assert!(second.figures.per_hit().is_none());
            // The size of `b.rs` has changed.
            let third = run_pass(&wrapper, 3, &later.files);
            assert_eq!((third.signed.len(), third.figures.computations, third.figures.hits()), (2, 1, 1));
            let fourth = run_pass(&wrapper, 4, &later.files);
            assert_eq!((fourth.figures.computations, fourth.figures.hits()), (0, 2));
            assert!(fourth.figures.per_hit().is_some());
        }
    }
}
