//! A forked process that does not `exec` has its parent's connections, but not the locks of the kernel that belong to them.
//! It uses memory only, and its parent's database is not changed.
#![cfg(target_os = "linux")]

mod common;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use twat_cache_core::testing::child::{Child, Task};
use twat_cache_core::testing::{record_logs, volatile_dir, warnings};
use twat_cache_shared::{Error, ErrorKind, KeyedStore as _, SharedStore, Store as _, rusqlite, scache};

twat_cache_core::define_in_fork!();

fn open(dir: &Path) -> SharedStore<String> {
    scache("words").dir(dir).open().unwrap()
}

fn is_refused<T>(result: Result<T, Error>) -> bool {
    result.is_err_and(|error| error.kind() == ErrorKind::Unavailable)
}

fn are_all_refused(store: &SharedStore<String>) -> bool {
    is_refused(store.get(&1_u64))
        && is_refused(store.insert(&1_u64, &String::new()))
        && store.insert_begun(&1_u64, &String::new(), None, store.begin(&1_u64)).is_err()
        && is_refused(store.remove(&1_u64))
        && is_refused(store.clear())
        && is_refused(store.len())
        && is_refused(store.with_connection(|_| ()))
        && format!("{:?}", store.claim(&1_u64, Duration::from_secs(9))) == "Claim(free)"
}

fn is_whole(store: &SharedStore<String>) {
    let check = |connection: &rusqlite::Connection| -> String {
        connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap()
    };
    assert_eq!(store.with_connection(check).unwrap(), "ok");
}

#[test]
fn child_that_forks_while_threads_store() {
    let Some(task) = Task::given() else { return };
    record_logs();
    let store = open(&task.dir);
    (0..100_u64).for_each(|key| store.insert(&key, &key.to_string()).unwrap());
    let is_over = AtomicBool::new(false);
    let succeeded = thread::scope(|scope| {
        for part in 0..4_u64 {
            let (store, is_over) = (&store, &is_over);
            scope.spawn(move || {
                let mut key = part;
                while !is_over.load(Ordering::Relaxed) {
                    key = (key + 7) % 100;
                    store.insert(&key, &key.to_string()).unwrap();
                    assert_eq!(store.get(&key).unwrap().unwrap(), key.to_string());
                }
            });
        }
        let succeeded = (0..50)
            .filter(|_| {
                in_fork(|| {
                    let another = scache("others").dir(&task.dir).build::<String>();
                    let elsewhere = scache("others").dir(task.dir.join("elsewhere")).build::<String>();
                    are_all_refused(&store) && are_all_refused(&another) && are_all_refused(&elsewhere)
                })
            })
            .count();
        is_over.store(true, Ordering::Relaxed);
        succeeded
    });
    is_whole(&store);
    task.say(succeeded);
    task.say_all(warnings(&task.dir));
}

#[test]
fn a_forked_child_is_refused_at_once_and_harms_nothing() {
    let dir = volatile_dir();
    assert_eq!(Child::start("child_that_forks_while_threads_store", dir.path()).finish(), ["50"]);
    let store = open(dir.path());
    (0..100_u64).for_each(|key| assert_eq!(store.get(&key).unwrap().unwrap(), key.to_string()));
    is_whole(&store);
}

#[test]
fn child_that_forks_children_that_drop_the_store() {
    let Some(task) = Task::given() else { return };
    let mut before = Some(scache("words").dir(&task.dir).build::<String>());
    task.say(in_fork(|| {
        let store = before.take().unwrap();
        let is_refused = are_all_refused(&store);
        drop(store);
        is_refused
    }));
    let mut store = before;
    store.as_ref().unwrap().insert(&1_u64, &"one".into()).unwrap();
    task.say(in_fork(|| {
        drop(store.take());
        true
    }));
    // While a connection has changed something, and has not committed it.
    let opened = store.as_ref().unwrap();
    opened
        .with_connection(|connection| {
            connection.execute_batch("BEGIN IMMEDIATE; DELETE FROM entry").unwrap();
            task.say(in_fork(|| are_all_refused(opened)));
            connection.execute_batch("ROLLBACK").unwrap();
        })
        .unwrap();
    opened.insert(&2_u64, &"two".into()).unwrap();
    is_whole(opened);
    // The connections of this process are still known to others: its log is not removed.
    let another = Child::start("child_that_opens_and_closes", &task.dir).finish();
    task.say_all(another);
    assert_eq!(opened.get(&3_u64).unwrap().unwrap(), "three");
}

#[test]
fn child_that_opens_and_closes() {
    let Some(task) = Task::given() else { return };
    let store = open(&task.dir);
    store.insert(&3_u64, &"three".into()).unwrap();
    task.say(store.get(&2_u64).unwrap().unwrap());
}

#[test]
fn a_store_that_a_forked_child_drops_stays_open_in_its_parent() {
    let dir = volatile_dir();
    let said = Child::start("child_that_forks_children_that_drop_the_store", dir.path()).finish();
    assert_eq!(said, ["true", "true", "true", "two"]);
    let store = open(dir.path());
    assert_eq!([1, 2, 3_u64].map(|key| store.get(&key).unwrap().unwrap()), ["one", "two", "three"]);
}

/// In a child and in its parent, a memo computes, and memory keeps the results.
#[test]
fn a_memo_in_a_forked_child_uses_memory() {
    let dir = volatile_dir();
    let (memo, computed) = common::numbers::memo(dir.path());
    common::numbers::call_all(&memo, 0..1);
    let mut memo = Some(memo);
    assert!(in_fork(|| {
        let memo = memo.take().unwrap();
        let before = computed.get();
        (0..2).for_each(|_| common::numbers::call_all(&memo, 0..10));
        let is_forgotten = memo.forget(&1).is_err() && memo.peek(&1).unwrap().is_none();
        is_forgotten && computed.get() == before + 10 && memo.store().has_switched()
    }));
    let memo = memo.unwrap();
    common::numbers::call_all(&memo, 0..20);
    assert_eq!((computed.get(), memo.store().has_switched()), (20, false));
}

#[test]
fn child_whose_child_ends_as_a_program_does() {
    let Some(task) = Task::given() else { return };
    let store = open(&task.dir);
    store.insert(&1_u64, &"one".into()).unwrap();
    let is_ended = in_fork(|| {
        assert!(are_all_refused(&store));
        std::process::exit(0)
    });
    store.insert(&2_u64, &"two".into()).unwrap();
    is_whole(&store);
    task.say(is_ended);
}

#[test]
fn a_forked_child_that_exits_harms_nothing() {
    let dir = volatile_dir();
    assert_eq!(Child::start("child_whose_child_ends_as_a_program_does", dir.path()).finish(), ["true"]);
    let store = open(dir.path());
    assert_eq!([1, 2_u64].map(|key| store.get(&key).unwrap().unwrap()), ["one", "two"]);
}
