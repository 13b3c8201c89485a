//! Compares a hit through an attribute with one through a wrapper and, with the feature `peers`, with `#[cached]`.
//!
//! `cargo bench -p twat-cache-benches --bench decorators --features peers` prints tables of `BENCHMARKS.md`. With
//! `-- --check`, it fails if a bound does not hold.

use std::hint::black_box;
use std::process::ExitCode;

use twat_cache::{Call, mcache};
use twat_cache_benches::{Effort, Limit, Race, Report, in_threads, over, sample};

const WRAPPED: &str = "`mcache().wrap(…)`";
const DECORATED: &str = "**`#[mcache]`**";
const METHOD: &str = "**`#[mcache]`**, a method";
#[cfg(feature = "peers")]
const CACHED: &str = "`cached`, `#[cached]`";
/// Three quarters of the capacity, so that no key is evicted.
const KEYS: usize = 768;

fn answer(number: u64) -> u64 {
    number ^ 1
}

fn answer_pair(text: &str, number: u32) -> u64 {
    text.len() as u64 ^ u64::from(number)
}

#[mcache]
fn number(number: u64) -> u64 {
    answer(number)
}

#[mcache]
fn pair(text: &str, number: u32) -> u64 {
    answer_pair(text, number)
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Thing(u32);

impl Thing {
    #[mcache]
    fn number(&self, number: u64) -> u64 {
        answer(number) + u64::from(self.0)
    }
}

/// The same functions, as the documentation of `cached` writes them: it makes an owned text for each lookup.
#[cfg(feature = "peers")]
mod peers {
    use cached::macros::cached;

    #[cached]
    pub(super) fn number(number: u64) -> u64 {
        super::answer(number)
    }

    #[cached]
    pub(super) fn pair(text: &str, number: u32) -> u64 {
        super::answer_pair(text, number)
    }
}

fn main() -> ExitCode {
    let effort = Effort::from_args();
    let mut report = Report::new(effort);
    hits_by_number(&mut report, effort);
    hits_by_pair(&mut report, effort);
    hits_by_two_threads(&report, effort.with_turns(4));
    report.finish()
}

/// All lookups hit, because every key is called before the race.
fn hits_by_number(report: &mut Report, effort: Effort) {
    let keys = &sample::shuffled(sample::numbers(KEYS));
    let mut race = Race::new(keys.len());
    race.add(WRAPPED, || {
        let memo = mcache().wrap(|number: &u64| answer(*number));
        for key in keys {
            memo.call(key);
        }
        over(keys, move |key| _ = black_box(memo.call(key)))
    });
    race.add(DECORATED, || {
        for key in keys {
            number(*key);
        }
        over(keys, |key| _ = black_box(number(*key)))
    });
    race.add(METHOD, || {
        let thing = Thing(7);
        for key in keys {
            thing.number(*key);
        }
        over(keys, move |key| _ = black_box(thing.number(*key)))
    });
    #[cfg(feature = "peers")]
    race.add(CACHED, || {
        for key in keys {
            peers::number(*key);
        }
        over(keys, |key| _ = black_box(peers::number(*key)))
    });
    let outcome = race.run(effort);
    report.section("Attributes: hits, `fn(u64) -> u64`");
    report.race(&outcome);
    report.bound(
        "a hit of a decorated `fn(u64) -> u64`",
        outcome.ratio(DECORATED, WRAPPED).median,
        Limit::AtMost(1.15),
    );
}

fn hits_by_pair(report: &mut Report, effort: Effort) {
    let keys = &sample::numbers(KEYS).into_iter().map(|key| (sample::text(key, 24), 7_u32)).collect::<Vec<_>>();
    let mut race = Race::new(keys.len());
    race.add(WRAPPED, || {
        let memo = mcache().wrap(|Call((text, number)): &Call<(&str, &u32)>| answer_pair(text, **number));
        for (text, number) in keys {
            memo.call(&Call((text, number)));
        }
        over(keys, move |(text, number)| _ = black_box(memo.call(&Call((text, number)))))
    });
    race.add(DECORATED, || {
        for (text, number) in keys {
            pair(text, *number);
        }
        over(keys, |(text, number)| _ = black_box(pair(text, *number)))
    });
    #[cfg(feature = "peers")]
    race.add(CACHED, || {
        for (text, number) in keys {
            peers::pair(text, *number);
        }
        over(keys, |(text, number)| _ = black_box(peers::pair(text, *number)))
    });
    let outcome = race.run(effort);
    report.section("Attributes: hits, `fn(&str, u32) -> u64`");
    report.race(&outcome);
    #[cfg(feature = "peers")]
    {
        let what = "a hit of `#[cached] fn(&str, u32) -> u64`, against `#[mcache]`";
        report.bound(what, outcome.ratio(CACHED, DECORATED).median, Limit::AtLeast(3.0));
    }
}

/// Hits by one thread, and by two threads at the same time.
fn hits_by_two_threads(report: &Report, effort: Effort) {
    let keys = &sample::numbers(KEYS).into_iter().map(|key| (sample::text(key, 24), 7_u32)).collect::<Vec<_>>();
    let mut race = Race::new(keys.len());
    race.add(DECORATED, || {
        for (text, number) in keys {
            pair(text, *number);
        }
        in_threads(2, keys, |(text, number)| _ = black_box(pair(text, *number)))
    });
    #[cfg(feature = "peers")]
    race.add(CACHED, || {
        for (text, number) in keys {
            peers::pair(text, *number);
        }
        in_threads(2, keys, |(text, number)| _ = black_box(peers::pair(text, *number)))
    });
    let outcome = race.run(effort);
    report.section("Attributes: hits by two threads, `fn(&str, u32) -> u64`");
    report.race(&outcome);
}
