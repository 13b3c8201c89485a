//! Several processes that want the same result at once: it is computed by one of them, and whatever becomes of that one,
//! the others go on.
#![cfg(unix)]

mod common;

#[cfg(target_os = "linux")]
use std::fs;
use std::path::Path;
use std::sync::{Barrier, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use common::child::{Child, Task};
use common::texts::{is_of, value};
#[cfg(target_os = "linux")]
use common::{system::run, volatile_dir};
use rkyv::rancor::Fallible;
use rkyv::with::{ArchiveWith, DeserializeWith, SerializeWith};
use rkyv::{Archive, Archived, Deserialize, Place, Serialize};
use twat_cache_core::testing::{Counter, within};
use twat_cache_file::fcache;

/// Starts a test of this name as another process, and hears that it is ready.
fn start(test: &str, dir: &Path) -> Child {
    let mut child = Child::start(test, dir);
    assert_eq!(child.hear().as_deref(), Some("ready"));
    child
}

fn tell_all(children: &mut [Child], key: u64) {
    for child in children {
        child.tell(key);
    }
}

fn finish_all(children: Vec<Child>) {
    for child in children {
        child.finish();
    }
}

fn number(said: Option<String>) -> usize {
    said.expect("the child has failed").parse().unwrap()
}

/// Calls and views what it is told to; says how many it has computed so far.
#[test]
fn child_that_calls() {
    let Some(mut task) = Task::given() else { return };
    let computed = Counter::new();
    task.say("ready");
    let mut order = task.order();
    let memo = fcache("cold").dir(&task.dir).wrap(|key: &u64| {
        computed.count();
        // So long that all the others come meanwhile.
        thread::sleep(Duration::from_millis(50));
        value(*key)
    });
    while let Some(key) = order.map(|key| key.parse().unwrap()) {
        if std::process::id().is_multiple_of(2) {
            assert!(is_of(&memo.call(&key), key), "another key's value");
        }
        assert!(is_of(&memo.view(&key), key), "another key's value");
        task.say(computed.get());
        order = task.order();
    }
}

/// The same, in three tasks at once.
#[test]
fn child_that_calls_async() {
    let Some(mut task) = Task::given() else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
    let computed = Counter::new();
    task.say("ready");
    let mut order = task.order();
    let memo = fcache("cold").dir(&task.dir).wrap_async(async |key: &u64| {
        computed.count();
        tokio::time::sleep(Duration::from_millis(50)).await;
        value(*key)
    });
    while let Some(key) = order.map(|key| key.parse().unwrap()) {
        runtime.block_on(async {
            let (one, other, view) = tokio::join!(memo.call_async(&key), memo.call_async(&key), memo.view_async(&key));
            assert!(is_of(&one, key) && is_of(&other, key) && is_of(&view, key), "another key's value");
        });
        task.say(computed.get());
        order = task.order();
    }
}

/// The first of the keys also meets a directory that all make at once.
fn eight_compute_once(test: &'static str) {
    let dir = tempfile::tempdir().unwrap();
    within(Duration::from_secs(30), move || {
        let mut children: Vec<_> = (0..8).map(|_| start(test, dir.path())).collect();
        for key in 0..8_u8 {
            tell_all(&mut children, key.into());
            let computed: Vec<_> = children.iter_mut().map(|child| number(child.hear())).collect();
            assert_eq!(computed.iter().sum::<usize>(), usize::from(key) + 1, "computations of each: {computed:?}");
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

/// Says when it computes, and goes on when it is told to.
#[test]
fn child_that_computes_until_it_is_told() {
    let Some(mut task) = Task::given() else { return };
    task.say("ready");
    let key: u64 = task.order().unwrap().parse().unwrap();
    let dir = task.dir.clone();
    let task = Mutex::new(task);
    let memo = fcache("cold").dir(dir).wrap(|key: &u64| {
        let mut task = task.lock().unwrap();
        task.say(std::process::id());
        task.order();
        value(*key)
    });
    assert!(is_of(&memo.call(&key), key));
    task.lock().unwrap().say("done");
}

/// One that computes this key, and its process's number.
fn leader(dir: &Path, key: u64) -> (Child, usize) {
    let mut leader = start("child_that_computes_until_it_is_told", dir);
    leader.tell(key);
    let id = number(leader.hear());
    (leader, id)
}

/// Some that want the same.
fn followers(dir: &Path, key: u64) -> Vec<Child> {
    let tests = ["child_that_calls", "child_that_calls_async", "child_that_calls"];
    let mut followers: Vec<_> = tests.iter().map(|test| start(test, dir)).collect();
    tell_all(&mut followers, key);
    // Nothing tells from outside that they wait; if they do not yet, the test is only easier.
    thread::sleep(Duration::from_millis(200));
    followers
}

#[test]
fn when_the_computing_process_is_killed_another_takes_over_at_once() {
    let dir = tempfile::tempdir().unwrap();
    within(Duration::from_secs(30), move || {
        for key in 0..4 {
            let (leader, _) = leader(dir.path(), key);
            let mut followers = followers(dir.path(), key);
            leader.kill();
            let killed = Instant::now();
            let computed: Vec<_> = followers.iter_mut().map(|child| number(child.hear())).collect();
            assert!(killed.elapsed() < Duration::from_secs(2), "only after {:?}", killed.elapsed());
            assert_eq!(computed.iter().sum::<usize>(), 1, "computations of each: {computed:?}");
        }
    });
}

#[test]
#[cfg(target_os = "linux")]
fn when_the_computing_process_is_stopped_the_others_go_on() {
    let dir = tempfile::tempdir().unwrap();
    within(Duration::from_secs(30), move || {
        for key in 0..2 {
            let (mut leader, id) = leader(dir.path(), key);
            let mut followers = followers(dir.path(), key);
            signal("STOP", id);
            let stopped = Instant::now();
            let computed: Vec<_> = followers.iter_mut().map(|child| number(child.hear())).collect();
            assert!(stopped.elapsed() < Duration::from_secs(5), "only after {:?}", stopped.elapsed());
            assert!(computed.iter().sum::<usize>() >= 1, "computations of each: {computed:?}");
            // Nor does it hold up those who want something else, or come later.
            for key in [key, key + 10] {
                let begun = Instant::now();
                followers[0].tell(key);
                followers[0].hear().unwrap();
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
fn signal(signal: &str, process: usize) {
    assert!(run("sh", &[&"-c", &format!("kill -{signal} {process}")]));
}

/// What the waiter computes in between must not hide who it waits for.
#[test]
#[cfg(target_os = "linux")]
fn a_stopped_process_is_not_waited_for_although_much_else_was_computed_meanwhile() {
    let dir = volatile_dir();
    within(Duration::from_secs(30), move || {
        let (mut leader, id) = leader(dir.path(), 0);
        signal("STOP", id);
        let memo = fcache("cold").dir(dir.path()).wrap(|key: &u64| value(*key));
        (1..=2000).for_each(|key| drop(memo.call(&(key * 2 + 1))));
        let begun = Instant::now();
        assert!(is_of(&memo.call(&0), 0));
        assert!(begun.elapsed() < Duration::from_secs(8), "only after {:?}", begun.elapsed());
        signal("CONT", id);
        leader.tell("go on");
        assert_eq!(leader.finish(), ["done"]);
    });
}

/// A number that is made of its archived form by two at a time, or not at all.
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

#[derive(Archive, Serialize, Deserialize)]
struct Slow(#[rkyv(with = ByTwo)] u64);

/// To read a result takes as long as it is large, so one must not wait until the other has read it.
#[test]
#[cfg(target_os = "linux")]
fn all_who_have_waited_for_a_result_read_it_at_once() {
    let dir = volatile_dir();
    within(Duration::from_secs(30), move || {
        let (begun, is_begun) = mpsc::channel();
        let (go_on, may_go_on) = mpsc::channel::<()>();
        let (begun, may_go_on) = (Mutex::new(begun), Mutex::new(may_go_on));
        // Each has locks of its own, as if it was another process.
        let memos = [(); 3].map(|()| {
            fcache("slow").dir(dir.path()).wrap(|key: &u64| {
                begun.lock().unwrap().send(()).unwrap();
                may_go_on.lock().unwrap().recv().unwrap();
                Slow(*key)
            })
        });
        thread::scope(|scope| {
            scope.spawn(|| assert_eq!(memos[0].call(&7).0, 7));
            is_begun.recv().unwrap();
            memos[1..].iter().for_each(|memo| drop(scope.spawn(|| assert_eq!(memo.call(&7).0, 7))));
            // Nothing tells from outside that they wait; if they do not yet, the test is only easier.
            thread::sleep(Duration::from_millis(200));
            go_on.send(()).unwrap();
        });
        assert!(is_begun.try_recv().is_err(), "it was computed once");
    });
}

#[test]
fn a_process_that_only_takes_long_is_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    within(Duration::from_secs(30), move || {
        let (mut leader, _) = leader(dir.path(), 2);
        let mut followers = followers(dir.path(), 2);
        // Longer than one that is stopped would be waited for.
        thread::sleep(Duration::from_millis(1500));
        leader.tell("go on");
        assert_eq!(leader.hear().as_deref(), Some("done"));
        let computed: Vec<_> = followers.iter_mut().map(|child| number(child.hear())).collect();
        assert_eq!(computed, [0; 3]);
    });
}

#[test]
fn processes_on_different_keys_do_not_hold_each_other_up() {
    let dir = tempfile::tempdir().unwrap();
    within(Duration::from_secs(30), move || {
        let leaders: Vec<_> = (0..3).map(|key| leader(dir.path(), key).0).collect();
        let mut other = start("child_that_calls", dir.path());
        for key in 3..6 {
            let begun = Instant::now();
            other.tell(key);
            assert_eq!(number(other.hear()) as u64, key - 2);
            assert!(begun.elapsed() < Duration::from_secs(1), "only after {:?}", begun.elapsed());
        }
        for mut leader in leaders {
            leader.tell("go on");
            assert_eq!(leader.finish(), ["done"]);
        }
        // And what they have computed is there for all.
        for key in 0..3 {
            other.tell(key);
            assert_eq!(number(other.hear()), 3);
        }
    });
}

/// What is made at a path.
#[cfg(target_os = "linux")]
type Make = (&'static str, fn(&Path));

/// A claim is worth nothing if the file of claims cannot be opened, and nobody else will ever mend it.
#[test]
#[cfg(target_os = "linux")]
fn whatever_is_in_place_of_the_claims_a_cold_key_is_computed_once() {
    let makes: [Make; 5] = [
        ("a directory", |path| fs::create_dir_all(path.join("a/b")).unwrap()),
        ("a link to nothing", |path| std::os::unix::fs::symlink("nothing", path).unwrap()),
        ("a link to itself", |path| std::os::unix::fs::symlink(path, path).unwrap()),
        ("a pipe", |path| assert!(run("mkfifo", &[&path]))),
        ("garbage", |path| fs::write(path, [0xff; 10_000]).unwrap()),
    ];
    let mut failures = Vec::new();
    for (what, make) in makes {
        let dir = volatile_dir();
        let memo = fcache("cold").dir(dir.path()).wrap(|key: &u64| value(*key));
        memo.call(&1000);
        let claims = memo.store().path().join("lock/claims");
        drop(memo);
        fs::remove_file(&claims).unwrap();
        make(&claims);
        let mut children: Vec<_> = (0..3).map(|_| start("child_that_calls", dir.path())).collect();
        tell_all(&mut children, 0);
        let computed: usize = children.iter_mut().map(|child| number(child.hear())).sum();
        if computed != 1 {
            failures.push(format!("{what}: computed {computed} times"));
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}
