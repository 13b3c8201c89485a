//! One computation of a key at a time, whatever becomes of it: scenarios 9, 10 and 11.

#![allow(missing_docs, reason = "the names say it")]

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::{Barrier, OnceLock};
use std::thread;

use super::{Setup, Subject};
use crate::Memo;
use crate::testing::{Counter, PATIENCE, block_on, join_all, poll_once, until, until_waiting, within, yield_once};

pub fn ten_threads_compute_a_cold_key_once_and_do_not_block_other_keys<S: Subject>(open: impl Fn(&Setup) -> S) {
    let store = open(&Setup::default());
    within(PATIENCE, move || {
        let computed = Counter::new();
        let slow = OnceLock::new();
        let memo = Memo::new(store, |n: &u64| {
            computed.count();
            if *n == 1 {
                slow.wait();
            }
            n.to_string()
        });
        thread::scope(|scope| {
            for _ in 0..10 {
                scope.spawn(|| assert_eq!(memo.call(&1), "1"));
            }
            until_waiting(&memo, 9);
            // Nine wait for one, and others pass by.
            for n in 2..5 {
                assert_eq!(memo.call(&n), n.to_string());
            }
            slow.set(()).unwrap();
        });
        assert_eq!(computed.get(), 4);
    });
}

pub fn a_hundred_tasks_compute_a_cold_key_once<S: Subject>(open: impl Fn(&Setup) -> S) {
    let store = open(&Setup::default());
    within(PATIENCE, move || {
        let computed = Counter::new();
        let memo = Memo::new(store, async |n: &u64| {
            computed.count();
            for _ in 0..10 {
                yield_once().await;
            }
            n.to_string()
        });
        let results = block_on(join_all((0..100).map(|_| Box::pin(memo.call_async(&1)))));
        assert_eq!(results, vec!["1"; 100]);
        assert_eq!(computed.get(), 1);
    });
}

pub fn when_the_leader_fails_the_waiters_compute_at_the_same_time<S: Subject>(open: impl Fn(&Setup) -> S) {
    let store = open(&Setup::default());
    within(PATIENCE, move || {
        let computed = Counter::new();
        let fail = OnceLock::new();
        // If they computed one after the other, the first would wait here for the others forever.
        let together = Barrier::new(9);
        let memo = Memo::new(store, |n: &u64| {
            if computed.count() == 0 {
                fail.wait();
                return Err("the first fails");
            }
            together.wait();
            Ok(n.to_string())
        });
        thread::scope(|scope| {
            let callers: Vec<_> = (0..10).map(|_| scope.spawn(|| memo.try_call(&1))).collect();
            until_waiting(&memo, 9);
            fail.set(()).unwrap();
            let results: Vec<_> = callers.into_iter().map(|caller| caller.join().unwrap()).collect();
            assert_eq!(results.iter().filter(|result| result.is_err()).count(), 1);
        });
        assert_eq!(computed.get(), 10);
        assert_eq!(memo.try_call(&1), Ok("1".to_owned()));
        assert_eq!(computed.get(), 10);
    });
}

pub fn when_the_leader_panics_a_waiter_computes<S: Subject>(open: impl Fn(&Setup) -> S) {
    let store = open(&Setup::default());
    within(PATIENCE, move || {
        let computed = Counter::new();
        let fail = OnceLock::new();
        let memo = Memo::new(store, |n: &u64| {
            if computed.count() == 0 {
                fail.wait();
                panic!("the first panics");
            }
            n.to_string()
        });
        thread::scope(|scope| {
            let call = || catch_unwind(AssertUnwindSafe(|| memo.call(&1)));
            let callers: Vec<_> = (0..4).map(|_| scope.spawn(call)).collect();
            until_waiting(&memo, 3);
            fail.set(()).unwrap();
            let results: Vec<_> = callers.into_iter().map(|caller| caller.join().unwrap()).collect();
            assert_eq!(results.iter().filter(|result| result.is_err()).count(), 1);
        });
        assert_eq!(memo.call(&1), "1");
    });
}

pub fn when_the_leader_is_cancelled_a_waiter_computes<S: Subject>(open: impl Fn(&Setup) -> S) {
    let store = open(&Setup::default());
    within(PATIENCE, move || {
        let computed = Counter::new();
        let memo = Memo::new(store, async |n: &u64| {
            if computed.count() == 0 {
                std::future::pending::<()>().await;
            }
            n.to_string()
        });
        block_on(async {
            let mut leader = Box::pin(memo.call_async(&1));
            while computed.get() == 0 {
                assert!(poll_once(&mut leader).is_pending());
            }
            let mut waiters = pin!(join_all((0..5).map(|_| Box::pin(memo.call_async(&1)))));
            while memo.waiting() < 5 {
                assert!(poll_once(&mut waiters).is_pending());
            }
            drop(leader);
            assert_eq!(waiters.await, vec!["1"; 5]);
        });
        assert_eq!(memo.peek(&1).unwrap().as_deref(), Some("1"));
    });
}

/// How a function under test calls the memo that it is in: set once that is made.
type Knot<'a, T> = OnceLock<&'a (dyn Fn(&u64) -> T + Sync)>;

pub fn a_computation_that_asks_for_its_own_key_computes_directly<S: Subject>(open: impl Fn(&Setup) -> S) {
    let store = open(&Setup::default());
    within(PATIENCE, move || {
        let (itself, depth) = (Knot::<String>::new(), Counter::new());
        let memo = Memo::new(store, |n: &u64| match depth.count() {
            0..3 => itself.get().unwrap()(n) + ".",
            _ => n.to_string(),
        });
        let call = |n: &u64| memo.call(n);
        assert!(itself.set(&call).is_ok());
        // Each depth stores what it found, and the outermost comes last.
        assert_eq!(memo.call(&7), "7...");
        assert_eq!(depth.get(), 4);
        assert_eq!(memo.call(&7), "7...");
    });
}

pub fn an_async_computation_that_asks_for_its_own_key_computes_directly<S: Subject>(open: impl Fn(&Setup) -> S) {
    let store = open(&Setup::default());
    within(PATIENCE, move || {
        let (itself, depth) = (Knot::<Pin<Box<dyn Future<Output = String> + '_>>>::new(), Counter::new());
        let memo = Memo::new(store, async |n: &u64| {
            yield_once().await;
            match depth.count() {
                0..3 => itself.get().unwrap()(n).await + ".",
                _ => n.to_string(),
            }
        });
        let call = |n: &u64| {
            let (memo, n) = (&memo, *n);
            Box::pin(async move { memo.call_async(&n).await }) as Pin<Box<dyn Future<Output = String>>>
        };
        assert!(itself.set(&call).is_ok());
        assert_eq!(block_on(memo.call_async(&7)), "7...");
        assert_eq!(block_on(memo.call_async(&7)), "7...");
    });
}

pub fn recursion_from_two_threads_computes_each_key_once<S: Subject>(open: impl Fn(&Setup) -> S) {
    let store = open(&Setup::default());
    within(PATIENCE, move || {
        let (itself, computed, start) = (Knot::<String>::new(), Counter::new(), Barrier::new(2));
        let fib = Memo::new(store, |n: &u64| {
            computed.count();
            let smaller = |by| itself.get().unwrap()(&(n - by)).parse::<u64>().unwrap();
            if *n < 2 { n.to_string() } else { (smaller(1) + smaller(2)).to_string() }
        });
        let call = |n: &u64| fib.call(n);
        assert!(itself.set(&call).is_ok());
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    start.wait();
                    assert_eq!(fib.call(&80), "23416728348467685");
                });
            }
        });
        assert_eq!(computed.get(), 81);
    });
}

pub fn functions_that_call_each_other_do_not_deadlock<S: Subject>(open: impl Fn(&Setup) -> S) {
    let stores = (open(&Setup::default()), open(&Setup::default()));
    within(PATIENCE, move || {
        // Each computation first makes sure that the other is under way, then asks for it: a deadlock, unless noticed.
        let (even, odd, both) = (Knot::<String>::new(), Knot::<String>::new(), Barrier::new(2));
        let first = Counter::new();
        let ask = |other: &Knot<'_, String>, n: &u64| {
            if first.count() < 2 {
                both.wait();
                other.get().unwrap()(n) + "."
            } else {
                n.to_string()
            }
        };
        let one = Memo::new(stores.0, |n: &u64| ask(&odd, n));
        let other = Memo::new(stores.1, |n: &u64| ask(&even, n));
        let (call_one, call_other) = (|n: &u64| one.call(n), |n: &u64| other.call(n));
        assert!(even.set(&call_one).is_ok());
        assert!(odd.set(&call_other).is_ok());
        thread::scope(|scope| {
            for caller in [scope.spawn(|| one.call(&1)), scope.spawn(|| other.call(&1))] {
                assert!(caller.join().unwrap().starts_with('1'));
            }
        });
    });
}

pub fn a_leader_that_is_no_longer_polled_does_not_block_others_forever<S: Subject>(open: impl Fn(&Setup) -> S) {
    let store = open(&Setup::default());
    within(PATIENCE, move || {
        let computed = Counter::new();
        let memo = Memo::new(store, async |n: &u64| {
            if computed.count() == 0 {
                // It could continue at once, if it was polled.
                yield_once().await;
            }
            n.to_string()
        });
        let mut neglected = Box::pin(memo.call_async(&1));
        while computed.get() == 0 {
            assert!(poll_once(&mut neglected).is_pending());
        }
        assert_eq!(block_on(memo.call_async(&1)), "1");
        assert_eq!(block_on(neglected), "1", "it still ends when it is polled");
        assert_eq!(computed.get(), 2);
    });
}

pub fn a_result_that_is_forgotten_during_its_computation_is_not_stored<S: Subject>(open: impl Fn(&Setup) -> S) {
    let store = open(&Setup::default());
    within(PATIENCE, move || {
        let (begun, go_on) = (Barrier::new(2), Barrier::new(2));
        let memo = Memo::new(store, |n: &u64| {
            begun.wait();
            go_on.wait();
            n.to_string()
        });
        let forget = || assert!(!memo.forget(&1).unwrap());
        let clear = || memo.clear().unwrap();
        for outdate in [&forget as &dyn Fn(), &clear] {
            thread::scope(|scope| {
                let caller = scope.spawn(|| memo.call(&1));
                begun.wait();
                outdate();
                go_on.wait();
                assert_eq!(caller.join().unwrap(), "1");
            });
            assert_eq!(memo.peek(&1).unwrap(), None);
        }
    });
}

pub fn after_a_forget_one_waiter_computes_for_all_waiters<S: Subject>(open: impl Fn(&Setup) -> S) {
    let store = open(&Setup::default());
    within(PATIENCE, move || {
        let (computed, first) = (Counter::new(), OnceLock::new());
        let memo = Memo::new(store, |n: &u64| {
            let turn = computed.count();
            if turn == 0 {
                first.wait();
            }
            format!("{n} at {turn}")
        });
        thread::scope(|scope| {
            let callers: Vec<_> = (0..10).map(|_| scope.spawn(|| memo.call(&1))).collect();
            until_waiting(&memo, 9);
            until("the first computes", || computed.get() == 1);
            memo.forget(&1).unwrap();
            // The nine do not wait for what is stale by now.
            until("one of the nine computes", || memo.peek(&1).unwrap().is_some());
            first.set(()).unwrap();
            let results: Vec<_> = callers.into_iter().map(|caller| caller.join().unwrap()).collect();
            assert_eq!(results.iter().filter(|result| *result == "1 at 0").count(), 1);
            assert_eq!(results.iter().filter(|result| *result == "1 at 1").count(), 9);
        });
        assert_eq!(memo.call(&1), "1 at 1");
    });
}

pub fn a_refresh_is_stored_whatever_happens_to_other_keys<S: Subject>(open: impl Fn(&Setup) -> S) {
    let store = open(&Setup::default());
    within(PATIENCE, move || {
        let world = Counter::new();
        let memo = Memo::new(store, |n: &u64| format!("{n} in world {}", world.get()));
        for n in 0..200 {
            memo.call(&n);
        }
        world.count();
        thread::scope(|scope| {
            for part in 0..4 {
                let memo = &memo;
                scope.spawn(move || (0..50).for_each(|n| drop(memo.refresh(&(n * 4 + part)))));
            }
        });
        for n in 0..200 {
            assert_eq!(memo.call(&n), format!("{n} in world 1"));
        }
    });
}
