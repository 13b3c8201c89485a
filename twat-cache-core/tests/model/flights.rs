//! Callers of one key share a computation, and a result that is outdated meanwhile is not stored.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use shuttle::sync::atomic::{AtomicUsize, Ordering};
use shuttle::{future, thread};
use twat_cache_core::Memo;

use crate::{Change, Map, World, explore, must_find, nothing_older_is_given, spawn_all};

/// Calls key 1 in one thread, while another thread changes the world and then does `change` to the memo.
fn beside_a_call(change: fn(&Memo<Map, Box<dyn Fn(&u64) -> u64 + Send + Sync>>)) {
    let world = World::default();
    let seen = world.clone();
    let function = move |_: &u64| seen.load(Ordering::SeqCst) as u64;
    let memo = Arc::new(Memo::new(Map::new(), Box::new(function) as Box<dyn Fn(&u64) -> u64 + Send + Sync>));
    let caller = {
        let memo = memo.clone();
        thread::spawn(move || memo.call(&1))
    };
    world.store(1, Ordering::SeqCst);
    change(&memo);
    // A caller after the change must not get what was computed before it.
    assert_eq!(memo.call(&1), 1);
    caller.join().unwrap();
    assert_eq!(memo.call(&1), 1);
}

#[test]
fn threads_compute_a_cold_key_once() {
    explore(|| {
        let computed = Arc::new(AtomicUsize::new(0));
        let counter = computed.clone();
        let memo = Arc::new(Memo::new(Map::new(), move |n: &u64| {
            counter.fetch_add(1, Ordering::SeqCst);
            thread::yield_now();
            *n
        }));
        assert_eq!(spawn_all(3, move || memo.call(&1)), [1, 1, 1]);
        assert_eq!(computed.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn no_caller_hangs_when_the_leader_fails() {
    explore(|| {
        let computed = Arc::new(AtomicUsize::new(0));
        let memo = Arc::new(Memo::new(Map::new(), move |n: &u64| match computed.fetch_add(1, Ordering::SeqCst) {
            0 => Err("fails"),
            _ => Ok(*n),
        }));
        let results = spawn_all(3, move || memo.try_call(&1));
        assert_eq!(results.iter().filter(|result| result.is_err()).count(), 1);
    });
}

#[test]
fn functions_that_call_each_other_do_not_deadlock() {
    type Function = Box<dyn Fn(&u64) -> u64 + Send + Sync>;
    struct Pair {
        memos: [Memo<Map, Function>; 2],
    }
    explore(|| {
        // Each computation calls the other memo with the same key, up to three times.
        let asked = Arc::new(AtomicUsize::new(0));
        let pair = Arc::new_cyclic(|pair: &std::sync::Weak<Pair>| {
            let function = |other: usize| -> Function {
                let (pair, asked) = (pair.clone(), asked.clone());
                Box::new(move |n| {
                    if asked.fetch_add(1, Ordering::SeqCst) < 3 {
                        pair.upgrade().unwrap().memos[other].call(n)
                    } else {
                        *n
                    }
                })
            };
            Pair { memos: [Memo::new(Map::new(), function(1)), Memo::new(Map::new(), function(0))] }
        });
        let threads: Vec<_> = (0..2)
            .map(|first| {
                let pair = pair.clone();
                thread::spawn(move || pair.memos[first].call(&7))
            })
            .collect();
        for thread in threads {
            assert_eq!(thread.join().unwrap(), 7);
        }
    });
}

#[test]
fn a_result_that_is_forgotten_during_its_computation_is_not_stored() {
    explore(|| beside_a_call(|memo| assert!(memo.forget(&1).is_ok())));
}

#[test]
fn a_refresh_is_never_overwritten_by_an_older_computation() {
    explore(|| beside_a_call(|memo| assert_eq!(memo.refresh(&1), 1)));
}

#[test]
fn an_inserted_value_is_never_overwritten_by_an_older_computation() {
    explore(|| beside_a_call(|memo| memo.insert(&1, &1).unwrap()));
}

#[test]
fn tasks_share_one_computation_and_survive_its_cancellation() {
    explore(|| {
        let computed = Arc::new(AtomicUsize::new(0));
        let counter = computed.clone();
        let memo = Arc::new(Memo::new(Map::new(), async move |n: &u64| {
            counter.fetch_add(1, Ordering::SeqCst);
            future::yield_now().await;
            *n
        }));
        let tasks: Vec<_> = (0..3)
            .map(|_| {
                let memo = memo.clone();
                future::spawn(async move { memo.call_async(&1).await })
            })
            .collect();
        // Any task may be the leader. If this one is, the others continue without it.
        tasks[0].abort();
        for task in tasks.into_iter().skip(1) {
            assert_eq!(future::block_on(task).unwrap(), 1);
        }
        assert!((1..=3).contains(&computed.load(Ordering::SeqCst)));
    });
}

#[test]
fn a_panic_leaves_nothing_locked() {
    explore(|| {
        let computed = Arc::new(AtomicUsize::new(0));
        let memo = Arc::new(Memo::new(Map::new(), move |n: &u64| {
            if computed.fetch_add(1, Ordering::SeqCst) == 0 {
                // Without the hook's noise, twenty thousand times.
                std::panic::resume_unwind(Box::new("the first panics"));
            }
            *n
        }));
        let results = spawn_all(3, move || catch_unwind(AssertUnwindSafe(|| memo.call(&1))).ok());
        assert_eq!(results.iter().flatten().count(), 2);
    });
}

#[test]
fn after_any_two_changes_no_stale_value_is_returned() {
    use Change::{Clear, Forget, Refresh};
    explore(|| nothing_older_is_given(Map::new, &[Forget, Refresh, Forget]));
    explore(|| nothing_older_is_given(Map::new, &[Clear, Refresh, Clear]));
    explore(|| nothing_older_is_given(Map::new, &[Refresh, Refresh, Refresh]));
    must_find("lets an outdated refresh keep an older value", || {
        nothing_older_is_given(Map::new, &[Clear, Refresh, Clear]);
    });
    must_find("lets the refresh win that ends first", || {
        nothing_older_is_given(Map::new, &[Refresh, Refresh, Refresh])
    });
}
