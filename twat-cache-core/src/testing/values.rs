//! The right value, and no computation too many: scenarios 1, 5, 6, 7 and 8.

#![allow(missing_docs, reason = "the names say it")]

use std::cell::Cell;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use super::{Counter, Setup};
use crate::{KeyedStore, ManualClock, Memo};

/// A store for the suite. `'static`, because some tests end on a thread of their own.
pub trait Subject: KeyedStore<u64, Value = String> + 'static {}
impl<S: KeyedStore<u64, Value = String> + 'static> Subject for S {}

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

pub fn empty_results_are_results<S: Subject>(open: impl Fn(&Setup) -> S) {
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

pub fn errors_are_returned_as_they_are_and_not_kept<S: Subject>(open: impl Fn(&Setup) -> S) {
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
    assert_eq!(memo.refresh(&3), "3 at 4", "also where nothing is");
    assert_eq!(memo.len().unwrap(), 3);

    memo.clear().unwrap();
    assert_eq!(memo.len().unwrap(), 0);
    assert_eq!(memo.call(&1), "1 at 5");

    let failing = Memo::new(memo.store(), |_: &u64| Err::<String, _>("no"));
    assert_eq!(failing.try_refresh(&1), Err("no"));
    assert_eq!(failing.try_call(&1), Ok("1 at 5".to_owned()), "after an error, what is there stays");
}

/// Scenario 8: the cache beside the bare function, whose answers change when the program says so.
pub fn a_random_program_sees_what_the_function_gives<S: Subject>(open: impl Fn(&Setup) -> S) {
    for seed in 1..=20 {
        let mut random = Random(seed << 32 | 0x9E37_79B9);
        let world = Cell::new(0_u64);
        let function = |n: &u64| format!("{n} in world {}", world.get());
        let (hand, ttl) = (ManualClock::new(), Duration::from_secs(60));
        let memo = Memo::new(open(&Setup { ttl: Some(ttl), clock: hand.clock(), ..Setup::default() }), function);
        // What the cache may know of each key: the last answer, unless forgotten since.
        let mut known = vec![None; 8];
        for _ in 0..200 {
            let key = random.below(8);
            let slot = usize::try_from(key).unwrap();
            match random.below(10) {
                0..5 => {
                    let expected = known[slot].clone().unwrap_or_else(|| function(&key));
                    assert_eq!(memo.call(&key), expected);
                    known[slot] = Some(expected);
                }
                5 => assert_eq!(memo.peek(&key).unwrap(), known[slot]),
                6 => assert_eq!(memo.forget(&key).unwrap(), known[slot].take().is_some()),
                7 => {
                    assert_eq!(memo.refresh(&key), function(&key));
                    known[slot] = Some(function(&key));
                }
                8 => world.set(world.get() + 1),
                _ => match random.below(5) {
                    0 => {
                        memo.clear().unwrap();
                        known.fill(None);
                    }
                    1 => {
                        hand.advance(ttl);
                        known.fill(None);
                    }
                    // What has expired may still be counted.
                    _ => assert!(memo.len().unwrap() >= known.iter().flatten().count()),
                },
            }
        }
    }
}

pub fn async_calls_see_the_same_values<S: Subject>(open: impl Fn(&Setup) -> S) {
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

/// xorshift64*, by Vigna (<https://vigna.di.unimi.it/ftp/papers/xorshift.pdf>): the same programs every time.
#[derive(Debug)]
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % limit
    }
}

/// Runs a future on this thread: an executor of one task.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}

/// Gives way to the other tasks, once.
pub async fn yield_once() {
    let mut yielded = false;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
