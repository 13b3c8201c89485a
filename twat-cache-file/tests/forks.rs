//! A process that is forked without becoming another program, while other threads are at work: it neither hangs nor touches
//! what its parent has.
#![cfg(all(target_os = "linux", target_pointer_width = "64"))]

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::child::{Child, Task};
use common::volatile_dir;
use twat_cache_file::{ErrorKind, FileStore, KeyedStore as _, Store as _, ViewStore as _, fcache};

/// Does this in a forked process; says whether it came to its end, with all that it asserts, in ten seconds.
#[expect(unsafe_code, reason = "there is no other way to fork")]
fn forked(work: impl FnOnce()) -> bool {
    // SAFETY: the new process has this thread alone. What it may not do for that reason is what this is a test of; it ends
    // without returning to the test harness.
    let process = unsafe { libc::fork() };
    if process == 0 {
        let done = catch_unwind(AssertUnwindSafe(work)).is_ok();
        // SAFETY: nothing is left to be done.
        unsafe { libc::_exit(i32::from(!done)) };
    }
    assert!(process > 0, "there is no new process");
    let begun = Instant::now();
    let mut status = 0;
    loop {
        // SAFETY: the number is of a child of ours, and the status is written to an integer of ours.
        let ended = unsafe { libc::waitpid(process, &raw mut status, libc::WNOHANG) };
        if ended == process {
            return status == 0;
        }
        if begun.elapsed() > Duration::from_secs(10) {
            // SAFETY: it has not been waited for, so the number is still its own.
            unsafe { libc::kill(process, libc::SIGKILL) };
        }
        thread::sleep(Duration::from_millis(1));
    }
}

fn open(dir: &Path) -> FileStore<Vec<u64>> {
    fcache("forked").dir(dir).open().unwrap()
}

fn value(key: u64) -> Vec<u64> {
    vec![key; if key.is_multiple_of(8) { 20_000 } else { 10 }]
}

/// Forks over and over while other threads do anything.
#[test]
fn child_that_forks() {
    let Some(task) = Task::given() else { return };
    let store = open(&task.dir);
    let fallback = fcache("forked").dir(&task.dir).with_memory::<Vec<u64>>();
    // Its memory is in use, too.
    let memory = fallback.secondary();
    let is_over = AtomicBool::new(false);
    let suppressed_errors = thread::scope(|scope| {
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
        let suppressed_errors = (0..100_u64)
            .filter(|round| {
                forked(|| {
                    for key in [round % 64, 1000] {
                        assert!(store.get(&key).is_err_and(|error| error.kind() == ErrorKind::Unavailable));
                        assert!(store.view(&key).is_err() && store.remove(&key).is_err() && store.clear().is_err());
                        assert_eq!(fallback.get(&key).unwrap(), None, "it has nothing of its parent's");
                        let ticket = fallback.begin(&key);
                        let claim = fallback.claim(&key, Duration::from_secs(60));
                        assert_eq!(format!("{claim:?}"), "Claim(free)");
                        assert!(fallback.insert_begun(&key, &value(key), ticket).unwrap());
                        assert_eq!(fallback.get(&key).unwrap(), Some(value(key)));
                        assert_eq!(&fallback.view(&key).unwrap().unwrap()[..], &value(key)[..]);
                    }
                    // Its own memory forgets, and its parent's files do not.
                    assert!(fallback.remove(&1000_u64).is_err() && fallback.get(&1000_u64).unwrap().is_none());
                    assert!(fallback.clear().is_err() && fallback.get(&7_u64).unwrap().is_none());
                })
            })
            .count();
        is_over.store(true, Ordering::Relaxed);
        suppressed_errors
    });
    task.say(suppressed_errors);
    // Nothing of what they did has come here.
    store.insert(&7_u64, &value(7)).unwrap();
    assert_eq!(fallback.get(&7_u64).unwrap(), Some(value(7)));
    assert!(!fallback.has_switched());
}

#[test]
fn while_others_are_at_work_a_forked_process_has_a_memory_of_its_own() {
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
    let is_done = forked(|| {
        // As by a function that forks, and returns in both processes.
        assert!(store.as_ref().unwrap().insert_begun(&1_u64, &value(1), ticket).is_err());
        drop(claim.take());
        drop(store.take());
    });
    task.say(is_done);
    task.say(format_args!("{:?}", there.claim(&1_u64, Duration::ZERO)));
    task.say(store.unwrap().insert_begun(&1_u64, &value(1), ticket).unwrap());
    drop(claim);
    task.say(format_args!("{:?}", there.claim(&1_u64, Duration::ZERO)));
    task.say(there.get(&1_u64).unwrap() == Some(value(1)));
}

#[test]
fn a_forked_process_gives_back_nothing_that_is_its_parents() {
    let dir = volatile_dir();
    let said = Child::start("child_that_forks_with_a_claim", dir.path()).finish();
    assert_eq!(said, ["true", "Claim(waiting)", "true", "Claim(held)", "true"]);
}
