//! Several processes need the same results at once. One of them computes each. If that one fails or ends, the others continue.
#![cfg(target_os = "linux")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use common::{LIMIT, signal, start};
use twat_cache_core::testing::child::{Child, Task};
use twat_cache_core::testing::{Counter, record_logs, text, until, volatile_dir, warnings, within};
use twat_cache_shared::{SharedBuilder, scache};

/// Less than the wait of a caller that knows no computation time.
const SOON: Duration = Duration::from_secs(8);

/// Beside the gates.
fn cache(dir: &Path) -> SharedBuilder {
    scache("cold").dir(dir.join("cache"))
}

/// The computation of a key goes on when this file is there.
fn gate(dir: &Path, key: u64) -> PathBuf {
    dir.join(key.to_string())
}

fn open_gate(dir: &Path, key: u64) {
    fs::write(gate(dir, key), "").unwrap();
}

/// Each has begun to ask for the key when this returns. Nothing tells from outside that a process waits: if it does not yet,
/// the test is only easier.
fn ask_all(children: &mut [Child], key: u64) {
    for child in &mut *children {
        child.tell(key);
    }
    for child in children {
        assert_eq!(child.hear().as_deref(), Some("asking"));
    }
}

/// How many results each has computed so far.
fn computed(children: &mut [Child]) -> Vec<u64> {
    children.iter_mut().map(Child::hear_number).collect()
}

fn finish_all(children: Vec<Child>) {
    for child in children {
        child.finish();
    }
}

/// Calls the keys that it is told, and reports the number of computations so far.
#[test]
fn child_that_calls() {
    let Some(mut task) = Task::given() else { return };
    let (computed, dir) = (Counter::new(), task.dir.clone());
    task.say("ready");
    let mut order = task.order();
    let memo = cache(&dir).wrap(|key: &u64| {
        computed.count();
        until("the computation may go on", || gate(&dir, *key).exists());
        text(*key, 100)
    });
    while let Some(key) = order.map(|key| key.parse().unwrap()) {
        task.say("asking");
        assert_eq!(memo.call(&key), text(key, 100));
        task.say(computed.get());
        order = task.order();
    }
}

/// The same, in three tasks at once.
#[test]
fn child_that_calls_async() {
    let Some(mut task) = Task::given() else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
    let (computed, dir) = (Counter::new(), task.dir.clone());
    task.say("ready");
    let mut order = task.order();
    let memo = cache(&dir).wrap_async(async |key: &u64| {
        computed.count();
        while !gate(&dir, *key).exists() {
            tokio::task::yield_now().await;
        }
        text(*key, 100)
    });
    while let Some(key) = order.map(|key| key.parse().unwrap()) {
        task.say("asking");
        runtime.block_on(async {
            let (one, other, third) = tokio::join!(memo.call_async(&key), memo.call_async(&key), memo.call_async(&key));
            assert!([one, other, third].iter().all(|value| *value == text(key, 100)), "another key's value");
        });
        task.say(computed.get());
        order = task.order();
    }
}

/// For the first key, all processes also make the database at once.
fn compute_once(test: &'static str, processes: usize) {
    let dir = volatile_dir();
    within(LIMIT, move || {
        let mut children: Vec<_> = (0..processes).map(|_| start(test, dir.path())).collect();
        for key in 0..4 {
            ask_all(&mut children, key);
            open_gate(dir.path(), key);
            let computed = computed(&mut children);
            assert_eq!(computed.iter().sum::<u64>(), key + 1, "computations of each: {computed:?}");
        }
        finish_all(children);
    });
}

#[test]
fn two_processes_compute_a_cold_key_once() {
    compute_once("child_that_calls", 2);
}

#[test]
fn sixteen_processes_compute_a_cold_key_once() {
    compute_once("child_that_calls", 16);
}

#[test]
fn eight_processes_of_three_tasks_compute_a_cold_key_once() {
    compute_once("child_that_calls_async", 8);
}

/// Calls as many keys as it is told to, in two threads, and reports the number of computations.
#[test]
fn child_that_calls_many() {
    let Some(mut task) = Task::given() else { return };
    record_logs();
    let computed = Counter::new();
    let memo = cache(&task.dir).wrap(|key: &u64| {
        computed.count();
        text(*key, 100)
    });
    task.say("ready");
    let keys: u64 = task.order().unwrap().parse().unwrap();
    thread::scope(|scope| {
        for first in [0, keys / 2] {
            let memo = &memo;
            scope.spawn(move || (0..keys).for_each(|key| drop(memo.call(&((key + first) % keys)))));
        }
    });
    task.say(computed.get());
    assert!(warnings(&task.dir).is_empty(), "{:#?}", warnings(&task.dir));
}

fn compute_as_many_as_keys(dir: &Path, processes: usize) {
    const KEYS: u64 = 1000;
    let mut children: Vec<_> = (0..processes).map(|_| start("child_that_calls_many", dir)).collect();
    for child in &mut children {
        child.tell(KEYS);
    }
    let computed = computed(&mut children);
    finish_all(children);
    assert_eq!(computed.iter().sum::<u64>(), KEYS, "computations of each: {computed:?}");
}

#[test]
fn eight_processes_compute_each_of_a_thousand_keys_once() {
    let dir = volatile_dir();
    within(LIMIT, move || compute_as_many_as_keys(dir.path(), 8));
}

#[test]
fn sixteen_processes_on_a_disk_compute_each_of_a_thousand_keys_once() {
    let dir = tempfile::tempdir().unwrap();
    within(LIMIT, move || compute_as_many_as_keys(dir.path(), 16));
}

/// Reports that it computes, and continues when it is told to.
#[test]
fn child_that_computes_until_it_is_told() {
    let Some(mut task) = Task::given() else { return };
    task.say("ready");
    let key: u64 = task.order().unwrap().parse().unwrap();
    let dir = task.dir.clone();
    let task = Mutex::new(task);
    let memo = cache(&dir).wrap(|key: &u64| {
        let mut task = task.lock().unwrap();
        task.say(std::process::id());
        task.order();
        text(*key, 100)
    });
    assert_eq!(memo.call(&key), text(key, 100));
    task.lock().unwrap().say("done");
}

/// A process that computes this key, and its process id.
fn leader(dir: &Path, key: u64) -> (Child, u64) {
    let mut leader = start("child_that_computes_until_it_is_told", dir);
    leader.tell(key);
    let id = leader.hear_number();
    (leader, id)
}

/// Processes that need the same key, and may compute it.
fn followers(dir: &Path, key: u64) -> Vec<Child> {
    let tests = ["child_that_calls", "child_that_calls_async", "child_that_calls"];
    let mut followers: Vec<_> = tests.iter().map(|test| start(test, dir)).collect();
    ask_all(&mut followers, key);
    open_gate(dir, key);
    followers
}

#[test]
fn when_the_leading_process_is_killed_another_takes_over_at_once() {
    let dir = volatile_dir();
    within(LIMIT, move || {
        for key in 0..4 {
            let (leader, _) = leader(dir.path(), key);
            let mut followers = followers(dir.path(), key);
            leader.kill();
            let killed = Instant::now();
            let computed = computed(&mut followers);
            assert!(killed.elapsed() < SOON, "only after {:?}", killed.elapsed());
            assert_eq!(computed.iter().sum::<u64>(), 1, "computations of each: {computed:?}");
        }
    });
}

#[test]
fn when_the_leading_process_is_stopped_the_others_go_on() {
    let dir = volatile_dir();
    within(LIMIT, move || {
        for key in 0..2 {
            let (mut leader, id) = leader(dir.path(), key);
            let mut followers = followers(dir.path(), key);
            signal("STOP", id);
            let stopped = Instant::now();
            let computed = computed(&mut followers);
            assert!(stopped.elapsed() < SOON, "only after {:?}", stopped.elapsed());
            assert!(computed.iter().sum::<u64>() >= 1, "computations of each: {computed:?}");
            // It does not block later calls either, or calls of another key.
            for key in [key, key + 10] {
                open_gate(dir.path(), key);
                let begun = Instant::now();
                ask_all(&mut followers[..1], key);
                followers[0].hear_number();
                assert!(begun.elapsed() < Duration::from_secs(2), "only after {:?}", begun.elapsed());
            }
            signal("CONT", id);
            leader.tell("go on");
            assert_eq!(leader.finish(), ["done"]);
            finish_all(followers);
        }
    });
}

#[test]
fn a_process_that_takes_long_is_waited_for() {
    let dir = volatile_dir();
    within(LIMIT, move || {
        let (mut leader, _) = leader(dir.path(), 2);
        let mut followers = followers(dir.path(), 2);
        // This test needs a time longer than the wait for a stopped process.
        thread::sleep(Duration::from_millis(1500));
        leader.tell("go on");
        assert_eq!(leader.hear().as_deref(), Some("done"));
        assert_eq!(computed(&mut followers), [0; 3]);
    });
}

#[test]
fn processes_on_different_keys_do_not_block_each_other() {
    let dir = volatile_dir();
    within(LIMIT, move || {
        let leaders: Vec<_> = (0..3).map(|key| leader(dir.path(), key).0).collect();
        let mut other = start("child_that_calls", dir.path());
        let mut ask = |key| {
            open_gate(dir.path(), key);
            ask_all(std::slice::from_mut(&mut other), key);
            other.hear_number()
        };
        for key in 3..6 {
            let begun = Instant::now();
            assert_eq!(ask(key), key - 2);
            assert!(begun.elapsed() < SOON, "only after {:?}", begun.elapsed());
        }
        for mut leader in leaders {
            leader.tell("go on");
            assert_eq!(leader.finish(), ["done"]);
        }
        // And what they have computed is there for all.
        (0..3).for_each(|key| assert_eq!(ask(key), 3));
    });
}
