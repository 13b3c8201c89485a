//! Several processes need the same result at once. One of them computes it. If that one fails or ends, the others
//! continue.
#![cfg(unix)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Barrier, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use common::text_of;
use rkyv::rancor::Fallible;
use rkyv::with::{ArchiveWith, DeserializeWith, SerializeWith};
use rkyv::{Archive, Archived, Place};
use twat_cache_core::testing::child::{Child, Task};
use twat_cache_core::testing::damage::Act;
use twat_cache_core::testing::obstacles::{DIRECTORY, LINK_TO_ITSELF, LINK_TO_NOTHING, PIPE, put};
use twat_cache_core::testing::system::run;
use twat_cache_core::testing::{Counter, is_text_of, until, volatile_dir, within};
use twat_cache_file::{CacheValue, FileBuilder, fcache};

/// No test here may take longer.
const LIMIT: Duration = Duration::from_secs(60);
/// Less than the wait of a caller that knows no computation time.
const SOON: Duration = Duration::from_secs(8);

/// Beside the gates.
fn cache(dir: &Path) -> FileBuilder {
    fcache("cold").dir(dir.join("cache"))
}

/// The computation of a key goes on when this file is there.
fn gate(dir: &Path, key: u64) -> PathBuf {
    dir.join(key.to_string())
}

fn open_gate(dir: &Path, key: u64) {
    fs::write(gate(dir, key), "").unwrap();
}

/// Starts a test of this name as another process, which is ready when this returns.
fn start(test: &str, dir: &Path) -> Child {
    let mut child = Child::start(test, dir);
    assert_eq!(child.hear().as_deref(), Some("ready"));
    child
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

/// Calls and views the keys that it is told, and reports the number of computations so far.
#[test]
fn child_that_calls() {
    let Some(mut task) = Task::given() else { return };
    let (computed, dir) = (Counter::new(), task.dir.clone());
    task.say("ready");
    let mut order = task.order();
    let memo = cache(&dir).wrap(|key: &u64| {
        computed.count();
        until("the computation may go on", || gate(&dir, *key).exists());
        text_of(*key)
    });
    while let Some(key) = order.map(|key| key.parse().unwrap()) {
        task.say("asking");
        if std::process::id().is_multiple_of(2) {
            assert!(is_text_of(&memo.call(&key), key), "another key's value");
        }
        assert!(is_text_of(&memo.view(&key), key), "another key's value");
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
        text_of(*key)
    });
    while let Some(key) = order.map(|key| key.parse().unwrap()) {
        task.say("asking");
        runtime.block_on(async {
            let (one, other, view) = tokio::join!(memo.call_async(&key), memo.call_async(&key), memo.view_async(&key));
            assert!([&*one, &*other, &*view].iter().all(|text| is_text_of(text, key)), "another key's value");
        });
        task.say(computed.get());
        order = task.order();
    }
}

/// For the first key, all processes also make the directory at once.
fn eight_compute_once(test: &'static str) {
    let dir = tempfile::tempdir().unwrap();
    within(LIMIT, move || {
        let mut children: Vec<_> = (0..8).map(|_| start(test, dir.path())).collect();
        for key in 0..8 {
            ask_all(&mut children, key);
            open_gate(dir.path(), key);
            let computed = computed(&mut children);
            assert_eq!(computed.iter().sum::<u64>(), key + 1, "computations of each: {computed:?}");
        }
        finish_all(children);
    });
}

#[test]
fn eight_processes_compute_a_cold_key_once() {
    eight_compute_once("child_that_calls");
}

#[test]
fn eight_processes_of_three_tasks_compute_a_cold_key_once() {
    eight_compute_once("child_that_calls_async");
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
        text_of(*key)
    });
    assert!(is_text_of(&memo.call(&key), key));
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
    let dir = tempfile::tempdir().unwrap();
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
#[cfg(target_os = "linux")]
fn when_the_leading_process_is_stopped_the_others_go_on() {
    let dir = tempfile::tempdir().unwrap();
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

#[cfg(target_os = "linux")]
fn signal(signal: &str, process: u64) {
    assert!(run("sh", &[&"-c", &format!("kill -{signal} {process}")]));
}

/// What a waiter computes in between must not hide which process it waits for.
#[test]
#[cfg(target_os = "linux")]
fn a_stopped_process_is_not_waited_for_after_many_other_computations() {
    let dir = volatile_dir();
    within(LIMIT, move || {
        let (mut leader, id) = leader(dir.path(), 0);
        signal("STOP", id);
        let memo = cache(dir.path()).wrap(|key: &u64| text_of(*key));
        (1..=2000).for_each(|key| drop(memo.call(&(key * 2 + 1))));
        let begun = Instant::now();
        assert!(is_text_of(&memo.call(&0), 0));
        assert!(begun.elapsed() < SOON, "only after {:?}", begun.elapsed());
        signal("CONT", id);
        leader.tell("go on");
        assert_eq!(leader.finish(), ["done"]);
    });
}

/// A number that can be read from its archived form only by two threads at a time.
struct ByTwo;

static TWO: Barrier = Barrier::new(2);

impl ArchiveWith<u64> for ByTwo {
    type Archived = Archived<u64>;
    type Resolver = ();

    fn resolve_with(number: &u64, (): (), out: Place<Archived<u64>>) {
        number.resolve((), out);
    }
}

impl<S: Fallible + ?Sized> SerializeWith<u64, S> for ByTwo {
    fn serialize_with(_: &u64, _: &mut S) -> Result<(), S::Error> {
        Ok(())
    }
}

impl<D: Fallible + ?Sized> DeserializeWith<Archived<u64>, u64, D> for ByTwo {
    fn deserialize_with(number: &Archived<u64>, _: &mut D) -> Result<u64, D::Error> {
        TWO.wait();
        Ok(number.to_native())
    }
}

#[derive(CacheValue)]
#[cache_value(crate = twat_cache_file)]
struct Slow(#[rkyv(with = ByTwo)] u64);

/// Reading a large result takes long, so a thread must not wait until another has read it.
#[test]
#[cfg(target_os = "linux")]
fn all_waiters_read_a_result_at_the_same_time() {
    let dir = volatile_dir();
    within(LIMIT, move || {
        let (begun, is_begun) = mpsc::channel();
        let (go_on, may_go_on) = mpsc::channel::<()>();
        let (begun, may_go_on) = (Mutex::new(begun), Mutex::new(may_go_on));
        // Each store has its own locks, as in another process.
        let memos = [(); 3].map(|()| {
            fcache("slow").dir(dir.path()).wrap(|key: &u64| {
                begun.lock().unwrap().send(()).unwrap();
                may_go_on.lock().unwrap().recv().unwrap();
                Slow(*key)
            })
        });
        let asking = Barrier::new(3);
        // The test cannot see whether a thread waits already. If it does not, that round is only easier.
        for key in 0..20 {
            let call = |memo: usize| assert_eq!(memos[memo].call(&key).0, key);
            thread::scope(|scope| {
                scope.spawn(|| call(0));
                is_begun.recv().unwrap();
                for memo in [1, 2] {
                    let (call, asking) = (&call, &asking);
                    scope.spawn(move || {
                        asking.wait();
                        call(memo);
                    });
                }
                asking.wait();
                go_on.send(()).unwrap();
            });
            assert!(is_begun.try_recv().is_err(), "it was computed once");
        }
    });
}

#[test]
fn a_process_that_takes_long_is_waited_for() {
    let dir = tempfile::tempdir().unwrap();
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
    let dir = tempfile::tempdir().unwrap();
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

/// Without the file of leases, there are no leases. Only the cache itself can replace an obstacle there.
#[test]
#[cfg(target_os = "linux")]
fn an_obstacle_in_place_of_the_claims_does_not_keep_a_cold_key_from_being_computed_once() {
    let garbage: Act = ("garbage", |path| fs::write(path, [0xff; 10_000]).unwrap());
    let mut failures = Vec::new();
    for obstacle in [DIRECTORY, LINK_TO_NOTHING, LINK_TO_ITSELF, PIPE, garbage] {
        let dir = volatile_dir();
        let memo = cache(dir.path()).wrap(|key: &u64| text_of(*key));
        memo.call(&1000);
        put(obstacle, &memo.store().path().join("lock/claims"));
        drop(memo);
        let mut children: Vec<_> = (0..3).map(|_| start("child_that_calls", dir.path())).collect();
        ask_all(&mut children, 0);
        open_gate(dir.path(), 0);
        let computed: u64 = computed(&mut children).iter().sum();
        if computed != 1 {
            failures.push(format!("{}: computed {computed} times", obstacle.0));
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}
