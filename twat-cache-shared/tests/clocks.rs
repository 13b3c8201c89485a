//! Clocks that are set, or that begin again with the machine: no result is refused for good, and none outlives its TTL by much.

mod common;

use std::time::Duration;

use common::numbers::{memo, value};
use twat_cache_core::testing::volatile_dir;
use twat_cache_core::{Stamp, Ticket};
use twat_cache_shared::{KeyedStore as _, ManualClock, SharedStore, Store as _, rusqlite, scache};

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn an_entry_of_a_clock_that_was_ahead_expires_at_once_and_can_be_stored_anew() {
    let dir = volatile_dir();
    let [ahead, right] = [(); 2].map(|()| ManualClock::new());
    ahead.advance(1000 * HOUR);
    let [ahead, right_store] = [ahead, right.clone()]
        .map(|hand| scache("name").dir(dir.path()).ttl(HOUR).clock(hand.clock()).open::<u64>().unwrap());
    (0..100_u64).for_each(|key| ahead.insert(&key, &1).unwrap());
    // The clock was set back.
    assert!((0..100_u64).all(|key| right_store.get(&key).unwrap().is_none()));
    (0..100_u64).for_each(|key| right_store.insert(&key, &2).unwrap());
    assert!((0..100_u64).all(|key| right_store.get(&key).unwrap() == Some(2)));
    // And forward again.
    assert!((0..100_u64).all(|key| ahead.get(&key).unwrap().is_none()));
    right.advance(HOUR);
    assert!((0..100_u64).all(|key| right_store.get(&key).unwrap().is_none()));
}

fn execute(store: &SharedStore<u64>, statement: &str) {
    store.with_connection(|connection: &rusqlite::Connection| connection.execute(statement, []).unwrap()).unwrap();
}

/// The machine's clock begins at zero each time that it is started, so times of before may be in the future.
const LATER: &str = "9000000000000000000";

#[test]
fn a_clear_of_before_the_machine_was_started_refuses_no_result() {
    let dir = volatile_dir();
    let open = || scache("name").dir(dir.path()).open::<u64>().unwrap();
    let store = open();
    store.insert(&1_u64, &1).unwrap();
    store.clear().unwrap();
    execute(&store, &format!("UPDATE space SET cleared = {LATER}"));
    // A store that has yet to read it.
    let store = open();
    let ticket = store.begin(&1_u64);
    assert!(store.insert_begun(&1_u64, &2, None, ticket).unwrap());
    assert_eq!(store.get(&1_u64).unwrap(), Some(2));
    // One of now does refuse what began before it.
    let ticket = store.begin(&1_u64);
    store.clear().unwrap();
    assert!(!store.insert_begun(&1_u64, &3, None, ticket).unwrap());
    assert_eq!(store.get(&1_u64).unwrap(), None);
}

#[test]
fn a_refresh_of_before_the_machine_was_started_is_not_the_later_one() {
    let dir = volatile_dir();
    let store = scache("name").dir(dir.path()).open::<u64>().unwrap();
    let stripe = |key: u64| store.stamp(&key).map(|Stamp { stripe, .. }| stripe);
    let neighbour = (2..1_000_000_u64).find(|key| stripe(*key) == stripe(1)).unwrap();
    for (began, expected) in [(LATER, None), ("began", Some(7))] {
        let refresh = Ticket { is_refresh: true, ..store.begin(&1_u64) };
        store.insert(&1_u64, &7).unwrap();
        execute(&store, &format!("UPDATE entry SET began = {began}"));
        // Raises the barrier of both, so that only the entry tells which refresh is the later one.
        store.remove(&neighbour).unwrap();
        assert!(!store.insert_begun(&1_u64, &8, None, refresh).unwrap());
        assert_eq!(store.get(&1_u64).unwrap(), expected);
        store.remove(&1_u64).unwrap();
    }
}

#[test]
fn barriers_of_before_the_machine_was_started_refuse_no_result() {
    let dir = volatile_dir();
    common::numbers::fill(dir.path(), 0..10);
    let path = dir.path().join("scache/meta-1");
    let mut meta = std::fs::read(&path).unwrap();
    for stripe in meta[64..32832].chunks_mut(16) {
        stripe[..8].copy_from_slice(&9_000_000_000_000_000_000_u64.to_le_bytes());
    }
    std::fs::write(&path, meta).unwrap();
    let (memo, computed) = memo(dir.path());
    assert!(memo.forget(&1).unwrap());
    (0..2).for_each(|_| assert_eq!((memo.call(&1), memo.call(&2), memo.refresh(&3)), (value(1), value(2), value(3))));
    assert_eq!(computed.get(), 3);
    assert_eq!(common::numbers::stored(&memo, 0..10), 10);
}

#[test]
fn an_entry_that_was_used_in_the_future_is_evicted_in_its_turn() {
    let dir = volatile_dir();
    let store = scache("name").dir(dir.path()).max_bytes(100 * 80).open::<u64>().unwrap();
    (0..100_u64).for_each(|key| store.insert(&key, &key).unwrap());
    execute(&store, &format!("UPDATE entry SET used = {LATER}"));
    (100..400_u64).for_each(|key| store.insert(&key, &key).unwrap());
    assert!((0..100_u64).all(|key| store.get(&key).unwrap().is_none()));
    assert!(store.len().unwrap() >= 95);
}
