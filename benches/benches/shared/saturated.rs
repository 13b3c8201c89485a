//! Long runs at the byte limit, by one process and by several.

use std::ffi::OsStr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use twat_cache_benches::{Effort, Latencies, Limit, Report, Until, asked_for, sample, usage};
use twat_cache_shared::{SharedBuilder, Store as _, scache};

use crate::child::{Child, Task, Times, next_step, say};
use crate::directory;
use crate::processes::{count_warnings, float, warnings};

const MIB: u64 = 1 << 20;
const LENGTH: usize = 1000;
/// What counts for an entry: its text, what rkyv adds to it, and what `scache` says that it counts.
const ENTRY: u64 = LENGTH as u64 + 8 + 64;

pub(crate) fn runs(report: &mut Report, effort: Effort) {
    let (stores, limit) = if asked_for("--long") { (1_000_000, 64 * MIB) } else { (200_000, 16 * MIB) };
    let stores = if effort.is_touch() { 1000 } else { stores };
    for processes in [1, 4] {
        run(report, processes, stores, limit);
    }
}

fn limited(dir: &Path, limit: u64) -> SharedBuilder {
    scache("bench").dir(dir).max_bytes(limit)
}

/// The largest sizes during a run, seen from outside.
#[derive(Default)]
struct Seen {
    payload: u64,
    disk: u64,
    log: u64,
}

fn run(report: &mut Report, processes: u64, stores: u64, limit: u64) {
    let dir = directory();
    let store = limited(dir.path(), limit).open::<String>().expect("it is a directory of ours");
    let payload = || float(store.len().expect("it is open") as u64 * ENTRY);
    let mut children: Vec<_> = (0..processes)
        .map(|process| Child::start("steady", dir.path(), &[process << 32, stores / processes, limit]))
        .collect();
    let done = AtomicBool::new(false);
    let watch = || {
        let mut seen = Seen::default();
        for round in 0_u32.. {
            seen.log = seen.log.max(log_length(dir.path()));
            if round % 10 == 0 {
                seen.disk = seen.disk.max(usage::disk(dir.path()));
            }
            // Counting all entries takes long, so most rounds do not.
            if round % 200 == 100 {
                seen.payload = seen.payload.max(store.len().expect("it is open") as u64 * ENTRY);
            }
            if done.load(Ordering::Acquire) {
                break;
            }
            sleep(Duration::from_millis(10));
        }
        seen
    };
    let begin = Instant::now();
    let (said, seen) = thread::scope(|scope| {
        let watching = scope.spawn(watch);
        let said = next_step(&mut children);
        done.store(true, Ordering::Release);
        (said, watching.join().expect("it does not panic"))
    });
    let took = begin.elapsed();
    children.into_iter().for_each(Child::finish);
    let payload = payload().max(float(seen.payload));
    let times = Times::of_all(&said);
    let sum = |place: usize| said.iter().map(|numbers| numbers[place]).sum::<f64>();

    let title =
        format!("`scache`: {processes} × {} stores of {LENGTH} B, limit {} MiB", stores / processes, limit / MIB);
    report.section(&title);
    let [mean, median, long, worst] = times.columns();
    report.table(
        ["µs, mean", "median", "99 %", "worst", "over 200 ms", "s in all", "warnings"],
        [[mean, median, long, worst, sum(15).to_string(), format!("{:.1}", took.as_secs_f64()), sum(14).to_string()]],
    );
    let rates: Vec<_> = (4..14).map(|tenth| format!("{:.0}", sum(tenth))).collect();
    report.note(&format!("Stores in a second, by tenths: {}.", rates.join(", ")));
    let of_limit = |bytes: f64| bytes / float(limit);
    report.table(
        ["payload, of the limit", "disk, of the limit", "longest log, MiB"],
        [[of_limit(payload), of_limit(float(seen.disk)), float(seen.log) / float(MIB)]
            .map(|ratio| format!("{ratio:.2}"))],
    );
    report.bound(format!("{title}: payload, of the limit"), of_limit(payload), Limit::AtMost(1.10));
    report.bound(format!("{title}: disk, of the limit"), of_limit(float(seen.disk)), Limit::AtMost(2.00));
    report.bound(format!("{title}: last tenth, against the first"), sum(13) / sum(4), Limit::AtLeast(0.70));
    report.bound(format!("{title}: log, MB"), float(seen.log) / 1e6, Limit::AtMost(64.0));
    report.bound(format!("{title}: warnings"), sum(14), Limit::AtMost(0.0));
}

/// The length of the longest log in a directory.
fn log_length(dir: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(dir) else { return 0 };
    let lengths = entries.flatten().map(|entry| {
        let path = entry.path();
        let is_log = path.extension() == Some(OsStr::new("db-wal"));
        match entry.metadata() {
            Ok(found) if found.is_dir() => log_length(&path),
            Ok(found) if is_log => found.len(),
            _ => 0,
        }
    });
    lengths.max().unwrap_or(0)
}

/// The task of a process.
pub(crate) fn steady(task: &Task) -> ExitCode {
    let [first, count, limit] = task.numbers[..] else { panic!("it has three numbers") };
    count_warnings();
    let memo = limited(&task.dir, limit).wrap(|key: &u64| sample::text(*key, LENGTH));
    memo.call(&first);
    Task::wait();
    let begin = Instant::now();
    let latencies =
        Latencies::measure(1, Until::Count(count), |number| _ = memo.call(&sample::scatter(first + number + 1)));
    let mut said = Times::of(&latencies, begin.elapsed()).to_numbers().to_vec();
    said.extend((0..10).map(|tenth| latencies.rate(tenth)));
    said.extend([float(warnings()), float(latencies.above(Duration::from_millis(200)))]);
    say(&said);
    ExitCode::SUCCESS
}
