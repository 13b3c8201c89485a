//! The server is stopped, or a result is not there yet.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant, UNIX_EPOCH};

use twat_cache_benches::{Limit, Report};

use crate::child::{Child, Task, next_step, say};
use crate::server::{Server, cache};

/// The first call waits for its time, and the others do not.
pub(crate) fn stopped(report: &mut Report, server: &Server) {
    let memo = cache(server.port).wrap(|key: &u64| *key);
    (0..100).for_each(|key| _ = memo.call(&key));
    server.signal("-STOP");
    let time = |key| {
        let start = Instant::now();
        memo.call(&key);
        start.elapsed().as_secs_f64()
    };
    let first = time(1) * 1e3;
    (0..100).for_each(|key| _ = memo.call(&key));
    let mut others: Vec<_> = (0..10_000).map(|n| time(n % 100) * 1e6).collect();
    others.sort_by(f64::total_cmp);
    server.signal("-CONT");
    while memo.store().is_away() {
        thread::sleep(Duration::from_millis(10));
    }
    report.bound("server stopped: the first call, in ms", first, Limit::AtMost(100.0));
    report.bound("server stopped: the median of later calls, in µs", others[others.len() / 2], Limit::AtMost(5.0));
}

/// A timer of 1 ms, beside 64 tasks on two threads that wait for a stopped server.
pub(crate) fn timers(report: &mut Report, server: &Server) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build();
    let runtime = runtime.expect("there are threads");
    let memo = Arc::new(cache(server.port).wrap_async(async |key: &u64| *key));
    runtime.block_on(memo.call_async(&0));
    let latest = |with_calls: bool| {
        let calls: Vec<_> = (0..if with_calls { 64 } else { 0 })
            .map(|key| {
                let memo = memo.clone();
                runtime.spawn(async move { memo.call_async(&key).await })
            })
            .collect();
        let timer = runtime.spawn(async {
            let mut latest = Duration::ZERO;
            for _ in 0..40 {
                let start = Instant::now();
                tokio::time::sleep(Duration::from_millis(1)).await;
                latest = latest.max(start.elapsed().saturating_sub(Duration::from_millis(1)));
            }
            latest
        });
        let latest = runtime.block_on(timer).expect("it does not panic");
        for call in calls {
            runtime.block_on(call).expect("it does not panic");
        }
        latest.as_secs_f64() * 1e3
    };
    let alone = latest(false);
    server.signal("-STOP");
    let beside = latest(true);
    server.signal("-CONT");
    while memo.store().is_away() {
        thread::sleep(Duration::from_millis(10));
    }
    report.note(&format!("Without the calls, the timer is late by {alone:.1} ms at most."));
    report.bound("server stopped, 64 tasks: lateness of a timer, in ms", beside, Limit::AtMost(5.0));
}

const PROCESSES: usize = 8;
const THREADS: usize = 4;

/// Several processes want the same result at once.
pub(crate) fn cold(report: &mut Report, server: &Server) {
    let start = |_| Child::start("cold", ".".as_ref(), &[u64::from(server.port)]);
    let mut children: Vec<_> = (0..PROCESSES).map(start).collect();
    let said = next_step(&mut children);
    children.into_iter().for_each(Child::finish);
    let computed: f64 = said.iter().map(|numbers| numbers[0]).sum();
    let first = said.iter().map(|numbers| numbers[1]).fold(f64::MAX, f64::min);
    let last = said.iter().map(|numbers| numbers[2]).fold(0.0, f64::max);
    report.bound(format!("{PROCESSES} × {THREADS} threads, a cold key: computations"), computed, Limit::AtMost(1.0));
    report.bound("a cold key: from the first to the last that has it, in ms", last - first, Limit::AtMost(50.0));
}

/// The task of one of them.
pub(crate) fn one_of_many(task: &Task) -> ExitCode {
    let computed = AtomicU64::new(0);
    let port = task.numbers[0].try_into().expect("it is a port");
    let memo = cache(port).timeout(Duration::from_secs(5)).wrap(|key: &u64| {
        computed.fetch_add(1, Ordering::Relaxed);
        thread::sleep(Duration::from_millis(200));
        *key
    });
    memo.peek(&(1 << 40)).expect("the server runs");
    Task::wait();
    let mut ends: Vec<f64> = thread::scope(|scope| {
        let call = || {
            memo.call(&(1 << 41));
            UNIX_EPOCH.elapsed().unwrap_or_default().as_secs_f64() * 1e3
        };
        let calls: Vec<_> = (0..THREADS).map(|_| scope.spawn(call)).collect();
        calls.into_iter().map(|call| call.join().expect("it does not panic")).collect()
    });
    ends.sort_by(f64::total_cmp);
    #[expect(clippy::cast_precision_loss, reason = "it is small")]
    say(&[computed.load(Ordering::Relaxed) as f64, ends[0], ends[THREADS - 1]]);
    ExitCode::SUCCESS
}
