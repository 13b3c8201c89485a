//! Limits on entries and on their age: scenarios 13, 15 and 16.

#![allow(missing_docs, reason = "the names say it")]

use std::thread;
use std::time::Duration;

use super::{ENTRY_BYTES, Setup, Subject};
use crate::testing::Counter;
use crate::{Found, ManualClock, Memo};

fn value(n: u64) -> String {
    format!("{n:0>ENTRY_BYTES$}")
}

pub fn the_limit_on_entries_holds_under_four_threads<S: Subject>(open: impl Fn(&Setup) -> S) {
    for max_entries in [1, 7, 100, 1000] {
        let memo = Memo::new(open(&Setup { max_entries, ..Setup::default() }), |n: &u64| value(*n));
        thread::scope(|scope| {
            for part in 0..4 {
                let memo = &memo;
                scope.spawn(move || {
                    for n in 0..1500 {
                        assert_eq!(memo.call(&(part * 1000 + n)), value(part * 1000 + n));
                    }
                });
            }
        });
        let kept = memo.len().unwrap();
        assert!(kept <= max_entries + max_entries / 10, "{kept} entries where {max_entries} may be");
        assert!(kept >= max_entries / 2, "only {kept} entries where {max_entries} may be");
    }
}

pub fn with_a_limit_of_zero_every_call_computes<S: Subject>(open: impl Fn(&Setup) -> S) {
    computes_every_time(open(&Setup { max_entries: 0, ..Setup::default() }));
}

pub fn with_a_ttl_of_zero_every_call_computes<S: Subject>(open: impl Fn(&Setup) -> S) {
    computes_every_time(open(&Setup { ttl: Some(Duration::ZERO), ..Setup::default() }));
}

fn computes_every_time<S: Subject>(store: S) {
    let computed = Counter::new();
    let memo = Memo::new(store, |n: &u64| {
        computed.count();
        value(*n)
    });
    for _ in 0..3 {
        assert_eq!(memo.call(&1), value(1));
        assert_eq!(memo.peek(&1).unwrap(), None);
    }
    assert_eq!(memo.refresh(&1), value(1));
    assert_eq!(computed.get(), 4);
    assert_eq!(memo.len().unwrap(), 0);
}

pub fn entries_in_constant_use_are_not_evicted<S: Subject>(open: impl Fn(&Setup) -> S) {
    let computed = Counter::new();
    let memo = Memo::new(open(&Setup { max_entries: 200, ..Setup::default() }), |n: &u64| {
        computed.count();
        value(*n)
    });
    let used = 0..20;
    // Forty times what fits passes through; every now and then the same twenty are asked for.
    for n in 1000..9000 {
        memo.call(&n);
        if n % 10 == 0 {
            used.clone().for_each(|n| drop(memo.call(&n)));
        }
    }
    // In the order in which they were stored, each would be evicted after 18 of its 800 uses. A near cache does not tell the
    // store behind it of each use.
    let again = computed.get() - 8000 - 20;
    assert!(again < 200, "entries in constant use were evicted {again} times");
}

const TTL: Duration = Duration::from_secs(60);
const MOMENT: Duration = Duration::from_millis(1);
const ALMOST: Duration = Duration::from_millis(59_999);

fn expiring<S>(open: impl Fn(&Setup) -> S, ttl: Duration) -> (S, ManualClock) {
    let hand = ManualClock::new();
    (open(&Setup { ttl: Some(ttl), clock: hand.clock(), ..Setup::default() }), hand)
}

pub fn an_entry_expires_at_its_deadline_and_not_before<S: Subject>(open: impl Fn(&Setup) -> S) {
    let (store, hand) = expiring(open, TTL);
    let computed = Counter::new();
    let memo = Memo::new(store, |n: &u64| format!("{n} at {}", computed.count()));
    assert_eq!(memo.call(&1), "1 at 0");
    hand.advance(ALMOST);
    assert_eq!(memo.call(&1), "1 at 0");
    assert_eq!(memo.peek(&1).unwrap().as_deref(), Some("1 at 0"));
    hand.advance(MOMENT);
    assert_eq!(memo.peek(&1).unwrap(), None);
    assert!(!memo.forget(&1).unwrap());
    assert_eq!(memo.call(&1), "1 at 1");
    hand.advance(TTL + MOMENT);
    assert_eq!(memo.call(&1), "1 at 2");
}

pub fn storing_again_restarts_the_ttl<S: Subject>(open: impl Fn(&Setup) -> S) {
    let (store, hand) = expiring(open, TTL);
    let computed = Counter::new();
    let memo = Memo::new(store, |n: &u64| format!("{n} at {}", computed.count()));
    memo.call(&1);
    hand.advance(TTL / 2);
    assert_eq!(memo.refresh(&1), "1 at 1");
    hand.advance(ALMOST);
    assert_eq!(memo.call(&1), "1 at 1");
    hand.advance(MOMENT);
    assert_eq!(memo.call(&1), "1 at 2");
}

pub fn an_endless_ttl_never_expires<S: Subject>(open: impl Fn(&Setup) -> S) {
    let (store, hand) = expiring(open, Duration::MAX);
    store.insert(&1, &value(1)).unwrap();
    hand.advance(Duration::from_secs(100 * 365 * 24 * 3600));
    assert_eq!(store.get(&1).unwrap(), Some(value(1)));
}

/// A tiered store copies entries with the rest of their TTL.
pub fn an_entry_expires_after_the_ttl_that_it_is_given<S: Subject>(open: impl Fn(&Setup) -> S) {
    let (store, hand) = expiring(open, TTL);
    store.insert_with_ttl(&1, &value(1), Some(TTL / 3)).unwrap();
    store.insert_with_ttl(&2, &value(2), Some(TTL * 3)).unwrap();
    store.insert_with_ttl(&3, &value(3), None).unwrap();
    store.insert(&4, &value(4)).unwrap();
    store.insert_with_ttl(&4, &value(4), Some(Duration::ZERO)).unwrap();
    assert_eq!(store.get(&4).unwrap(), None, "no time at all");

    hand.advance(TTL / 3);
    assert_eq!(store.get(&1).unwrap(), None);
    for (key, left) in [(2, TTL * 2 + TTL / 3 * 2), (3, TTL / 3 * 2)] {
        let Found { value: kept, ttl: time } = store.get_with_ttl(&key).unwrap().unwrap();
        assert_eq!(kept, value(key));
        // A copy in a front may expire earlier.
        let is_left = |time| time <= left && (key == 2 || time + MOMENT >= left);
        assert!(time.is_some_and(is_left), "{time:?} where {left:?} are left");
    }
    hand.advance(TTL / 3 * 2);
    assert_eq!(store.get_with_ttl(&3).unwrap(), None);
    // A TTL of its own may be longer than that of the store.
    assert_eq!(store.get(&2).unwrap(), Some(value(2)));
    hand.advance(TTL * 2);
    assert_eq!(store.get_with_ttl(&2).unwrap(), None);
}
