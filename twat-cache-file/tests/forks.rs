//! A process that forks without `exec` while other threads call: the child neither hangs nor changes its parent's
//! entries.
#![cfg(all(target_os = "linux", target_pointer_width = "64"))]

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use twat_cache_core::Answer;
use twat_cache_core::testing::child::{Child, Task};
use twat_cache_core::testing::{block_on, volatile_dir};
use twat_cache_file::{ErrorKind, FileStore, KeyedStore as _, Store as _, ViewStore as _, fcache};

twat_cache_core::define_in_fork!();

fn open(dir: &Path) -> FileStore<Vec<u64>> {
    fcache("forked").dir(dir).open().unwrap()
}

fn value(key: u64) -> Vec<u64> {
    vec![key; if key.is_multiple_of(8) { 20_000 } else { 10 }]
}

/// Forks repeatedly while other threads do random operations.
#[test]
fn child_that_forks() {
    let Some(task) = Task::given() else { return };
    let store = open(&task.dir);
    let fallback = fcache("forked").dir(&task.dir).with_memory::<Vec<u64>>();
    // Its memory is in use, too.
    let memory = fallback.secondary();
    let is_over = AtomicBool::new(false);
    let succeeded = thread::scope(|scope| {
        for seed in 0..4_u64 {
            let (store, fallback, is_over) = (&store, &fallback, &is_over);
            scope.spawn(move || {
                for key in (seed..64).cycle() {
                    if is_over.load(Ordering::Relaxed) {
                        break;
                    }
                    let claim = store.claim(&key, Duration::ZERO);
                    store.insert(&key, &value(key)).unwrap();
                    fallback.get(&key).unwrap();
                    memory.insert(&key, &value(key)).unwrap();
                    memory.get(&key).unwrap();
                    drop(claim);
                    if key.is_multiple_of(16) {
                        store.remove(&key).unwrap();
                    }
                }
            });
        }
        let succeeded = (0..100_u64)
            .filter(|round| {
                in_fork(|| {
                    for key in [round % 64, 1000] {
                        assert!(store.get(&key).is_err_and(|error| error.kind() == ErrorKind::Unavailable));
                        assert!(store.view(&key).is_err() && store.remove(&key).is_err() && store.clear().is_err());
                        assert_eq!(fallback.get(&key).unwrap(), None, "it has nothing of its parent's");
                        let ticket = fallback.begin(&key);
                        let claim = fallback.claim(&key, Duration::from_secs(60));
                        assert_eq!(format!("{claim:?}"), "Claim(free)");
                        assert!(fallback.insert_begun(&key, &value(key), None, ticket).unwrap());
                        assert_eq!(fallback.get(&key).unwrap(), Some(value(key)));
                        assert_eq!(&fallback.view(&key).unwrap().unwrap()[..], &value(key)[..]);
                    }
                    // The child's own memory is cleared, and its parent's files are not.
                    assert!(fallback.remove(&1000_u64).is_err() && fallback.get(&1000_u64).unwrap().is_none());
                    assert!(fallback.clear().is_err() && fallback.get(&7_u64).unwrap().is_none());
                    true
                })
            })
            .count();
        is_over.store(true, Ordering::Relaxed);
        succeeded
    });
    task.say(succeeded);
    // The children have not changed this process.
    store.insert(&7_u64, &value(7)).unwrap();
    assert_eq!(fallback.get(&7_u64).unwrap(), Some(value(7)));
    assert!(!fallback.has_switched());
}

#[test]
fn while_other_threads_are_at_work_a_forked_process_uses_memory_of_its_own() {
    let dir = volatile_dir();
    assert_eq!(Child::start("child_that_forks", dir.path()).finish(), ["100"]);
}

#[test]
fn child_that_forks_with_a_claim() {
    let Some(task) = Task::given() else { return };
    let [here, there] = [(); 2].map(|()| open(&task.dir));
    let claim = here.claim(&1_u64, Duration::from_secs(60));
    let ticket = here.begin(&1_u64);
    let (mut claim, mut store) = (Some(claim), Some(here));
    let is_done = in_fork(|| {
        // As a function does that forks and returns in both processes.
        assert!(store.as_ref().unwrap().insert_begun(&1_u64, &value(1), None, ticket).is_err());
        drop(claim.take());
        drop(store.take());
        true
    });
    task.say(is_done);
    task.say(format_args!("{:?}", there.claim(&1_u64, Duration::ZERO)));
    task.say(store.unwrap().insert_begun(&1_u64, &value(1), None, ticket).unwrap());
    drop(claim);
    task.say(format_args!("{:?}", there.claim(&1_u64, Duration::ZERO)));
    task.say(there.get(&1_u64).unwrap() == Some(value(1)));
}

#[test]
fn a_forked_process_releases_no_claim_of_its_parent() {
    let dir = volatile_dir();
    let said = Child::start("child_that_forks_with_a_claim", dir.path()).finish();
    assert_eq!(said, ["true", "Claim(waiting)", "true", "Claim(held)", "true"]);
}

#[test]
fn child_that_forks_a_process_with_a_store_of_its_own() {
    let Some(task) = Task::given() else { return };
    let [here, there] = [(); 2].map(|()| open(&task.dir));
    here.insert(&1_u64, &value(1)).unwrap();
    let is_done = in_fork(|| {
        let own = open(&task.dir);
        own.insert(&2_u64, &value(2)).unwrap();
        true
    });
    task.say(is_done);
    assert_eq!(there.get(&1_u64).unwrap(), Some(value(1)));
    here.insert(&1_u64, &value(3)).unwrap();
    task.say(there.get(&1_u64).unwrap() == Some(value(3)));
}

#[test]
fn a_change_by_a_forked_process_does_not_hide_a_change_by_its_parent() {
    let dir = volatile_dir();
    let said = Child::start("child_that_forks_a_process_with_a_store_of_its_own", dir.path()).finish();
    assert_eq!(said, ["true", "true"]);
}

#[test]
fn child_that_forks_after_tasks_have_used_large_files() {
    let Some(task) = Task::given() else { return };
    let large = vec![7_u64; 200_000];
    let store = open(&task.dir);
    block_on(store.insert_async(&1_u64, &large)).unwrap();
    let begun = store.get_async(&1_u64);
    assert!(matches!(begun, Answer::Later(_)));
    task.say(in_fork(|| {
        assert!(matches!(store.get_async(&1_u64), Answer::Now(Err(_))));
        assert!(matches!(store.insert_async(&1_u64, &large), Answer::Now(Err(_))));
        assert!(block_on(begun).is_err_and(|error| error.kind() == ErrorKind::Unavailable));
        // The threads of its own store are its own.
        let own = open(&task.dir);
        assert!(block_on(own.get_async(&1_u64)).unwrap().as_ref() == Some(&large));
        block_on(own.insert_async(&2_u64, &large)).unwrap();
        true
    }));
    task.say(block_on(open(&task.dir).get_async(&2_u64)).unwrap() == Some(large));
}

#[test]
fn a_forked_process_does_not_wait_for_the_threads_of_its_parent() {
    let dir = volatile_dir();
    let said = Child::start("child_that_forks_after_tasks_have_used_large_files", dir.path()).finish();
    assert_eq!(said, ["true", "true"]);
}
