//! A stale value is returned while a new one is computed, and never after it was forgotten.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use shuttle::sync::atomic::{AtomicUsize, Ordering};
use shuttle::thread;
use twat_cache_core::{Error, Found, KeyedStore, Memo, Store};

use crate::{Map, explore, spawn_all};

/// A store whose entries are stale, unless they were stored by a computation of this test.
struct Aged {
    map: Map,
    removes: bool,
}

/// From this value on, values are fresh.
const FRESH: u64 = 100;

impl Store for Aged {
    type Value = u64;
    fn len(&self) -> Result<usize, Error> {
        self.map.len()
    }
    fn clear(&self) -> Result<(), Error> {
        self.map.clear()
    }
    fn stale(&self) -> Option<Duration> {
        Some(Duration::from_secs(1))
    }
}

impl KeyedStore<u64> for Aged {
    fn get(&self, key: &u64) -> Result<Option<u64>, Error> {
        self.map.get(key)
    }
    fn insert(&self, key: &u64, value: &u64) -> Result<(), Error> {
        self.map.insert(key, value)
    }
    fn remove(&self, key: &u64) -> Result<bool, Error> {
        if self.removes { self.map.remove(key) } else { Ok(true) }
    }
    fn get_with_ttl(&self, key: &u64) -> Result<Option<Found<u64>>, Error> {
        let left = |value| Duration::from_secs(if value < FRESH { 1 } else { 2 });
        Ok(self.get(key)?.map(|value| Found { value, ttl: Some(left(value)) }))
    }
}

fn aged(removes: bool) -> Aged {
    let aged = Aged { map: Map::new(), removes };
    aged.insert(&1, &1).unwrap();
    aged
}

#[test]
fn of_callers_of_a_stale_key_one_computes_and_nobody_hangs() {
    explore(|| {
        let computed = Arc::new(AtomicUsize::new(0));
        let counter = computed.clone();
        let memo = Arc::new(Memo::new(aged(true), move |_: &u64| {
            counter.fetch_add(1, Ordering::SeqCst);
            thread::yield_now();
            FRESH
        }));
        let caller = memo.clone();
        let given = spawn_all(3, move || caller.call(&1));
        assert!(given.iter().all(|value| [1, FRESH].contains(value)) && given.contains(&FRESH), "{given:?}");
        assert_eq!(computed.load(Ordering::SeqCst), 1);
        assert_eq!(memo.call(&1), FRESH);
    });
}

/// Callers of a stale key whose computation fails, beside a `forget`.
fn a_stale_value_ends_with_its_entry(removes: bool) {
    let memo = Arc::new(Memo::new(aged(removes), |_: &u64| Err::<u64, _>("fails")));
    let callers: Vec<_> = (0..2)
        .map(|_| {
            let memo = memo.clone();
            thread::spawn(move || memo.try_call(&1))
        })
        .collect();
    assert!(memo.forget(&1).unwrap());
    assert_eq!(memo.try_call(&1), Err("fails"));
    for caller in callers {
        let given = caller.join().unwrap();
        assert!([Ok(1), Err("fails")].contains(&given), "{given:?}");
    }
}

#[test]
fn a_stale_value_that_was_forgotten_is_not_returned_when_the_function_fails() {
    explore(|| a_stale_value_ends_with_its_entry(true));
    let found = catch_unwind(AssertUnwindSafe(|| explore(|| a_stale_value_ends_with_its_entry(false))));
    assert!(found.is_err(), "no schedule shows that `forget` removes nothing");
}
