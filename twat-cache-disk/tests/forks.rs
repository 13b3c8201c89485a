//! A forked process that does not `exec` has neither the engine's threads nor the threads that hold its locks. Its
//! calls compute, and its parent's database is not changed.
#![cfg(target_os = "linux")]

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use twat_cache_disk::{DiskStore, ErrorKind, KeyedStore as _, Store as _, bcache};

twat_cache_core::define_in_fork!();

fn open(dir: &Path) -> DiskStore<String> {
    bcache("words").dir(dir).open().unwrap()
}

fn is_refused<T>(result: Result<T, twat_cache_disk::Error>) -> bool {
    result.is_err_and(|error| error.kind() == ErrorKind::Unavailable)
}

#[test]
fn a_forked_child_is_refused_at_once_and_harms_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    (0..100_u64).for_each(|key| store.insert(&key, &key.to_string()).unwrap());
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
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
        let succeeded = (0..50).all(|_| {
            in_fork(|| {
                let another = bcache("others").dir(dir.path()).build::<String>();
                let refused = is_refused(store.get(&1_u64))
                    && is_refused(store.insert(&1_u64, &String::new()))
                    && is_refused(store.insert_begun(&1_u64, &String::new(), None, store.begin(&1_u64)))
                    && is_refused(store.remove(&1_u64))
                    && is_refused(store.clear())
                    && is_refused(store.len())
                    && is_refused(another.get(&1_u64));
                drop(another);
                refused
            })
        });
        is_over.store(true, Ordering::Relaxed);
        assert!(succeeded);
    });
    drop(store);
    let store = open(dir.path());
    (0..100_u64).for_each(|key| assert_eq!(store.get(&key).unwrap().unwrap(), key.to_string()));
}

#[test]
fn a_store_that_a_forked_child_drops_stays_open_in_its_parent() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Some(open(dir.path()));
    store.as_ref().unwrap().insert(&1_u64, &"one".into()).unwrap();
    assert!(in_fork(|| {
        drop(store.take());
        true
    }));
    let store = store.unwrap();
    store.insert(&2_u64, &"two".into()).unwrap();
    assert!(dir.path().join("bcache.lock").exists());
    // The lock, which the child had as well, is still held.
    let lock = std::fs::File::open(dir.path().join("bcache.lock")).unwrap();
    assert!(lock.try_lock().is_err(), "the child has unlocked it");
    drop((store, lock));
    let store = open(dir.path());
    assert_eq!([1, 2_u64].map(|key| store.get(&key).unwrap().unwrap()), ["one", "two"]);
}

#[test]
fn a_forked_child_may_drop_a_store_whose_disk_space_is_given_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Some(open(dir.path()));
    for _ in 0..10 {
        // A thread of the parent waits until it is quiet, and then works.
        store.as_ref().unwrap().clear().unwrap();
        assert!(in_fork(|| {
            let is_refused = is_refused(store.as_ref().unwrap().clear());
            drop(store.take());
            is_refused
        }));
    }
    store.as_ref().unwrap().insert(&1_u64, &"one".into()).unwrap();
    drop(store);
    assert_eq!(open(dir.path()).get(&1_u64).unwrap().unwrap(), "one");
}

/// In a child and in its parent, a memo computes, even if its store fails.
#[test]
fn a_memo_in_a_forked_child_computes() {
    let dir = tempfile::tempdir().unwrap();
    let memo = bcache("squares").dir(dir.path()).wrap(|n: &u64| n * n);
    assert_eq!(memo.call(&3), 9);
    assert!(in_fork(|| (0..10).all(|n| memo.call(&n) == n * n && memo.call(&n) == n * n)));
    assert_eq!(memo.call(&4), 16);
}
