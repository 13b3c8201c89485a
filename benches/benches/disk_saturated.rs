//! Long runs at the byte limit. They check that the limit holds, disk and memory stay bounded, and writes do not hang.
//!
//! `cargo bench -p twat-cache-benches --bench disk_saturated -- --long` takes about four minutes. Without `--long`,
//! nothing is measured.

#[path = "disk/databases.rs"]
#[expect(dead_code, reason = "the bench `disk` uses all of it")]
mod databases;

use std::panic::resume_unwind;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use databases::directory;
use twat_cache_benches::{Effort, Latencies, Limit, Report, Until, asked_for, sample, usage};
use twat_cache_disk::bcache;

const MIB: u64 = 1 << 20;

/// The parameters of a run.
struct Job {
    threads: usize,
    length: usize,
    limit: u64,
    until: Until,
}

/// The highest disk use and the memory use during a run, seen from outside.
#[derive(Default)]
struct Seen {
    payload: u64,
    disk: u64,
    memory: Vec<u64>,
}

fn main() -> ExitCode {
    let effort = Effort::from_args();
    let mut report = Report::new(effort);
    if !effort.is_touch() && !asked_for("--long") {
        report
            .note("This takes minutes. `cargo bench -p twat-cache-benches --bench disk_saturated -- --long` does it.");
        return ExitCode::SUCCESS;
    }
    let calls = |calls| Until::Count(if effort.is_touch() { 1000 } else { calls });
    let time = |seconds| if effort.is_touch() { Until::Count(1000) } else { Until::Time(Duration::from_secs(seconds)) };
    let steady = Job { threads: 1, length: 1000, limit: 64 * MIB, until: calls(1_000_000) };
    let crowded = Job { threads: 4, length: 1000, limit: 64 * MIB, until: calls(1_000_000) };
    let large = Job { threads: 4, length: 10_000, limit: 512 * MIB, until: time(60) };
    let small = Job { threads: 4, length: 1000, limit: 512 * MIB, until: time(60) };
    for (job, bounded) in [(steady, true), (crowded, true), (large, false), (small, false)] {
        run(&mut report, &job, bounded);
    }
    report.finish()
}

fn run(report: &mut Report, job: &Job, bounded: bool) {
    let Job { threads, length, limit, until } = job;
    let dir = directory();
    let memo = bcache("bench").dir(dir.path()).max_bytes(*limit).wrap(|key: &u64| sample::text(*key, *length));
    memo.call(&0);
    // The key, the header, and the bytes that rkyv adds to a text of this length.
    let entry_bytes = 24 + 16 + 8 + *length as u64;
    let payload = || memo.len().map_or(0, |len| len as u64) * entry_bytes;
    let (calls, done) = (AtomicU64::new(0), AtomicBool::new(false));
    let watch = || {
        let (mut seen, mut watch) = (Seen::default(), Watch::new(&calls));
        for round in 0_u32.. {
            if done.load(Ordering::Acquire) {
                break;
            }
            seen.disk = seen.disk.max(usage::disk(dir.path()));
            seen.memory.push(usage::memory());
            // Counting all entries takes long, so most rounds do not.
            if round % 20 == 10 {
                seen.payload = seen.payload.max(payload());
            }
            watch.look();
            sleep(Duration::from_millis(100));
        }
        seen.payload = seen.payload.max(payload());
        seen
    };
    let (latencies, seen) = thread::scope(|scope| {
        let watching = scope.spawn(watch);
        let latencies = Latencies::measure(*threads, *until, |number| {
            memo.call(&sample::scatter(number + 1));
            calls.fetch_add(1, Ordering::Relaxed);
        });
        done.store(true, Ordering::Release);
        (latencies, watching.join().unwrap_or_else(|panic| resume_unwind(panic)))
    });
    let end = Instant::now();
    drop(memo);
    let closing = end.elapsed();

    let title = format!("{threads} × stores of {length} B, limit {} MiB", limit / MIB);
    report.section(&title);
    let [p50, p99, p999, worst] = latencies.columns();
    report.table(["µs, median", "99 %", "99.9 %", "worst"], [[p50, p99, p999, worst]]);
    let rates = (0..10).map(|tenth| format!("{:.0}", latencies.rate(tenth)));
    report.note(&format!("Stores in a second, by tenths: {}.", rates.collect::<Vec<_>>().join(", ")));
    let Seen { payload, disk, memory } = seen;
    let (early, late) = memory.split_at(memory.len() / 2);
    let [early, late] = [early, late].map(|half| half.iter().max().copied().unwrap_or(0));
    report.table(
        ["stores", "payload, of the limit", "disk, of the limit", "MiB of memory, 1st half", "2nd half", "s to close"],
        [[
            latencies.total().to_string(),
            format!("{:.2}", ratio(payload, *limit)),
            format!("{:.2}", ratio(disk, *limit)),
            (early / MIB).to_string(),
            (late / MIB).to_string(),
            format!("{:.2}", closing.as_secs_f64()),
        ]],
    );
    // At this point the run did not hang: otherwise the watch would have ended the process.
    report.bound(format!("{title}: payload, of the limit"), ratio(payload, *limit), Limit::AtMost(1.10));
    report.bound(
        format!("{title}: last tenth, against the first"),
        latencies.rate(9) / latencies.rate(0),
        Limit::AtLeast(0.50),
    );
    if bounded {
        report.bound(format!("{title}: disk, of the limit"), ratio(disk, *limit), Limit::AtMost(4.00));
        let what = format!("{title}: memory in the second half, against the first");
        report.bound(what, ratio(late, early), Limit::AtMost(1.25));
    }
}

fn ratio(of: u64, to: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "below 2^52")]
    let ratio = of as f64 / to as f64;
    ratio
}

/// Ends the process if no call returns for 20 s, because then writes hang.
struct Watch<'a> {
    calls: &'a AtomicU64,
    last: u64,
    since: Instant,
}

impl<'a> Watch<'a> {
    fn new(calls: &'a AtomicU64) -> Self {
        Self { calls, last: 0, since: Instant::now() }
    }

    fn look(&mut self) {
        let now = self.calls.load(Ordering::Relaxed);
        if now != self.last {
            (self.last, self.since) = (now, Instant::now());
        }
        if self.since.elapsed() > Duration::from_secs(20) {
            eprintln!("nothing was stored for 20 s: writes hang, after {now} calls");
            std::process::exit(2);
        }
    }
}
