//! Several processes at work in one directory: each result is computed by one of them, and whatever one does to it, the
//! others see.
#![cfg(unix)]

mod common;

use std::cell::RefCell;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use common::child::{Child, Task};
use common::files::Random;
use common::system::run;
use common::volatile_dir;
use futures_lite::future::block_on;
use tempfile::TempDir;
use twat_cache_core::testing::{Counter, within};
use twat_cache_file::{Access, FileBuilder, FileFallback, Memo, fcache};

/// Every eight bytes of it say whose it is.
fn is_of(value: &str, key: u64) -> bool {
    value.len().is_multiple_of(8) && value.as_bytes().chunks(8).all(|part| part == format!("{key:08}").as_bytes())
}

/// 800 bytes of an odd key, which are read; 160 KB of an even one, which are mapped.
fn value(key: u64) -> String {
    format!("{key:08}").repeat(if key.is_multiple_of(2) { 20_000 } else { 100 })
}

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

#[test]
fn a_process_that_only_takes_long_is_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    within(Duration::from_secs(30), move || {
        let (mut leader, _) = leader(dir.path(), 2);
        let mut followers = followers(dir.path(), 2);
        // Longer than one that is stopped would be waited for.
        thread::sleep(Duration::from_secs(2));
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

fn seconds() -> u64 {
    // A soak run takes as long as it is told to.
    std::env::var("TWAT_CACHE_TEST_SECONDS").map_or(3, |seconds| seconds.parse().unwrap())
}

const KEYS: usize = 20;

/// Four threads do anything to the hot keys until the time is up; gives the number of calls.
fn work(dir: &Path, seed: u64, max_bytes: u64) -> u64 {
    let until = Instant::now() + Duration::from_secs(seconds());
    let computed = Counter::new();
    let memo = fcache("hot").dir(dir).max_bytes(max_bytes).wrap(|key: &u64| {
        // Of another length each time.
        let mut random = Random(computed.count() as u64 ^ seed << 32);
        let length = random.below(8192);
        format!("{key:08}").repeat(if random.below(8) == 0 { 25_000 } else { length })
    });
    thread::scope(|scope| {
        let threads = (0..4).map(|thread| {
            let memo = &memo;
            scope.spawn(move || {
                let mut random = Random(seed * 10 + thread);
                let mut calls = 0;
                while Instant::now() < until {
                    let key = random.below(KEYS) as u64;
                    match random.below(60) {
                        0..25 => assert!(is_of(&memo.call(&key), key), "another key's value"),
                        25..45 => assert!(is_of(&memo.view(&key), key), "another key's value"),
                        45..50 => assert!(is_of(&memo.refresh(&key), key), "another key's value"),
                        50..55 => assert!(memo.peek(&key).unwrap().is_none_or(|value| is_of(&value, key))),
                        55..59 => drop(memo.forget(&key).unwrap()),
                        _ => memo.clear().unwrap(),
                    }
                    calls += 1;
                }
                calls
            })
        });
        let threads: Vec<_> = threads.collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    })
}

#[test]
fn child_at_work() {
    let Some(task) = Task::given() else { return };
    let max_bytes = std::env::var("MAX_BYTES").unwrap().parse().unwrap();
    let calls = work(&task.dir, u64::from(std::process::id()), max_bytes);
    task.say(calls);
}

fn at_work(dir: &TempDir, max_bytes: u64) {
    let children = [0, 1].map(|_| {
        Child::start_with("child_at_work", dir.path(), |binary| {
            let mut command = Command::new(binary);
            command.env("MAX_BYTES", max_bytes.to_string());
            command
        })
    });
    for child in children {
        let said = child.finish();
        assert!(said[0].parse::<u64>().unwrap() > 100, "{said:?}");
    }
}

#[test]
fn two_processes_of_four_threads_only_ever_see_right_values() {
    at_work(&volatile_dir(), 1 << 30);
}

#[test]
fn two_processes_that_throw_out_each_others_results_only_ever_see_right_values() {
    at_work(&volatile_dir(), 400 << 10);
}

/// Counts are lost there, and locks and files are all there is.
#[test]
fn two_processes_in_a_directory_of_everybodys_only_ever_see_right_values() {
    let dir = volatile_dir();
    open_to_all("hot", dir.path());
    at_work(&dir, 400 << 10);
}

/// Makes the directory of a cache one in which nothing may be mapped, not even the counters.
fn open_to_all(name: &str, dir: &Path) {
    let store = fcache(name).dir(dir).open::<String>().unwrap();
    fs::set_permissions(store.path(), fs::Permissions::from_mode(0o777)).unwrap();
}

/// A memo each of whose results says who has computed it, and as which.
type Signed = Memo<FileFallback<String>, Box<dyn Fn(&u64) -> String>>;

fn signed(builder: FileBuilder) -> Signed {
    let computed = RefCell::new(0);
    builder.wrap(Box::new(move |key: &u64| {
        *computed.borrow_mut() += 1;
        format!("{key} by {} as {} ", std::process::id(), computed.borrow()) + &value(*key)
    }))
}

/// Does as it is told, and gives the signature of what it has read.
fn obey(memo: &Signed, order: &str) -> String {
    let (verb, key) = order.split_once(' ').unwrap();
    let key = key.parse().unwrap();
    let signature = |found: &str| {
        let (signature, rest) = found.rsplit_once(' ').unwrap();
        assert!(is_of(rest, key) && signature.starts_with(&format!("{key} ")), "another key's value");
        signature.to_owned()
    };
    match verb {
        "call" => signature(&memo.call(&key)),
        "view" => signature(&memo.view(&key)),
        "refresh" => signature(&memo.refresh(&key)),
        "peek" => memo.peek(&key).unwrap().map_or("nothing".to_owned(), |found| signature(&found)),
        "forget" => memo.forget(&key).unwrap().to_string(),
        "clear" => memo.clear().map(|()| "cleared".to_owned()).unwrap(),
        _ => unreachable!("no such order: {verb}"),
    }
}

fn of_kind(kind: &str, dir: &Path) -> FileBuilder {
    fcache("signed").dir(dir).access(if kind == "copied" { Access::Copy } else { Access::Auto })
}

#[test]
fn child_that_obeys() {
    let Some(mut task) = Task::given() else { return };
    let memo = signed(of_kind(&std::env::var("KIND").unwrap(), &task.dir));
    while let Some(order) = task.order() {
        task.say(obey(&memo, &order));
    }
}

/// Gives an order, and what is said to it.
type Orders<'a> = &'a dyn Fn(&str) -> String;

/// Two processes, each of which is asked for things: this one, and another. `before` is run before each that changes
/// something.
fn see_each_other(kind: &'static str, before: impl Fn(&Path) + Send + 'static) {
    let dir = volatile_dir();
    if kind == "everybody's" {
        open_to_all("signed", dir.path());
    }
    within(Duration::from_secs(30), move || {
        let child = Child::start_with("child_that_obeys", dir.path(), |binary| {
            let mut command = Command::new(binary);
            command.env("KIND", kind);
            command
        });
        let child = RefCell::new(child);
        let memo = signed(of_kind(kind, dir.path()));
        let path = memo.store().path();
        let here = |order: &str| obey(&memo, order);
        let there = |order: &str| {
            child.borrow_mut().tell(order);
            child.borrow_mut().hear().expect("the child has failed")
        };
        for round in 0..20_u64 {
            let key = round / 4;
            let (one, other): (Orders, Orders) = if round % 2 == 0 { (&here, &there) } else { (&there, &here) };
            let (one, other) =
                (|verb: &str| one(&format!("{verb} {key}")), |verb: &str| other(&format!("{verb} {key}")));
            let first = one("call");
            assert_eq!(other("call"), first);
            // How the other looks at it next.
            for next in ["call", "view", "peek"] {
                before(path);
                let second = one("refresh");
                assert_ne!(second, first);
                assert_eq!(other(next), second, "after a refresh, by {next}");
                before(path);
                assert_eq!(one("forget"), "true");
                assert_eq!(other("peek"), "nothing");
                let third = one(if next == "view" { "view" } else { "call" });
                assert_eq!(other(next), third, "after a new computation, by {next}");
                before(path);
                assert_eq!(one("clear"), "cleared");
                let fourth = other(next);
                assert_ne!(fourth, third, "after a clear, by {next}");
                if next == "peek" {
                    assert_eq!(fourth, "nothing");
                } else {
                    assert_eq!(one(next), fourth);
                }
                one("call");
            }
        }
        drop(child.into_inner().finish());
    });
}

#[test]
fn what_one_process_changes_the_other_sees_at_its_next_call() {
    see_each_other("mapped", |_| ());
}

#[test]
fn what_one_process_changes_the_other_sees_where_entries_are_copied() {
    see_each_other("copied", |_| ());
}

#[test]
fn what_one_process_changes_the_other_sees_in_a_directory_of_everybodys() {
    see_each_other("everybody's", |_| ());
}

/// The counters tell processes of each other's changes. When they are lost, each has to find the same new ones.
#[test]
fn what_one_process_changes_the_other_sees_although_the_counters_were_lost() {
    see_each_other("mapped", |cache| fs::remove_file(cache.join("meta")).unwrap());
}

#[test]
fn what_one_process_changes_the_other_sees_although_the_counters_were_damaged() {
    see_each_other("mapped", |cache| {
        fs::write(cache.join("garbage"), "no counters").unwrap();
        fs::rename(cache.join("garbage"), cache.join("meta")).unwrap();
    });
}

/// Reads a large result where it lies, and says how much of it is there, and how much of that is its own.
#[test]
fn child_that_reads_pages() {
    let Some(mut task) = Task::given() else { return };
    let memo = fcache("pages").dir(&task.dir).wrap_async(async |n: &u64| vec![*n; 1 << 20]);
    while task.order().is_some() {
        let view = block_on(memo.view_async(&7));
        assert!(view.is_mapped() && view.iter().all(|n| *n == 7));
        let path = memo.store().path_of(&7_u64).unwrap();
        let maps = fs::read_to_string("/proc/self/smaps").unwrap();
        let of_file = maps.lines().skip_while(|line| !line.ends_with(path.to_str().unwrap())).skip(1);
        let kilobytes = |name: &str| -> u64 {
            let line = of_file.clone().find(|line| line.starts_with(name)).unwrap();
            line.split_whitespace().nth(1).unwrap().parse().unwrap()
        };
        let own = kilobytes("Private_Clean:") + kilobytes("Private_Dirty:");
        task.say(format_args!("{} {own}", kilobytes("Rss:")));
        // The view is held until the next order: so that the pages of both are there at a time.
        task.order();
    }
}

#[test]
#[cfg(target_os = "linux")]
fn two_processes_share_the_pages_of_a_large_result() {
    let dir = volatile_dir();
    let mut children = [0, 1].map(|_| Child::start("child_that_reads_pages", dir.path()));
    for child in &mut children {
        child.tell("read");
        child.hear().unwrap();
    }
    // Now both have read it.
    for child in &mut children {
        child.tell("go on");
        child.tell("read");
        let said = child.hear().unwrap();
        let (there, own) = said.split_once(' ').unwrap();
        assert!(there.parse::<u64>().unwrap() >= 8 << 10, "{there} KB of it are there");
        assert!(own.parse::<u64>().unwrap() < 64, "{own} KB are one's own");
    }
}
