//! Several processes need the same results at once. One of them computes each. If that one fails or ends, the others continue.
#![cfg(unix)]

mod common;

use std::path::Path;
use std::time::{Duration, Instant, UNIX_EPOCH};

use common::{LIMIT, LONG};
use twat_cache_core::testing::child::{Child, Task};
use twat_cache_core::testing::{Counter, text, until, volatile_dir, within};
use twat_cache_remote::rcache;

/// Less than the wait of a caller that knows no computation time.
const SOON: Duration = Duration::from_secs(8);

fn gate(dir: &Path, key: u64) -> std::path::PathBuf {
    dir.join(key.to_string())
}

/// Calls the keys that it is told, and reports the number of computations so far. A computation goes on when there is a file of
/// that name.
#[test]
fn child_that_calls() {
    let Some(task) = Task::given() else { return };
    let (computed, dir) = (Counter::new(), task.dir.clone());
    let memo = rcache("cold").server(task.value("URL")).timeout(LONG).wrap(|key: &u64| {
        computed.count();
        task.say("computing");
        until("the computation may go on", || gate(&dir, *key).exists());
        text(*key, 100)
    });
    let keys: Vec<u64> = task.value("KEYS").split(' ').map(|key| key.parse().unwrap()).collect();
    for key in keys {
        assert_eq!(memo.call(&key), text(key, 100));
    }
    task.say(format_args!("computed {}", computed.get()));
}

/// The same, in three tasks for each key.
#[test]
fn child_that_calls_async() {
    let Some(task) = Task::given() else { return };
    let (computed, dir) = (Counter::new(), task.dir.clone());
    let memo = rcache("cold").server(task.value("URL")).timeout(LONG).wrap_async(async |key: &u64| {
        computed.count();
        task.say("computing");
        while !gate(&dir, *key).exists() {
            futures_lite::future::yield_now().await;
        }
        text(*key, 100)
    });
    let keys: Vec<u64> = task.value("KEYS").split(' ').map(|key| key.parse().unwrap()).collect();
    for key in keys {
        let calls = (0..3).map(|_| Box::pin(memo.call_async(&key)));
        let results = twat_cache_core::testing::block_on(twat_cache_core::testing::join_all(calls));
        assert!(results.iter().all(|result| *result == text(key, 100)));
    }
    task.say(format_args!("computed {}", computed.get()));
}

/// Calls one key in four threads when it may. Reports when the first and the last had it, in milliseconds.
#[test]
fn child_of_four_threads() {
    let Some(task) = Task::given() else { return };
    let computed = Counter::new();
    let memo = rcache("cold").server(task.value("URL")).timeout(LONG).wrap(|key: &u64| {
        computed.count();
        std::thread::sleep(Duration::from_millis(100));
        text(*key, 100)
    });
    task.say("ready");
    until("it may begin", || gate(&task.dir, 0).exists());
    let mut ends: Vec<_> = std::thread::scope(|scope| {
        let calls: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    assert_eq!(memo.call(&1), text(1, 100));
                    UNIX_EPOCH.elapsed().unwrap().as_millis()
                })
            })
            .collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    ends.sort_unstable();
    task.say(format_args!("{} {} {}", computed.get(), ends[0], ends[3]));
}

#[test]
fn eight_processes_of_four_threads_compute_a_cold_key_once_and_all_have_it_soon() {
    let Some(server) = server!() else { return };
    let dir = volatile_dir();
    within(LIMIT, move || {
        let url = server.url();
        let start = |_| Child::with("child_of_four_threads", dir.path(), [("URL", &url)]);
        let mut children: Vec<_> = (0..8).map(start).collect();
        for child in &mut children {
            assert_eq!(child.hear().as_deref(), Some("ready"));
        }
        std::fs::write(gate(dir.path(), 0), "").unwrap();
        let reports = children.into_iter().map(|child| child.finish().pop().expect("the child has failed"));
        let numbers = |report: String| -> [u128; 3] {
            let numbers: Vec<_> = report.split(' ').map(|number| number.parse().unwrap()).collect();
            numbers.try_into().unwrap()
        };
        let reports: Vec<_> = reports.map(numbers).collect();
        assert_eq!(reports.iter().map(|[computed, ..]| computed).sum::<u128>(), 1, "{reports:?}");
        let first = reports.iter().map(|[_, first, _]| first).min().unwrap();
        let last = reports.iter().map(|[_, _, last]| last).max().unwrap();
        assert!(last - first < SOON.as_millis(), "{reports:?}");
    });
}

fn start(test: &str, dir: &Path, url: &str, keys: &str) -> Child {
    Child::with(test, dir, [("URL", &url), ("KEYS", &keys)])
}

/// How many results a child has computed.
fn computed(child: Child) -> u64 {
    let said = child.finish();
    said.last().and_then(|line| line.strip_prefix("computed ")).expect("the child has failed").parse().unwrap()
}

#[test]
fn four_processes_compute_each_cold_key_once() {
    let Some(server) = server!() else { return };
    let dir = volatile_dir();
    within(LIMIT, move || {
        (0..10).for_each(|key| std::fs::write(gate(dir.path(), key), "").unwrap());
        let tests = ["child_that_calls", "child_that_calls_async"];
        let children: Vec<_> =
            (0..4).map(|n| start(tests[n % 2], dir.path(), &server.url(), "0 1 2 3 4 5 6 7 8 9")).collect();
        let computed: Vec<_> = children.into_iter().map(computed).collect();
        assert_eq!(computed.iter().sum::<u64>(), 10, "computations of each: {computed:?}");
    });
}

#[test]
fn processes_wait_for_the_one_that_computes() {
    let Some(server) = server!() else { return };
    let dir = volatile_dir();
    within(LIMIT, move || {
        let mut leader = start("child_that_calls", dir.path(), &server.url(), "1");
        assert_eq!(leader.hear().as_deref(), Some("computing"));
        let followers: Vec<_> = ["child_that_calls", "child_that_calls_async"]
            .map(|test| start(test, dir.path(), &server.url(), "1"))
            .into();
        // Longer than a lease that is not renewed.
        std::thread::sleep(Duration::from_millis(2500));
        std::fs::write(gate(dir.path(), 1), "").unwrap();
        assert_eq!(computed(leader), 1);
        assert_eq!(followers.into_iter().map(computed).collect::<Vec<_>>(), [0, 0]);
    });
}

#[test]
fn when_the_process_that_computes_is_killed_another_one_goes_on() {
    let Some(server) = server!() else { return };
    let dir = volatile_dir();
    within(LIMIT, move || {
        let mut leader = start("child_that_calls", dir.path(), &server.url(), "1");
        assert_eq!(leader.hear().as_deref(), Some("computing"));
        let followers: Vec<_> = (0..2).map(|_| start("child_that_calls", dir.path(), &server.url(), "1")).collect();
        std::fs::write(gate(dir.path(), 1), "").unwrap();
        leader.kill();
        let killed = Instant::now();
        let computed: Vec<_> = followers.into_iter().map(computed).collect();
        assert!(killed.elapsed() < SOON, "only after {:?}", killed.elapsed());
        assert_eq!(computed.iter().sum::<u64>(), 1, "computations of each: {computed:?}");
    });
}
