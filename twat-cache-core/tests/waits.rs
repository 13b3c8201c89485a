//! What a caller that waits for another's computation gets, and how long it waits.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, OnceLock, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use twat_cache_core::testing::{Counter, block_on, join_all, poll_once, until_waiting, within, yield_once};
use twat_cache_core::{LruStore, Memo};

const LIMIT: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);

#[test]
fn all_waits_for_computations_that_need_the_waiter_take_twice_the_patience_together() {
    within(LIMIT, || {
        let lock = Mutex::new(());
        let leading = Barrier::new(2);
        let memo = Memo::new(LruStore::new(100), ()).patience(SECOND);
        let begun = Instant::now();
        for key in 0..20 {
            thread::scope(|scope| {
                let held = lock.lock().unwrap();
                let leader = scope.spawn(|| {
                    memo.call_with(&key, || {
                        leading.wait();
                        // Only the waiter can let the leader continue.
                        drop(lock.lock().unwrap());
                        key
                    })
                });
                leading.wait();
                assert_eq!(memo.call_with(&key, || key), key);
                drop(held);
                assert_eq!(leader.join().unwrap(), key);
            });
        }
        // Without a limit on waiting, these would be twenty waits of a second each.
        assert!(begun.elapsed() < 10 * SECOND, "{:?}", begun.elapsed());
    });
}

#[test]
fn a_computation_that_was_blocked_by_a_waiter_does_not_raise_the_patience() {
    within(LIMIT, || {
        let (lock, inside) = (Mutex::new(()), Barrier::new(3));
        let memo = Memo::new(LruStore::new(100), ());
        memo.call_with(&1000, || 0); // from now on a wait takes 2 s at most
        let begun = Instant::now();
        for round in 0..3 {
            thread::scope(|scope| {
                let held = lock.lock().unwrap();
                for key in [2 * round, 2 * round + 1] {
                    let (memo, lock, inside) = (&memo, &lock, &inside);
                    scope.spawn(move || {
                        memo.call_with(&key, || {
                            inside.wait();
                            drop(lock.lock().unwrap());
                            key
                        })
                    });
                }
                inside.wait();
                // Both are blocked while this thread waits for one of them.
                memo.call_with(&(2 * round), || 2 * round);
                drop(held);
            });
        }
        assert!(begun.elapsed() < 12 * SECOND, "{:?}", begun.elapsed());
    });
}

#[test]
fn callers_of_several_keys_lose_patience_together() {
    within(LIMIT, || {
        // The leaders of all keys wait until all callers are through.
        let (through, leading) = (OnceLock::new(), Barrier::new(11));
        let memo = Memo::new(LruStore::new(100), ()).patience(2 * SECOND);
        let begun = Instant::now();
        thread::scope(|scope| {
            for key in 0..10 {
                let (memo, through, leading) = (&memo, &through, &leading);
                scope.spawn(move || {
                    memo.call_with(&key, || {
                        leading.wait();
                        through.wait();
                    });
                });
            }
            leading.wait();
            // One after the other.
            for key in 0..10 {
                memo.call_with(&key, || ());
            }
            through.set(()).unwrap();
        });
        assert!(begun.elapsed() < 12 * SECOND, "{:?}", begun.elapsed());
    });
}

#[test]
fn a_computation_within_the_patience_is_not_repeated() {
    within(LIMIT, || {
        let (computed, go_on) = (Counter::new(), OnceLock::new());
        let memo = Memo::new(LruStore::new(10), |n: &u64| {
            computed.count();
            go_on.wait();
            *n
        })
        .patience(Duration::MAX);
        thread::scope(|scope| {
            let callers: Vec<_> = (0..10).map(|_| scope.spawn(|| memo.call(&1))).collect();
            until_waiting(&memo, 9);
            go_on.set(()).unwrap();
            assert!(callers.into_iter().all(|caller| caller.join().unwrap() == 1));
        });
        assert_eq!(computed.get(), 1);
    });
}

#[test]
fn without_patience_no_caller_waits() {
    within(LIMIT, || {
        let together = Barrier::new(4);
        let memo = Memo::new(LruStore::new(10), |n: &u64| {
            // If one call waited for the others, all would wait here for each other.
            together.wait();
            *n
        })
        .patience(Duration::ZERO);
        thread::scope(|scope| {
            (0..4).for_each(|_| drop(scope.spawn(|| assert_eq!(memo.call(&1), 1))));
        });
    });
}

#[test]
fn all_waiters_share_the_error_of_a_failing_key() {
    within(LIMIT, || {
        let (computed, fail) = (Counter::new(), OnceLock::new());
        let memo = Memo::new(LruStore::new(10), |n: &u64| {
            computed.count();
            fail.wait();
            Err::<u64, _>(format!("{n} fails"))
        })
        .share_errors();
        thread::scope(|scope| {
            let callers: Vec<_> = (0..100).map(|_| scope.spawn(|| memo.try_call(&1))).collect();
            until_waiting(&memo, 99);
            fail.set(()).unwrap();
            assert!(callers.into_iter().all(|caller| caller.join().unwrap() == Err("1 fails".to_owned())));
        });
        assert_eq!(computed.get(), 1);
        assert_eq!(memo.try_call(&1), Err("1 fails".to_owned()));
        assert_eq!(computed.get(), 2, "an error is not remembered");
    });
}

#[test]
fn tasks_share_the_error_of_a_failing_key() {
    within(LIMIT, || {
        let computed = Counter::new();
        let memo = Memo::new_async(LruStore::new(10), async |n: &u64| {
            computed.count();
            yield_once().await;
            Err::<u64, _>(format!("{n} fails"))
        })
        .share_errors();
        let (first, second) = block_on(futures_lite::future::zip(memo.try_call_async(&1), memo.try_call_async(&1)));
        assert_eq!((first, second), (Err("1 fails".to_owned()), Err("1 fails".to_owned())));
        assert_eq!(computed.get(), 1);
    });
}

#[test]
fn a_stale_error_is_not_shared() {
    within(LIMIT, || {
        let (computed, begun, fail) = (Counter::new(), Barrier::new(2), OnceLock::new());
        let memo = Memo::new(LruStore::new(10), |n: &u64| {
            if computed.count() == 0 {
                begun.wait();
                fail.wait();
                return Err("outdated");
            }
            Ok(*n)
        })
        .share_errors();
        thread::scope(|scope| {
            let leader = scope.spawn(|| memo.try_call(&1));
            begun.wait();
            let waiter = scope.spawn(|| memo.try_call(&1));
            until_waiting(&memo, 1);
            memo.forget(&1).unwrap();
            assert_eq!(waiter.join().unwrap(), Ok(1));
            fail.set(()).unwrap();
            assert_eq!(leader.join().unwrap(), Err("outdated"));
        });
    });
}

#[test]
fn after_a_cancelled_leader_one_waiter_leads() {
    within(LIMIT, || {
        let computed = Counter::new();
        let memo = Memo::new_async(LruStore::new(10), async |n: &u64| {
            if computed.count() == 0 {
                std::future::pending::<()>().await;
            }
            yield_once().await;
            *n
        });
        let mut leader = Box::pin(memo.call_async(&1));
        assert!(poll_once(&mut leader).is_pending());
        let mut waiters: Vec<_> = (0..500).map(|_| Box::pin(memo.call_async(&1))).collect();
        assert!(waiters.iter_mut().all(|waiter| poll_once(waiter).is_pending()));
        drop(leader);
        assert_eq!(block_on(join_all(waiters)), [1; 500]);
        assert_eq!(computed.get(), 2);
    });
}

#[test]
fn after_a_cancelled_waiter_the_others_go_on() {
    let (computed, memo) = (Arc::new(AtomicUsize::new(0)), Memo::new(LruStore::new(10), ()));
    let compute = async || {
        computed.fetch_add(1, Ordering::SeqCst);
        yield_once().await;
        1
    };
    let mut leader = Box::pin(memo.call_with_async(&1, compute));
    assert!(poll_once(&mut leader).is_pending());
    let mut cancelled = Box::pin(memo.call_with_async(&1, compute));
    let mut waiter = pin!(memo.call_with_async(&1, compute));
    assert!(poll_once(&mut cancelled).is_pending() && poll_once(&mut waiter).is_pending());
    drop(cancelled);
    assert_eq!(block_on(leader), 1);
    assert_eq!(block_on(waiter), 1);
    assert_eq!(computed.load(Ordering::SeqCst), 1);
}

#[test]
fn a_leader_that_calls_its_own_key_from_another_thread_goes_on() {
    within(LIMIT, || {
        let memo = Memo::new(LruStore::new(10), ()).patience(Duration::from_millis(100));
        let ask = |key: u64| memo.call_with(&key, || key);
        let given = memo.call_with(&1, || thread::scope(|scope| scope.spawn(|| ask(1)).join().unwrap()));
        assert_eq!(given, 1);
    });
}

#[test]
fn functions_that_call_each_other_through_channels_go_on() {
    within(LIMIT, || {
        let memo = Memo::new(LruStore::new(10), ()).patience(Duration::from_millis(100));
        let (questions, asked) = mpsc::channel::<(u64, mpsc::Sender<u64>)>();
        thread::scope(|scope| {
            let memo = &memo;
            scope.spawn(move || {
                for (key, answer) in asked {
                    answer.send(memo.call_with(&key, || key)).unwrap();
                }
            });
            let ask = |key| {
                let (answer, answered) = mpsc::channel();
                questions.send((key, answer)).unwrap();
                answered.recv().unwrap()
            };
            assert_eq!(memo.call_with(&1, || ask(1)), 1);
            drop(questions);
        });
    });
}

/// Panics when it is copied, as often as it is told to.
#[derive(Debug)]
struct Touchy(&'static AtomicUsize);

impl Clone for Touchy {
    fn clone(&self) -> Self {
        let left = self.0.load(Ordering::SeqCst);
        if left > 0 {
            self.0.store(left - 1, Ordering::SeqCst);
            panic!("as intended");
        }
        Self(self.0)
    }
}

#[test]
fn a_value_that_cannot_be_copied_is_computed_again() {
    static PANICS: AtomicUsize = AtomicUsize::new(0);
    let computed = Counter::new();
    let memo = Memo::new(LruStore::new(10), |_: &u64| {
        computed.count();
        Touchy(&PANICS)
    });
    memo.call(&1);
    // At the first lookup, and at the second.
    PANICS.store(2, Ordering::SeqCst);
    assert!(catch_unwind(AssertUnwindSafe(|| memo.call(&1))).is_ok());
    assert_eq!(computed.get(), 2);
    memo.call(&1);
    assert_eq!(computed.get(), 2);
    PANICS.store(1, Ordering::SeqCst);
    assert!(memo.peek(&1).is_err());
}
