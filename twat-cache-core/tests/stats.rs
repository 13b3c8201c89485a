//! The statistics of a memo are exact, and a memo describes its store.

use twat_cache_core::testing::Faulty;
use twat_cache_core::{ErrorKind, Fallback, LruStore, Memo, Store as _, Tiered};

#[test]
fn describe_says_in_one_line_which_store_serves() {
    let memory = || LruStore::<u64>::new(10);
    assert_eq!(Memo::new(memory(), |n: &u64| *n).describe(), "memory");
    assert_eq!(Box::new(Tiered::new(memory(), memory())).describe(), "memory in front of memory");
    let faulty = Fallback::new(Faulty::new(memory()), memory());
    let memo = Memo::new(faulty, |n: &u64| *n);
    assert_eq!(memo.describe(), "memory");
    memo.store().primary().fail_writes(ErrorKind::Full);
    memo.call(&1);
    assert_eq!(memo.describe(), "memory, and memory for what that did not take");
    memo.store().primary().fail_all(ErrorKind::Poisoned);
    memo.call(&2);
    assert_eq!(memo.describe(), "memory, instead of memory");
}

#[test]
fn describe_has_a_default() {
    struct Plain;
    impl twat_cache_core::Store for Plain {
        type Value = ();
        fn len(&self) -> Result<usize, twat_cache_core::Error> {
            Ok(0)
        }
        fn clear(&self) -> Result<(), twat_cache_core::Error> {
            Ok(())
        }
    }
    assert_eq!((Plain.describe(), Plain.suppressed_errors()), ("a store".into(), 0));
}

#[cfg(feature = "stats")]
mod counts {
    use std::sync::{Barrier, LazyLock};
    use std::thread;

    use twat_cache_core::testing::{block_on, until_waiting};

    use super::*;

    #[test]
    fn every_call_is_a_hit_or_a_miss_and_only_misses_and_refreshes_compute() {
        let memo = Memo::new(LruStore::new(100), |n: &u64| n * n);
        for n in 0..10 {
            memo.call(&n);
            memo.call(&n);
        }
        memo.refresh(&1);
        let _ = (memo.peek(&1_u64), memo.forget(&1_u64), memo.len(), memo.clear());
        let stats = memo.stats();
        assert_eq!((stats.hits, stats.misses, stats.computations), (10, 10, 11));
        assert_eq!((stats.waits, stats.store_errors), (0, 0));
    }

    #[test]
    fn counts_begin_at_0_after_a_reset() {
        let memo = Memo::new(Fallback::new(Faulty::new(LruStore::new(2)), LruStore::new(2)), |n: &u64| n * n);
        memo.store().primary().fail_writes(ErrorKind::Full);
        memo.call(&1);
        memo.call(&1);
        memo.reset_stats();
        assert_eq!(memo.stats(), twat_cache_core::Stats::default());
        memo.call(&1);
        let stats = memo.stats();
        assert_eq!((stats.hits, stats.misses, stats.computations, stats.store_errors), (1, 0, 0, 0));
    }

    #[test]
    fn errors_of_the_function_are_computations_that_leave_no_hit() {
        let memo = Memo::new(LruStore::new(100), |n: &u64| if *n > 1 { Ok(*n) } else { Err("too small") });
        (0..3).for_each(|_| assert!(memo.try_call(&1).is_err()));
        (0..3).for_each(|_| assert!(memo.try_call(&2).is_ok()));
        let stats = memo.stats();
        assert_eq!((stats.hits, stats.misses, stats.computations), (2, 4, 4));
    }

    #[test]
    fn async_calls_are_counted_in_the_same_way() {
        let memo = Memo::new(LruStore::new(100), async |n: &u64| n + 1);
        block_on(async {
            for _ in 0..3 {
                memo.call_async(&1).await;
            }
            memo.refresh_async(&1).await;
        });
        let stats = memo.stats();
        assert_eq!((stats.hits, stats.misses, stats.computations), (2, 1, 2));
    }

    #[test]
    fn each_waiter_is_counted_once() {
        let (entered, leave) = (Barrier::new(2), Barrier::new(2));
        let memo = Memo::new(LruStore::new(100), |n: &u64| {
            entered.wait();
            leave.wait();
            *n
        });
        thread::scope(|scope| {
            scope.spawn(|| memo.call(&1));
            entered.wait();
            (0..5).for_each(|_| drop(scope.spawn(|| memo.call(&1))));
            until_waiting(&memo, 5);
            assert_eq!(memo.stats().waits, 5);
            leave.wait();
        });
        let stats = memo.stats();
        assert_eq!((stats.hits, stats.misses, stats.computations, stats.waits), (0, 6, 1, 5));
    }

    #[test]
    fn threads_lose_no_count() {
        let memo = Memo::new(LruStore::new(1000), |n: &u64| *n);
        thread::scope(|scope| {
            (0..4).for_each(|_| {
                drop(scope.spawn(|| (0..10_000).for_each(|n| assert_eq!(memo.call(&(n % 500)), n % 500))));
            });
        });
        let stats = memo.stats();
        assert_eq!(stats.hits + stats.misses, 40_000);
        assert_eq!(stats.computations, 500);
    }

    #[test]
    fn short_lived_threads_and_many_at_once_lose_no_hit() {
        let memo = Memo::new(LruStore::new(10), |n: &u64| *n);
        memo.call(&1);
        for _ in 0..20 {
            thread::scope(|scope| {
                (0..5).for_each(|_| drop(scope.spawn(|| (0..10).for_each(|_| assert_eq!(memo.call(&1), 1)))));
            });
        }
        assert_eq!(memo.stats().hits, 1000);
        let all_there = Barrier::new(200);
        thread::scope(|scope| {
            for _ in 0..200 {
                scope.spawn(|| {
                    memo.call(&1);
                    all_there.wait();
                    (0..9).for_each(|_| assert_eq!(memo.call(&1), 1));
                });
            }
        });
        assert_eq!(memo.stats().hits, 3000);
    }

    #[test]
    fn each_memo_has_its_own_counts() {
        let memos: Vec<_> = (0..10).map(|_| Memo::new(LruStore::new(10), |n: &u64| *n)).collect();
        for (number, memo) in memos.iter().enumerate() {
            (0..=number).for_each(|_| assert_eq!(memo.call(&1), 1));
        }
        assert!(memos.iter().zip(0..).all(|(memo, number)| memo.stats().hits == number));
    }

    #[test]
    fn calls_while_a_thread_ends_are_counted() {
        type Same = Memo<LruStore<u64>, fn(&u64) -> u64>;
        static MEMO: LazyLock<Same> = LazyLock::new(|| Memo::new(LruStore::new(10), |n| *n));
        struct Last;
        impl Drop for Last {
            fn drop(&mut self) {
                MEMO.call(&1);
            }
        }
        thread_local!(static LAST: Last = const { Last });
        MEMO.call(&1);
        // The order in which the two thread-locals are dropped does not matter.
        thread::spawn(|| LAST.with(|_| MEMO.call(&1))).join().unwrap();
        thread::spawn(|| (MEMO.call(&1), LAST.with(|_| ()))).join().unwrap();
        assert_eq!(MEMO.stats().hits, 4);
    }

    #[test]
    fn suppressed_errors_are_counted_in_every_layer() {
        let memo = Memo::new(Faulty::new(LruStore::new(100)), |n: &u64| *n);
        memo.store().fail_writes(ErrorKind::Io);
        memo.call(&1);
        assert_eq!(memo.stats().store_errors, 1);
        memo.store().fail_all(ErrorKind::Io);
        memo.call(&1);
        // Two lookups, a store, and the removal of an older entry.
        assert_eq!(memo.stats().store_errors, 5);
        let memo = Memo::new(Fallback::new(Faulty::new(LruStore::new(100)), LruStore::new(100)), |n: &u64| *n);
        memo.store().primary().fail_writes(ErrorKind::Io);
        memo.call(&1);
        memo.call(&1);
        let stats = memo.stats();
        assert_eq!((stats.hits, stats.misses, stats.store_errors), (1, 1, 1));
    }
}
