//! After `fork` without `exec`: the child has neither the engine's threads nor those that hold its locks.
#![cfg(target_os = "linux")]
#![allow(unsafe_code, reason = "there is no other way to fork")]

mod common;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use twat_cache_disk::{DiskStore, ErrorKind, KeyedStore as _, Store as _, bcache};

fn open(dir: &Path) -> DiskStore<String> {
    bcache("words").dir(dir).open().unwrap()
}

/// Runs `work` in a child; says whether that ended within 20 s, and by itself. The harness, its locks and its memory
/// stay behind: `work` must not print, nor panic.
fn succeeds_in_child(work: impl FnOnce() -> bool) -> bool {
    // SAFETY: the child calls nothing that needs a thread or a lock of the parent but `work`, whose ability to do without
    // them is what is tested, and the allocator, which glibc makes ready for a forked child.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let is_right = work();
        // SAFETY: it ends the process at once, without running what others have registered for its end.
        unsafe { libc::_exit(i32::from(!is_right)) };
    }
    assert!(child > 0, "cannot fork");
    let begun = Instant::now();
    loop {
        let mut status = 0;
        // SAFETY: `status` is there to be written to.
        let ended = unsafe { libc::waitpid(child, &raw mut status, libc::WNOHANG) };
        if ended == child {
            return libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0;
        }
        if begun.elapsed() > Duration::from_secs(20) {
            // SAFETY: it is our child, and still there.
            unsafe { libc::kill(child, libc::SIGKILL) };
            return false;
        }
        thread::yield_now();
    }
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
            succeeds_in_child(|| {
                let another = bcache("others").dir(dir.path()).build::<String>();
                let refused = is_refused(store.get(&1_u64))
                    && is_refused(store.insert(&1_u64, &String::new()))
                    && is_refused(store.insert_begun(&1_u64, &String::new(), store.begin(&1_u64)))
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
fn what_a_forked_child_drops_stays_open_in_its_parent() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Some(open(dir.path()));
    store.as_ref().unwrap().insert(&1_u64, &"one".into()).unwrap();
    assert!(succeeds_in_child(|| {
        drop(store.take());
        true
    }));
    let store = store.unwrap();
    store.insert(&2_u64, &"two".into()).unwrap();
    assert!(dir.path().join("bcache.lock").exists());
    // Nobody else has the lock that the child had, too.
    let lock = std::fs::File::open(dir.path().join("bcache.lock")).unwrap();
    assert!(lock.try_lock().is_err(), "the child has unlocked it");
    drop((store, lock));
    let store = open(dir.path());
    assert_eq!([1, 2_u64].map(|key| store.get(&key).unwrap().unwrap()), ["one", "two"]);
}

/// In a child as in its parent, a memo computes, whatever becomes of the store.
#[test]
fn a_memo_in_a_forked_child_computes() {
    let dir = tempfile::tempdir().unwrap();
    let memo = bcache("squares").dir(dir.path()).wrap(|n: &u64| n * n);
    assert_eq!(memo.call(&3), 9);
    assert!(succeeds_in_child(|| (0..10).all(|n| memo.call(&n) == n * n && memo.call(&n) == n * n)));
    assert_eq!(memo.call(&4), 16);
}
