//! Results that are stale: their TTL has ended, and they are still returned where that is better than nothing.

#![allow(missing_docs, reason = "the names say it")]

use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use super::{Setup, Subject};
use crate::testing::{Counter, PATIENCE, block_on, join_all, until, within, yield_once};
use crate::{ManualClock, Memo};

const TTL: Duration = Duration::from_secs(60);
const STALE: Duration = Duration::from_secs(30);
const MOMENT: Duration = Duration::from_millis(1);

/// A moment less.
fn almost(time: Duration) -> Duration {
    time.saturating_sub(MOMENT)
}

fn open_stale<S: Subject>(open: impl Fn(&Setup) -> S) -> (S, ManualClock) {
    let hand = ManualClock::new();
    let store = open(&Setup { ttl: Some(TTL), stale: Some(STALE), clock: hand.clock(), ..Setup::default() });
    assert_eq!(store.stale(), Some(STALE), "the setup's option is for the store");
    (store, hand)
}

pub fn while_one_of_a_hundred_threads_computes_the_others_get_the_stale_result<S: Subject>(open: impl Fn(&Setup) -> S) {
    let (store, hand) = open_stale(open);
    within(PATIENCE, move || {
        let computed = Counter::new();
        let others_are_done = OnceLock::new();
        let memo = Memo::new(store, |n: &u64| {
            let at = computed.count();
            if at > 0 {
                // If one of them waited for this, all would wait forever.
                others_are_done.wait();
            }
            format!("{n} at {at}")
        });
        assert_eq!(memo.call(&1), "1 at 0");
        hand.advance(TTL);
        let done = Counter::new();
        let results: Vec<_> = thread::scope(|scope| {
            let call = || {
                let result = memo.call(&1);
                done.count();
                result
            };
            let callers: Vec<_> = (0..100).map(|_| scope.spawn(call)).collect();
            until("99 callers are done", || done.get() == 99);
            others_are_done.set(()).unwrap();
            callers.into_iter().map(|caller| caller.join().unwrap()).collect()
        });
        assert_eq!(results.iter().filter(|result| *result == "1 at 0").count(), 99);
        assert_eq!(results.iter().filter(|result| *result == "1 at 1").count(), 1);
        assert_eq!(memo.call(&1), "1 at 1", "the new result is stored");
        assert_eq!(computed.get(), 2);
    });
}

pub fn while_one_of_a_hundred_tasks_computes_the_others_get_the_stale_result<S: Subject>(open: impl Fn(&Setup) -> S) {
    let (store, hand) = open_stale(open);
    within(PATIENCE, move || {
        let [computed, done] = [Counter::new(), Counter::new()];
        let memo = Memo::new_async(store, async |n: &u64| {
            let at = computed.count();
            while at > 0 && done.get() < 99 {
                yield_once().await;
            }
            format!("{n} at {at}")
        });
        let call = async || {
            let result = memo.call_async(&1).await;
            done.count();
            result
        };
        block_on(async {
            assert_eq!(memo.call_async(&1).await, "1 at 0");
            hand.advance(TTL);
            let results = join_all((0..100).map(|_| Box::pin(call()))).await;
            assert_eq!(results.iter().filter(|result| *result == "1 at 0").count(), 99);
            assert_eq!(memo.call_async(&1).await, "1 at 1");
        });
        assert_eq!(computed.get(), 2);
    });
}

/// A memo whose function fails after it was called once, and the number of calls.
macro_rules! failing {
    ($store:expr, $computed:ident) => {
        Memo::new($store, |n: &u64| match $computed.count() {
            0 => Ok(n.to_string()),
            at => Err(format!("error {at}")),
        })
    };
}

pub fn a_function_that_fails_gets_its_stale_result_for_a_while<S: Subject>(open: impl Fn(&Setup) -> S) {
    let (store, hand) = open_stale(open);
    let computed = Counter::new();
    let memo = failing!(store, computed);
    assert_eq!(memo.try_call(&1), Ok("1".to_owned()));
    hand.advance(almost(TTL));
    assert_eq!(memo.try_call(&1), Ok("1".to_owned()));
    assert_eq!(computed.get(), 1, "it is not stale yet");
    hand.advance(MOMENT);
    assert_eq!(memo.try_call(&1), Ok("1".to_owned()));
    assert_eq!(memo.try_call(&1), Ok("1".to_owned()));
    assert_eq!(computed.get(), 3, "each call asks the function");
    hand.advance(almost(STALE));
    assert_eq!(memo.try_call(&1), Ok("1".to_owned()));
    hand.advance(MOMENT);
    assert_eq!(memo.try_call(&1), Err("error 4".to_owned()));
    assert_eq!(memo.try_call(&2), Err("error 5".to_owned()), "there was never a result");
}

pub fn no_result_is_older_than_the_ttl_and_the_stale_time<S: Subject>(open: impl Fn(&Setup) -> S) {
    let (store, hand) = open_stale(open);
    let computed = Counter::new();
    let memo = Memo::new(store, |n: &u64| format!("{n} at {}", computed.count()));
    assert_eq!(memo.call(&1), "1 at 0");
    hand.advance(TTL);
    assert_eq!(memo.peek(&1).unwrap(), None, "a stale result is not shown");
    // An alone caller computes, and the TTL begins again.
    assert_eq!(memo.call(&1), "1 at 1");
    hand.advance(TTL + STALE);
    assert_eq!(memo.store().get(&1).unwrap(), None);
    assert_eq!(memo.call(&1), "1 at 2");

    // It gets too old while the function runs.
    let slow = Memo::new(memo.store(), |_: &u64| {
        hand.advance(MOMENT);
        Err::<String, _>("it fails")
    });
    hand.advance(almost(TTL + STALE));
    assert_eq!(slow.try_call(&1), Err("it fails"));
}

pub fn a_stale_result_that_is_forgotten_is_gone<S: Subject>(open: impl Fn(&Setup) -> S) {
    let (store, hand) = open_stale(open);
    let computed = Counter::new();
    let memo = failing!(store, computed);
    let store = memo.store();
    for (key, is_cleared) in [(1, false), (2, true)] {
        store.insert(&key, &key.to_string()).unwrap();
        hand.advance(TTL);
        computed.count();
        assert_eq!(memo.try_call(&key), Ok(key.to_string()));
        if is_cleared {
            memo.clear().unwrap();
        } else {
            assert!(memo.forget(&key).unwrap(), "it was there");
        }
        assert!(memo.try_call(&key).is_err());
    }
}

pub fn a_result_that_is_forgotten_during_a_computation_that_fails_is_gone<S: Subject>(open: impl Fn(&Setup) -> S) {
    let (store, hand) = open_stale(open);
    let control = Memo::new(&store, |n: &u64| n.to_string());
    for forget in [|memo: &Memo<_, _>| _ = memo.forget(&1).unwrap(), |memo: &Memo<_, _>| memo.clear().unwrap()] {
        assert_eq!(control.call(&1), "1");
        hand.advance(TTL);
        let memo = Memo::new(&store, |_: &u64| {
            forget(&control);
            Err::<String, _>("it fails")
        });
        assert_eq!(memo.try_call(&1), Err("it fails"));
        assert_eq!(memo.try_call(&1), Err("it fails"));
    }
}

pub fn a_refresh_that_fails_returns_its_error_and_keeps_the_stale_result<S: Subject>(open: impl Fn(&Setup) -> S) {
    let (store, hand) = open_stale(open);
    let computed = Counter::new();
    let memo = failing!(store, computed);
    assert_eq!(memo.try_call(&1), Ok("1".to_owned()));
    hand.advance(TTL);
    assert_eq!(memo.try_refresh(&1), Err("error 1".to_owned()));
    assert_eq!(memo.try_call(&1), Ok("1".to_owned()));
}

pub fn a_ttl_by_the_value_is_followed_by_the_stale_time<S: Subject>(open: impl Fn(&Setup) -> S) {
    let (store, hand) = open_stale(open);
    let computed = Counter::new();
    let memo = failing!(store, computed).ttl_by(|_| TTL * 3);
    assert_eq!(memo.try_call(&1), Ok("1".to_owned()));
    hand.advance(almost(TTL * 3));
    assert_eq!(memo.try_call(&1), Ok("1".to_owned()));
    assert_eq!(computed.get(), 1);
    hand.advance(MOMENT);
    assert_eq!(memo.try_call(&1), Ok("1".to_owned()));
    assert_eq!(computed.get(), 2, "stale");
    hand.advance(almost(STALE));
    assert_eq!(memo.try_call(&1), Ok("1".to_owned()));
    hand.advance(MOMENT);
    assert_eq!(memo.try_call(&1), Err("error 3".to_owned()));
}
