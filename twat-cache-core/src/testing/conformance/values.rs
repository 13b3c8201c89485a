//! The right result, and no computation too many: scenarios 1, 5, 6, 7 and 8.

#![allow(missing_docs, reason = "the names say it")]

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{Setup, Subject};
use crate::Memo;
use crate::testing::twin::{TTL, Twin};
use crate::testing::{Counter, block_on, yield_once};

fn name(n: u64) -> String {
    format!("number {n}")
}

pub fn a_result_is_computed_once_per_key<S: Subject>(open: impl Fn(&Setup) -> S) {
    let computed = Counter::new();
    let memo = Memo::new(open(&Setup::default()), |n: &u64| {
        computed.count();
        name(*n)
    });
    for n in 0..3 {
        assert_eq!(memo.call(&n), name(n));
        assert_eq!(memo.call(&n), name(n));
        assert_eq!(computed.get(), usize::try_from(n).unwrap() + 1);
    }
    assert_eq!(memo.len().unwrap(), 3);
}

pub fn an_empty_result_is_cached_like_any_other<S: Subject>(open: impl Fn(&Setup) -> S) {
    let computed = Counter::new();
    let memo = Memo::new(open(&Setup::default()), |_: &u64| {
        computed.count();
        String::new()
    });
    for _ in 0..3 {
        assert_eq!(memo.call(&0), "");
    }
    assert_eq!(computed.get(), 1);
    assert_eq!(memo.peek(&0).unwrap().as_deref(), Some(""));
}

pub fn errors_are_returned_unchanged_and_not_cached<S: Subject>(open: impl Fn(&Setup) -> S) {
    #[derive(Debug, PartialEq)]
    struct Refusal(usize);

    let computed = Counter::new();
    let memo = Memo::new(open(&Setup::default()), |n: &u64| match computed.count() {
        attempt @ 0..3 => Err(Refusal(attempt)),
        _ => Ok(name(*n)),
    });
    for attempt in 0..3 {
        assert_eq!(memo.try_call(&5), Err(Refusal(attempt)));
        assert_eq!(computed.get(), attempt + 1);
    }
    assert_eq!(memo.try_call(&5), Ok(name(5)));
    assert_eq!(memo.try_call(&5), Ok(name(5)));
    assert_eq!(computed.get(), 4);
}

pub fn a_panic_reaches_its_caller_and_the_key_works_afterwards<S: Subject>(open: impl Fn(&Setup) -> S) {
    let computed = Counter::new();
    let memo = Memo::new(open(&Setup::default()), |n: &u64| {
        assert_ne!(computed.count(), 0, "the first computation panics");
        name(*n)
    });
    let panic = catch_unwind(AssertUnwindSafe(|| memo.call(&1))).unwrap_err();
    assert!(panic.downcast_ref::<String>().unwrap().contains("the first computation panics"));
    assert_eq!(memo.call(&1), name(1));
    assert_eq!(memo.call(&1), name(1));
    assert_eq!(computed.get(), 2);
}

pub fn peek_never_computes<S: Subject>(open: impl Fn(&Setup) -> S) {
    let memo = Memo::new(open(&Setup::default()), |n: &u64| name(*n));
    assert_eq!(memo.peek(&1).unwrap(), None);
    memo.call(&1);
    assert_eq!(memo.peek(&1).unwrap(), Some(name(1)));
    assert_eq!(memo.peek(&2).unwrap(), None);
}

pub fn forget_clear_and_refresh_do_what_they_say<S: Subject>(open: impl Fn(&Setup) -> S) {
    let computed = Counter::new();
    let memo = Memo::new(open(&Setup::default()), |n: &u64| format!("{n} at {}", computed.count()));
    assert_eq!(memo.call(&1), "1 at 0");
    assert_eq!(memo.call(&2), "2 at 1");

    assert!(memo.forget(&1).unwrap());
    assert!(!memo.forget(&1).unwrap());
    assert_eq!(memo.call(&1), "1 at 2");
    assert_eq!(memo.call(&2), "2 at 1", "another key stays");

    assert_eq!(memo.refresh(&2), "2 at 3");
    assert_eq!(memo.call(&2), "2 at 3");
    assert_eq!(memo.refresh(&3), "3 at 4", "also where there is no entry");
    assert_eq!(memo.len().unwrap(), 3);

    memo.clear().unwrap();
    assert_eq!(memo.len().unwrap(), 0);
    assert_eq!(memo.call(&1), "1 at 5");

    let failing = Memo::new(memo.store(), |_: &u64| Err::<String, _>("no"));
    assert_eq!(failing.try_refresh(&1), Err("no"));
    assert_eq!(failing.try_call(&1), Ok("1 at 5".to_owned()), "after an error, the entry stays");
}

pub fn a_random_program_gets_the_results_of_the_function<S: Subject>(open: impl Fn(&Setup) -> S) {
    for seed in 1..=20 {
        let mut twin = Twin::new(seed);
        let world = twin.world.clone();
        let function = |n: &u64| world.text(*n);
        let memo = Memo::new(open(&Setup { ttl: Some(TTL), clock: twin.clock(), ..Setup::default() }), function);
        for _ in 0..200 {
            twin.step(&memo, function, Memo::call);
        }
    }
}

pub fn async_calls_get_the_same_results<S: Subject>(open: impl Fn(&Setup) -> S) {
    let computed = Counter::new();
    let memo = Memo::new(open(&Setup::default()), async |n: &u64| {
        yield_once().await;
        match computed.count() {
            0 => Err("the first fails"),
            at => Ok(format!("{n} at {at}")),
        }
    });
    block_on(async {
        assert_eq!(memo.try_call_async(&1).await, Err("the first fails"));
        assert_eq!(memo.try_call_async(&1).await, Ok("1 at 1".to_owned()));
        assert_eq!(memo.try_call_async(&1).await, Ok("1 at 1".to_owned()));
        assert_eq!(memo.try_refresh_async(&1).await, Ok("1 at 2".to_owned()));
        assert_eq!(memo.peek(&1).unwrap(), Some("1 at 2".to_owned()));
    });
    let plain = Memo::new(memo.store(), async |n: &u64| name(*n));
    block_on(async {
        assert_eq!(plain.call_async(&1).await, "1 at 2", "the store's, not the function's");
        assert_eq!(plain.refresh_async(&1).await, name(1));
        assert_eq!(plain.call_async(&1).await, name(1));
    });
}
