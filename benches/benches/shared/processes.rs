//! Several processes with one database.

use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use log::{LevelFilter, Log, Metadata, Record};
use twat_cache_benches::{Limit, Report, sample, usage};
use twat_cache_shared::Memo;

use crate::child::{Child, Task, Times, next_step, say};
use crate::{cache, directory, diskcache, insert};

const WORKERS: usize = 8;
const LENGTH: usize = 100;

/// Each of eight processes stores its share of the entries. Then each finds all of them.
pub(crate) fn workers(report: &mut Report, entries: usize) {
    let dir = directory();
    let mut children: Vec<_> =
        (0..WORKERS).map(|worker| Child::start("worker", dir.path(), &[worker as u64, entries as u64])).collect();
    let store = Times::of_all(&next_step(&mut children));
    let hits = next_step(&mut children);
    let computed: f64 = hits.iter().map(|hit| hit[4]).sum();
    let hit = Times::of_all(&hits);
    children.into_iter().for_each(Child::finish);
    let disk = usage::disk(dir.path());
    report.section(&format!("`scache`: {WORKERS} processes, {entries} entries of {LENGTH} B"));
    let row = |what: &str, times: Times| {
        let [mean, median, long, worst] = times.columns();
        [what.to_owned(), mean, median, long, worst]
    };
    let heads = ["µs", "mean", "median", "99 %", "worst"];
    report.table(heads, [row("**`scache`**, store", store), row("**`scache`**, hit", hit)]);
    report.bound("entries that a process has not found", computed, Limit::AtMost(0.0));
    if let Some(python) = diskcache::measure(WORKERS, entries, LENGTH) {
        python.print(report);
        let row = |who: &str, disk: f64| [who.to_owned(), format!("{:.0}", disk / float(entries as u64))];
        report
            .table(["disk, closed", "B an entry"], [row("**`scache`**", float(disk)), row("`diskcache`", python.disk)]);
        let what = |what| format!("`scache`, {what} by {WORKERS} processes, against `diskcache`");
        report.bound(what("store"), store.mean / python.store.mean, Limit::AtMost(0.70));
        report.bound(what("hit"), hit.mean / python.hit.mean, Limit::AtMost(0.70));
        report.bound(what("disk, closed"), float(disk) / python.disk, Limit::AtMost(1.00));
    }
}

/// The task of one of them.
pub(crate) fn worker(task: &Task) -> ExitCode {
    let [worker, entries] = task.numbers[..] else { panic!("a worker has two numbers") };
    let computed = AtomicU64::new(0);
    let memo = Memo::new(cache(&task.dir).open().expect("it is a directory of ours"), |key: &u64| {
        computed.fetch_add(1, Ordering::Relaxed);
        sample::text(*key, LENGTH)
    });
    let share: Vec<_> = (worker..entries)
        .step_by(WORKERS)
        .map(|place| (sample::scatter(place), sample::text(sample::scatter(place), LENGTH)))
        .collect();
    Task::wait();
    let store = Times::measure(share.len() as u64, |place| {
        let (key, value) = &share[index(place)];
        insert(memo.store(), *key, value);
    });
    say(&store.to_numbers());
    let keys = sample::shuffled((worker..worker + entries).map(|place| sample::scatter(place % entries)).collect());
    Task::wait();
    let hit = Times::measure(entries, |place| {
        let value = memo.call(&keys[index(place)]);
        assert_eq!(value.len(), LENGTH);
    });
    assert!(keys.iter().step_by(100).all(|key| memo.call(key) == sample::text(*key, LENGTH)), "right values");
    let [mean, median, long, worst] = hit.to_numbers();
    say(&[mean, median, long, worst, float(computed.load(Ordering::Relaxed))]);
    ExitCode::SUCCESS
}

/// Eight processes call with the same arguments, which nobody has stored.
pub(crate) fn all_together(report: &mut Report, entries: usize) {
    let dir = directory();
    let mut children: Vec<_> =
        (0..WORKERS).map(|worker| Child::start("together", dir.path(), &[worker as u64, entries as u64])).collect();
    let begin = Instant::now();
    let said = next_step(&mut children);
    let took = begin.elapsed();
    children.into_iter().for_each(Child::finish);
    let sum = |place: usize| said.iter().map(|numbers| numbers[place]).sum::<f64>();
    report.section(&format!("`scache`: {WORKERS} processes call with the same {entries} arguments"));
    let calls = (entries * WORKERS).to_string();
    let row = [calls, format!("{:.1}", took.as_secs_f64()), sum(0).to_string(), sum(1).to_string()];
    report.table(["calls", "s", "computations", "warnings"], [row]);
    let what = "computations of processes that call together, for each key";
    report.bound(what, sum(0) / float(entries as u64), Limit::AtMost(1.0));
    report.bound("warnings of processes that call together", sum(1), Limit::AtMost(0.0));
}

/// The task of one of them.
pub(crate) fn together(task: &Task) -> ExitCode {
    count_warnings();
    let entries = task.numbers[1];
    let computed = AtomicU64::new(0);
    let memo = cache(&task.dir).wrap(|key: &u64| {
        computed.fetch_add(1, Ordering::Relaxed);
        sample::text(*key, LENGTH)
    });
    Task::wait();
    for place in 0..entries {
        memo.call(&sample::scatter(place));
    }
    say(&[float(computed.load(Ordering::Relaxed)), float(WARNINGS.load(Ordering::Relaxed))]);
    ExitCode::SUCCESS
}

const SHORT: u64 = 60;
const AT_ONCE: usize = 6;
const KEYS: u64 = 5;
const WORK: Duration = Duration::from_millis(5);

/// Many short processes call a function of 5 ms, with the same five arguments or with five of their own.
pub(crate) fn short_lives(report: &mut Report) {
    let nowhere = Path::new("");
    let without = median_of(5, || run_short(nowhere, KEYS).0);
    let mut rows = vec![["no cache".to_owned(), millis(without), (SHORT * KEYS).to_string(), "0".to_owned()]];
    for (what, step) in [("**`scache`**, the same arguments", 0), ("**`scache`**, arguments of their own", KEYS)] {
        let mut counts = Vec::new();
        let time = median_of(5, || {
            let dir = directory();
            let (time, computed, warnings) = run_short(dir.path(), step);
            counts.push((computed, warnings));
            time
        });
        let keys = if step == 0 { KEYS } else { SHORT * KEYS };
        let (computed, warnings) = counts.iter().fold((0.0, 0.0), |(a, b), (c, d)| (f64::max(a, *c), b + d));
        rows.push([what.to_owned(), millis(time), computed.to_string(), warnings.to_string()]);
        let title = format!("{SHORT} short processes, {}", what.replace("**", ""));
        report.bound(format!("{title}: time"), time.as_secs_f64() / without.as_secs_f64(), Limit::AtMost(1.50));
        report.bound(format!("{title}: computations of a key"), computed / float(keys), Limit::AtMost(1.0));
        report.bound(format!("{title}: warnings"), warnings, Limit::AtMost(0.0));
    }
    report.section(&format!("`scache`: {SHORT} short processes, {AT_ONCE} at a time, of {KEYS} calls"));
    report.table(["", "ms", "computations", "warnings"], rows);
}

fn millis(time: Duration) -> String {
    format!("{:.0}", time.as_secs_f64() * 1e3)
}

fn median_of(rounds: usize, mut run: impl FnMut() -> Duration) -> Duration {
    let mut times: Vec<_> = (0..rounds).map(|_| run()).collect();
    times.sort_unstable();
    times[rounds / 2]
}

/// The time of all, and how often they have computed and warned.
fn run_short(dir: &Path, step: u64) -> (Duration, f64, f64) {
    let begin = Instant::now();
    let next = AtomicU64::new(0);
    let run = || {
        let mut sum = (0.0, 0.0);
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= SHORT {
                return sum;
            }
            let mut child = Child::start("short", dir, &[number * step]);
            let said = child.hear();
            child.finish();
            sum = (sum.0 + said[0], sum.1 + said[1]);
        }
    };
    let (computed, warnings) = std::thread::scope(|scope| {
        let threads = [(); AT_ONCE].map(|()| scope.spawn(run));
        threads
            .into_iter()
            .map(|thread| thread.join().expect("it does not panic"))
            .fold((0.0, 0.0), |a, b| (a.0 + b.0, a.1 + b.1))
    });
    (begin.elapsed(), computed, warnings)
}

/// The task of one of them.
pub(crate) fn short(task: &Task) -> ExitCode {
    count_warnings();
    let computed = AtomicU64::new(0);
    let work = |key: &u64| {
        computed.fetch_add(1, Ordering::Relaxed);
        sleep(WORK);
        sample::text(*key, LENGTH)
    };
    let keys = task.numbers[0]..task.numbers[0] + KEYS;
    if task.dir.as_os_str().is_empty() {
        keys.for_each(|key| drop(work(&key)));
    } else {
        let memo = cache(&task.dir).wrap(work);
        keys.for_each(|key| drop(memo.call(&key)));
    }
    say(&[float(computed.load(Ordering::Relaxed)), float(WARNINGS.load(Ordering::Relaxed))]);
    ExitCode::SUCCESS
}

static WARNINGS: AtomicU64 = AtomicU64::new(0);

struct Counter;

impl Log for Counter {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        WARNINGS.fetch_add(1, Ordering::Relaxed);
        eprintln!("{}", record.args());
    }

    fn flush(&self) {}
}

pub(crate) fn count_warnings() {
    log::set_logger(&Counter).expect("there is no other");
    log::set_max_level(LevelFilter::Warn);
}

pub(crate) fn warnings() -> u64 {
    WARNINGS.load(Ordering::Relaxed)
}

fn index(place: u64) -> usize {
    usize::try_from(place).expect("they are in memory")
}

pub(crate) fn float(count: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "below 2^52")]
    let float = count as f64;
    float
}
