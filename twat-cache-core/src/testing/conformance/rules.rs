//! Rules that decide by the value whether and for how long it is kept.

#![allow(missing_docs, reason = "the names say it")]

use std::time::Duration;

use super::{Setup, Subject};
use crate::testing::{Counter, record_logs};
use crate::{ManualClock, Memo};

const TTL: Duration = Duration::from_secs(60);
const MOMENT: Duration = Duration::from_millis(1);

/// A moment less.
fn almost(time: Duration) -> Duration {
    time.saturating_sub(MOMENT)
}

fn open_by<S>(open: impl Fn(&Setup) -> S, ttl: Option<Duration>) -> (S, ManualClock) {
    let hand = ManualClock::new();
    (open(&Setup { ttl, clock: hand.clock(), ..Setup::default() }), hand)
}

pub fn a_result_with_a_ttl_of_zero_is_returned_and_an_earlier_one_is_removed<S: Subject>(open: impl Fn(&Setup) -> S) {
    for ttl in [None, Some(TTL)] {
        let (store, _hand) = open_by(&open, ttl);
        let computed = Counter::new();
        let memo = Memo::new(store, |n: &u64| format!("{n} at {}", computed.count()));
        let memo = memo.ttl_by(|value| if value.ends_with("at 0") { TTL } else { Duration::ZERO });
        assert_eq!(memo.call(&1), "1 at 0");
        assert_eq!(memo.call(&1), "1 at 0");
        assert_eq!(memo.refresh(&1), "1 at 1");
        assert_eq!(memo.peek(&1).unwrap(), None, "neither the new one is there, nor the old one");
        assert_eq!(memo.len().unwrap(), 0);
        assert_eq!(memo.call(&1), "1 at 2");
        assert_eq!(memo.call(&1), "1 at 3");
    }
}

pub fn a_ttl_by_the_value_replaces_the_ttl_of_the_store<S: Subject>(open: impl Fn(&Setup) -> S) {
    for ttl in [None, Some(TTL)] {
        let (store, hand) = open_by(&open, ttl);
        let computed = Counter::new();
        let memo = Memo::new(store, |n: &u64| format!("{n} at {}", computed.count()));
        let memo = memo.ttl_by(|value| if value.starts_with('1') { TTL / 2 } else { TTL * 2 });
        let [short, long] = [1, 2];
        assert_eq!((memo.call(&short), memo.call(&long)), ("1 at 0".to_owned(), "2 at 1".to_owned()));
        hand.advance(almost(TTL / 2));
        assert_eq!(memo.call(&short), "1 at 0");
        hand.advance(MOMENT);
        assert_eq!(memo.peek(&short).unwrap(), None);
        hand.advance(almost(TTL + TTL / 2));
        assert_eq!(memo.call(&long), "2 at 1", "it is longer than the store's own");
        hand.advance(MOMENT);
        assert_eq!(memo.call(&long), "2 at 2");
        memo.insert(&short, &"1 by hand".to_owned()).unwrap();
        hand.advance(TTL / 2);
        assert_eq!(memo.peek(&short).unwrap(), None, "what is inserted follows the rule, too");
    }
}

pub fn a_result_that_is_not_to_be_kept_is_returned_and_an_earlier_one_is_removed<S: Subject>(
    open: impl Fn(&Setup) -> S,
) {
    let computed = Counter::new();
    let memo = Memo::new(open(&Setup::default()), |n: &u64| match computed.count() {
        0 => Ok(n.to_string()),
        1 => Ok(String::new()),
        _ => Err("it fails"),
    });
    let memo = memo.keep_if(|value| !value.is_empty());
    assert_eq!(memo.try_call(&1), Ok("1".to_owned()));
    assert_eq!(memo.try_call(&1), Ok("1".to_owned()));
    assert_eq!(memo.try_refresh(&1), Ok(String::new()));
    assert_eq!(memo.peek(&1).unwrap(), None);
    assert_eq!(memo.try_call(&1), Err("it fails"), "the rule sees values only");
    assert_eq!((memo.len().unwrap(), computed.get()), (0, 3));
}

pub fn a_rule_that_panics_loses_no_result_and_is_one_warning<S: Subject>(open: impl Fn(&Setup) -> S) {
    let logs = record_logs();
    let warnings = || logs.warnings("cannot store a result: a callback panicked").len();
    let before = warnings();
    let store = open(&Setup::default());
    Memo::new(&store, |n: &u64| n.to_string()).call(&1);
    let computed = Counter::new();
    let memo = Memo::new(&store, |n: &u64| {
        computed.count();
        n.to_string()
    });
    let memo = memo.keep_if(|value| if value == "2" { true } else { panic!("the rule panics") });
    assert_eq!(memo.refresh(&1), "1");
    assert_eq!(memo.peek(&1).unwrap(), None, "the earlier result is removed");
    for _ in 0..3 {
        assert_eq!(memo.call(&1), "1");
        assert_eq!(memo.call(&2), "2");
    }
    assert_eq!(computed.get(), 5);
    // Tests of other stores run at the same time, each with at most one warning.
    assert!(warnings() > before);
}

pub fn rules_combine<S: Subject>(open: impl Fn(&Setup) -> S) {
    let (store, hand) = open_by(open, Some(TTL));
    let is_kept = |value: &String| !value.starts_with('1');
    let ttl = |value: &String| if value.starts_with('2') { TTL * 2 } else { Duration::ZERO };
    let all = |what: &dyn Fn(&u64)| (1..=3).for_each(|n| what(&n));
    let one = Memo::new(&store, |n: &u64| n.to_string()).keep_if(is_kept).ttl_by(ttl);
    let other = Memo::new(&store, |n: &u64| n.to_string()).ttl_by(ttl).keep_if(is_kept);
    all(&|n| assert_eq!(one.call(n), n.to_string()));
    let kept = |n: u64| store.get(&n).unwrap().is_some();
    assert_eq!([1, 2, 3].map(kept), [false, true, false]);
    store.clear().unwrap();
    all(&|n| assert_eq!(other.call(n), n.to_string()));
    assert_eq!([1, 2, 3].map(kept), [false, true, false]);
    hand.advance(almost(TTL * 2));
    assert!(kept(2));
    hand.advance(MOMENT);
    assert!(!kept(2));
}
