//! Compares `ucache` with the caches that it consists of.
//!
//! `cargo bench -p twat-cache-benches --bench ucache` prints tables of `BENCHMARKS.md`. With `-- --check`, it fails if
//! a bound does not hold.

use std::hint::black_box;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use twat_cache::unified::UnifiedStore;
use twat_cache::{Backend, Call, Memo, bcache, fcache, mcache, ucache};
use twat_cache_benches::{Effort, Limit, Race, Report, Turn, in_threads, over, sample};

const MCACHE: &str = "`mcache`";
const BACKENDS: [(Backend, &str); 4] = [
    (Backend::Memory, "**`ucache`**, memory alone"),
    (Backend::Disk, "**`ucache`**, in front of a database"),
    (Backend::File, "**`ucache`**, in front of files"),
    (Backend::Shared, "**`ucache`**, in front of a shared database"),
];
/// Three quarters of the capacity in memory, so that no key is evicted.
const KEYS: usize = 768;

fn main() -> ExitCode {
    let effort = Effort::from_args();
    let mut report = Report::new(effort);
    let hits = if effort.is_touch() { effort } else { Effort { setups: 5, ..effort } };
    hits_by_number(&mut report, hits);
    hits_by_pair(&mut report, hits);
    hits_by_two_threads(&mut report, hits.with_turns(4));
    let misses = if effort.is_touch() { effort } else { Effort { setups: 3, rounds: 101, ..effort.with_turns(4) } };
    misses_of_everything(&mut report, misses, 100);
    misses_of_everything(&mut report, misses, 10_000);
    report.finish()
}

fn directory() -> TempDir {
    tempfile::tempdir().expect("there is room")
}

fn answer(number: u64) -> u64 {
    number ^ 1
}

type Numbers = Memo<UnifiedStore<u64, u64>, fn(&u64) -> u64>;

fn numbers(dir: &TempDir, backend: Backend, keys: &[u64]) -> Numbers {
    let memo = ucache("numbers").dir(dir.path()).backend(backend).wrap((|number| answer(*number)) as fn(&u64) -> u64);
    for key in keys {
        memo.call(key);
    }
    assert_eq!(memo.store().backend(), backend, "or it would not be what is measured");
    memo
}

fn hits_by_number(report: &mut Report, effort: Effort) {
    let dirs = BACKENDS.map(|_| directory());
    let keys = &sample::shuffled(sample::numbers(KEYS));
    let mut race = Race::new(keys.len());
    race.add(MCACHE, || {
        let memo = mcache().wrap(|number: &u64| answer(*number));
        for key in keys {
            memo.call(key);
        }
        over(keys, move |key| _ = black_box(memo.call(key)))
    });
    for ((backend, name), dir) in BACKENDS.into_iter().zip(&dirs) {
        race.add(name, move || {
            let memo = numbers(dir, backend, keys);
            over(keys, move |key| _ = black_box(memo.call(key)))
        });
    }
    let outcome = race.run(effort);
    report.section("`ucache`: hits in memory, `u64`");
    report.race(&outcome);
    for (_, name) in BACKENDS {
        let what = format!("a hit of {}", name.replace("**", ""));
        report.bound(what, outcome.ratio(name, MCACHE).median, Limit::AtMost(1.10));
    }
}

fn hits_by_pair(report: &mut Report, effort: Effort) {
    let dirs = BACKENDS.map(|_| directory());
    let keys = &sample::numbers(KEYS).into_iter().map(|key| (sample::text(key, 24), 7_u32)).collect::<Vec<_>>();
    let mut race = Race::new(keys.len());
    race.add(MCACHE, || {
        let memo = mcache().wrap(|Call((text, number)): &Call<(&str, &u32)>| text.len() as u64 + u64::from(**number));
        for (text, number) in keys {
            memo.call(&Call((text, number)));
        }
        over(keys, move |(text, number)| _ = black_box(memo.call(&Call((text, number)))))
    });
    for ((backend, name), dir) in BACKENDS.into_iter().zip(&dirs) {
        race.add(name, move || {
            let memo = ucache("pairs").dir(dir.path()).backend(backend);
            let memo = memo.wrap(|Call((text, number)): &Call<(&str, &u32)>| text.len() as u64 + u64::from(**number));
            for (text, number) in keys {
                memo.call(&Call((text, number)));
            }
            over(keys, move |(text, number)| _ = black_box(memo.call(&Call((text, number)))))
        });
    }
    let outcome = race.run(effort);
    report.section("`ucache`: hits in memory, `(&str, &u32)`");
    report.race(&outcome);
    for (_, name) in BACKENDS {
        let what = format!("a hit of {} by text and number", name.replace("**", ""));
        report.bound(what, outcome.ratio(name, MCACHE).median, Limit::AtMost(1.10));
    }
}

fn hits_by_two_threads(report: &mut Report, effort: Effort) {
    let dir = directory();
    let keys = &sample::shuffled(sample::numbers(KEYS));
    let mut race = Race::new(keys.len());
    race.add(MCACHE, || {
        let memo = mcache().wrap(|number: &u64| answer(*number));
        for key in keys {
            memo.call(key);
        }
        in_threads(2, keys, move |key| _ = black_box(memo.call(key)))
    });
    race.add(BACKENDS[1].1, || {
        let memo = numbers(&dir, Backend::Disk, keys);
        in_threads(2, keys, move |key| _ = black_box(memo.call(key)))
    });
    let outcome = race.run(effort);
    report.section("`ucache`: hits in memory by two threads, `u64`");
    report.race(&outcome);
    let ratio = outcome.ratio(BACKENDS[1].1, MCACHE).median;
    report.bound("a hit of `ucache` by two threads", ratio, Limit::AtMost(1.30));
}

/// Calls with new arguments: each looks into every tier and stores in every tier.
fn misses_of_everything(report: &mut Report, effort: Effort, size: usize) {
    let dirs: [TempDir; 4] = std::array::from_fn(|_| directory());
    let [database, files, in_front_of_database, in_front_of_files] = dirs.each_ref().map(TempDir::path);
    let value = move |key: &u64| sample::text(*key, size);
    let mut race = Race::new(20);
    let sums = [DATABASE_SUM, FILES_SUM];
    race.add(sums[0], || {
        let (one, other) = (mcache().wrap(value), bcache("bench").dir(database).wrap(value));
        over_new(move |key| (one.call(&key), other.call(&key)))
    });
    race.add(BACKENDS[1].1, || {
        let memo = ucache("bench").dir(in_front_of_database).backend(Backend::Disk).wrap(value);
        over_new(move |key| memo.call(&key))
    });
    race.add(sums[1], || {
        let (one, other) = (mcache().wrap(value), fcache("bench").dir(files).wrap(value));
        over_new(move |key| (one.call(&key), other.call(&key)))
    });
    race.add(BACKENDS[2].1, || {
        let memo = ucache("bench").dir(in_front_of_files).backend(Backend::File).wrap(value);
        over_new(move |key| memo.call(&key))
    });
    let outcome = race.run(effort);
    report.section(&format!("`ucache`: misses of everything, values of {size} B"));
    report.race(&outcome);
    for ((_, name), sum) in BACKENDS[1..3].iter().zip(sums) {
        let what = format!("a miss of {}, {size} B, against the sum of its parts", name.replace("**", ""));
        report.bound(what, outcome.ratio(name, sum).median, Limit::AtMost(1.10));
    }
}

const DATABASE_SUM: &str = "a miss of `mcache`, and one of `bcache`";
const FILES_SUM: &str = "a miss of `mcache`, and one of `fcache`";

/// A turn in which each lap calls with twenty new numbers.
fn over_new<'a, T>(mut visit: impl FnMut(u64) -> T + 'a) -> Turn<'a> {
    let mut last = 1 << 32;
    Box::new(move |laps| {
        let mut time = Duration::ZERO;
        for _ in 0..laps {
            let keys: Vec<_> = (last..).map(sample::scatter).take(20).collect();
            last += 20;
            let start = Instant::now();
            for key in keys {
                black_box(visit(key));
            }
            time += start.elapsed();
        }
        time
    })
}
