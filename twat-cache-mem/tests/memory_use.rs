//! How much memory a store takes, and when it gives it back.

use std::sync::Arc;
use std::time::Duration;

use counting::taken;
use quick_cache::sync::Cache;
use twat_cache_mem::{Engine, Found, KeyedStore, ManualClock, MemStore, Memo, Store, mcache};

twat_cache_core::counting_allocator!();

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn an_entry_without_deadline_and_weight_takes_no_more_than_in_the_engine_alone() {
    let entries = 20_000;
    let (bare, engine) = taken(|| {
        let cache = Cache::<u64, u64>::new(entries);
        (0..entries as u64).for_each(|n| cache.insert(n, n));
        cache
    });
    let (memo, own) = taken(|| {
        let memo = mcache().max_entries(entries).wrap(|n: &u64| *n);
        (0..entries as u64).for_each(|n| assert_eq!(memo.call(&n), n));
        memo
    });
    assert_eq!(memo.len().unwrap(), entries);
    assert!(bare.len() <= entries && own * 10 <= engine * 11, "{own} bytes, the engine {engine}");
}

type Kilobyte = Arc<[u8; 1000]>;
type Expiring = Memo<MemStore<u64, Kilobyte>, fn(&u64) -> Kilobyte>;

/// A thousand values of a thousand bytes, which expire after a minute.
fn expiring() -> (ManualClock, Expiring) {
    let hand = ManualClock::new();
    let memo: Expiring = mcache().ttl(MINUTE).clock(hand.clock()).wrap(|_| Arc::new([0; 1000]));
    let ((), bytes) = taken(|| (0..1000).for_each(|n| drop(memo.call(&n))));
    assert!(bytes > 1_000_000);
    (hand, memo)
}

#[test]
fn any_use_of_a_store_removes_entries_that_expired_a_minute_ago() {
    type Use = fn(&dyn KeyedStore<u64, Value = Kilobyte>);
    let uses: [Use; 4] = [
        |store| assert!(store.get(&1).unwrap().is_none()),
        |store| assert!(store.get(&5000).unwrap().is_none()),
        |store| store.insert(&5000, &Arc::new([0; 1000])).unwrap(),
        |store| assert!(!store.remove(&1).unwrap()),
    ];
    for (number, used) in uses.into_iter().enumerate() {
        let (hand, memo) = expiring();
        let ((), freed) = taken(|| {
            hand.advance(MINUTE * 2);
            used(memo.store());
        });
        assert!(freed.wrapping_neg() > 990_000, "use {number} has freed {} bytes", freed.wrapping_neg());
        assert!(memo.len().unwrap() <= 1);
    }
}

#[test]
fn hits_of_other_entries_remove_expired_ones() {
    let (hand, memo) = expiring();
    hand.advance(MINUTE / 2);
    memo.refresh(&1);
    hand.advance(MINUTE / 2);
    assert!(memo.peek(&1).unwrap().is_some());
    assert_eq!(memo.len().unwrap(), 1);
}

#[test]
fn entries_with_a_short_ttl_are_removed_soon() {
    let hand = ManualClock::new();
    let memo = mcache().ttl(Duration::from_millis(1)).clock(hand.clock()).wrap(|_: &u64| vec![0_u8; 1000]);
    (0..1000).for_each(|n| drop(memo.call(&n)));
    hand.advance(Duration::from_secs(1));
    memo.call(&0);
    assert_eq!(memo.len().unwrap(), 1);
}

#[test]
fn entries_that_are_refreshed_stay_while_others_expire() {
    let (hand, memo) = expiring();
    for _ in 0..10 {
        hand.advance(MINUTE / 10);
        (0..1000).step_by(2).for_each(|n| drop(memo.refresh(&n)));
    }
    assert_eq!(memo.len().unwrap(), 500);
    assert!((0..1000).step_by(2).all(|n| memo.peek(&n).unwrap().is_some()));
}

#[test]
fn clearing_frees_all_memory() {
    let (memo, empty) = taken(|| mcache().max_entries(50_000).wrap(|n: &u64| *n));
    let ((), full) = taken(|| (0..50_000).for_each(|n| assert_eq!(memo.call(&n), n)));
    assert!(full > 50_000 * 32);
    let ((), cleared) = taken(|| memo.clear().unwrap());
    let left = full.wrapping_add(cleared);
    // What the memo itself has made for its calls may stay.
    assert!(left < 50_000, "{left} of {full} bytes are left, and {empty} were there");
}

#[test]
fn expiry_frees_the_memory_of_the_table_as_well() {
    let hand = ManualClock::new();
    let store = mcache().max_entries(50_000).ttl(MINUTE).clock(hand.clock()).open::<u64, u64>();
    let ((), full) = taken(|| (0..50_000).for_each(|n| store.insert(&n, &n).unwrap()));
    let ((), swept) = taken(|| {
        hand.advance(MINUTE * 2);
        assert_eq!(store.get(&1).unwrap(), None);
    });
    assert!(full.wrapping_add(swept) < 10_000 && full > 50_000 * 32);
}

#[test]
fn the_overhead_is_in_proportion_to_the_limit_on_weight() {
    let memo =
        mcache().weigher(1 << 20, |_: &u64, value: &Vec<u8>| value.len() as u64).wrap(|_: &u64| vec![0_u8; 1024]);
    let ((), bytes) = taken(|| (0..20_000).for_each(|n| drop(memo.call(&n))));
    assert_eq!(memo.store().cache().weight(), 1 << 20);
    let above = bytes - (1 << 20);
    assert!(above < 300_000, "{above} bytes for 1024 entries of 1024 B");
}

#[test]
fn a_store_without_a_ttl_stores_an_entry_with_one() {
    let hand = ManualClock::new();
    let store = mcache().clock(hand.clock()).open::<u64, u64>();
    store.insert(&1, &1).unwrap();
    assert!(matches!(store.cache(), Engine::Bare(_)));
    store.insert_with_ttl(&2, &2, Some(MINUTE)).unwrap();
    store.insert(&3, &3).unwrap();
    assert!(matches!(store.cache(), Engine::Timed(_)));
    assert_eq!(store.get_with_ttl(&2).unwrap(), Some(Found { value: 2, ttl: Some(MINUTE) }));
    hand.advance(MINUTE);
    assert_eq!(store.get(&2).unwrap(), None);
    assert_eq!(store.get_with_ttl(&3).unwrap(), Some(Found { value: 3, ttl: None }));
    // The older entries are lost, and never shown again, not even when the store is cleared.
    assert_eq!((store.get(&1).unwrap(), store.len().unwrap()), (None, 1));
    store.clear().unwrap();
    assert_eq!((store.get(&3).unwrap(), store.len().unwrap()), (None, 0));
}
