//! Rules by value: `keep_if` and `ttl_by`. And `TWAT_CACHE=off`, with which nothing is kept at all.

use std::path::Path;
use std::time::Duration;

use twat_cache_core::testing::child::{Child, Task};
use twat_cache_core::testing::{Counter, block_on, record_logs};
use twat_cache_core::{Fallback, KeyedStore as _, LruStore, ManualClock, Memo, Tiered};

const SECOND: Duration = Duration::from_secs(1);

/// Expires after ten seconds.
fn memory(hand: &ManualClock) -> LruStore<u64> {
    LruStore::new(100).ttl(10 * SECOND).clock(hand.clock())
}

#[test]
fn a_result_that_is_not_to_be_kept_is_returned_and_replaces_what_was_kept() {
    let memo = Memo::new(LruStore::new(10), |n: &u64| n % 10).keep_if(|value| *value > 0);
    assert_eq!((memo.call(&10), memo.call(&11)), (0, 1));
    assert_eq!(memo.len().unwrap(), 1);
    memo.insert(&20, &5).unwrap();
    assert_eq!(memo.call(&20), 5);
    assert_eq!(memo.refresh(&20), 0);
    assert_eq!(memo.peek(&20).unwrap(), None);
    memo.insert(&11, &0).unwrap();
    assert_eq!(memo.len().unwrap(), 0);
}

#[test]
fn rules_see_the_value_of_a_result_that_is_ok() {
    let parse = |text: &str| text.parse::<u64>();
    let memo = Memo::new(LruStore::new(10), parse).keep_if(|value| *value > 9);
    assert_eq!((memo.try_call("1"), memo.try_call("10")), (Ok(1), Ok(10)));
    assert!(memo.try_call("many").is_err());
    assert_eq!(memo.len().unwrap(), 1);
}

#[test]
fn a_result_has_the_ttl_that_is_chosen_by_its_value_instead_of_that_of_the_store() {
    let hand = ManualClock::new();
    let memo = Memo::new(memory(&hand), |n: &u64| *n).ttl_by(|value| Duration::from_secs(*value));
    for n in [0, 5, 20] {
        memo.call(&n);
    }
    assert_eq!(memo.peek(&0).unwrap(), None);
    hand.advance(5 * SECOND);
    assert_eq!((memo.peek(&5).unwrap(), memo.peek(&20).unwrap()), (None, Some(20)));
    hand.advance(14 * SECOND);
    assert_eq!(memo.peek(&20).unwrap(), Some(20));
    hand.advance(SECOND);
    assert_eq!(memo.peek(&20).unwrap(), None);
}

#[test]
fn rules_hold_in_any_order_and_through_tiers_and_fallbacks() {
    let hand = ManualClock::new();
    let store = || Tiered::new(memory(&hand), Fallback::new(memory(&hand), memory(&hand)));
    let function = |n: &u64| *n;
    let (keep, ttl) = (|value: &u64| *value != 3, |value: &u64| Duration::from_secs(*value));
    let check = |peek: &dyn Fn(u64) -> Option<u64>| {
        assert_eq!(peek(3), None);
        hand.advance(5 * SECOND);
        assert_eq!((peek(5), peek(6)), (None, Some(6)));
        hand.advance(SECOND);
        assert_eq!(peek(6), None);
    };
    let memo = Memo::new(store(), function).keep_if(keep).ttl_by(ttl);
    for n in [3, 5, 6] {
        assert_eq!(memo.call(&n), n);
    }
    check(&|n| memo.peek(&n).unwrap());
    let memo = Memo::new(store(), function).ttl_by(ttl).keep_if(keep);
    for n in [3, 5, 6] {
        assert_eq!(memo.call(&n), n);
    }
    check(&|n| memo.peek(&n).unwrap());
    // The store inside leads to its parts.
    assert_eq!(memo.store().front().get(&3_u64).unwrap(), None);
}

#[test]
fn async_functions_have_rules_too() {
    let memo = Memo::new_async(LruStore::new(10), async |n: &u64| *n).keep_if(|value| *value > 1);
    block_on(async {
        assert_eq!((memo.call_async(&1).await, memo.call_async(&2).await), (1, 2));
    });
    assert_eq!(memo.len().unwrap(), 1);
}

#[test]
fn after_a_rule_that_panics_the_result_is_returned_and_not_kept() {
    let logs = record_logs();
    let memo = Memo::new(LruStore::new(10), |n: &u64| *n).keep_if(|value| panic!("for {value}"));
    memo.store().insert_with_ttl(&1_u64, &0, Some(Duration::ZERO)).unwrap();
    for n in 0..3 {
        assert_eq!(memo.call(&n), n);
    }
    assert_eq!(memo.len().unwrap(), 0);
    assert!(!logs.warnings("store a result").is_empty());
}

#[test]
fn child_that_computes_every_time() {
    let Some(task) = Task::given() else { return };
    let computed = Counter::new();
    let memo = Memo::new(LruStore::new(10), |n: &u64| {
        computed.count();
        *n
    });
    memo.store().insert(&1_u64, &10).unwrap();
    assert_eq!((memo.call(&1), memo.call(&1), memo.refresh(&1)), (1, 1, 1));
    assert_eq!(block_on(memo.call_with_async(&1, async || 2)), 2);
    memo.insert(&2, &20).unwrap();
    assert_eq!((memo.peek(&1).unwrap(), memo.peek(&2).unwrap()), (None, None));
    task.say(computed.get());
    // What was stored before is there, and can be removed.
    assert_eq!((memo.len().unwrap(), memo.forget(&1).unwrap(), memo.len().unwrap()), (1, true, 0));
}

#[test]
fn with_a_variable_every_call_computes_and_nothing_is_stored() {
    let child = Child::with("child_that_computes_every_time", Path::new("."), [("TWAT_CACHE", &"off")]);
    assert_eq!(child.finish(), ["3"]);
}
