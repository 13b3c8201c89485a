//! What a store takes of the memory, and when it gives it back.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use quick_cache::sync::Cache;
use twat_cache_mem::{Engine, Found, KeyedStore, ManualClock, MemStore, Memo, Store, mcache};

struct Counting;

thread_local! {
    /// The bytes that this thread has allocated and not freed: no test here uses another one.
    static BYTES: Cell<usize> = const { Cell::new(0) };
}

#[expect(unsafe_code, reason = "there is no other way to be the allocator")]
// SAFETY: everything is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        BYTES.set(BYTES.get().wrapping_add(layout.size()));
        // SAFETY: the caller keeps `alloc`'s contract, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        BYTES.set(BYTES.get().wrapping_sub(layout.size()));
        // SAFETY: as above; the pointer came from `System`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const MINUTE: Duration = Duration::from_secs(60);

/// What is made, and how many bytes it takes.
fn taken<T>(make: impl FnOnce() -> T) -> (T, usize) {
    let before = BYTES.get();
    let result = make();
    (result, BYTES.get().wrapping_sub(before))
}

#[test]
fn an_entry_without_deadline_and_weight_takes_what_the_engine_takes() {
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
type Mortal = Memo<MemStore<u64, Kilobyte>, fn(&u64) -> Kilobyte>;

/// A thousand values of a thousand bytes, which expire after a minute.
fn mortal() -> (ManualClock, Mortal) {
    let hand = ManualClock::new();
    let memo: Mortal = mcache().ttl(MINUTE).clock(hand.clock()).wrap(|_| Arc::new([0; 1000]));
    let ((), bytes) = taken(|| (0..1000).for_each(|n| drop(memo.call(&n))));
    assert!(bytes > 1_000_000);
    (hand, memo)
}

#[test]
fn what_has_expired_is_gone_within_a_minute_whatever_the_memo_is_used_for() {
    type Use = fn(&dyn KeyedStore<u64, Value = Kilobyte>);
    let uses: [Use; 4] = [
        |store| assert!(store.get(&1).unwrap().is_none()),
        |store| assert!(store.get(&5000).unwrap().is_none()),
        |store| store.insert(&5000, &Arc::new([0; 1000])).unwrap(),
        |store| assert!(!store.remove(&1).unwrap()),
    ];
    for (number, used) in uses.into_iter().enumerate() {
        let (hand, memo) = mortal();
        let ((), freed) = taken(|| {
            hand.advance(MINUTE * 2);
            used(memo.store());
        });
        assert!(freed.wrapping_neg() > 990_000, "use {number} has freed {} bytes", freed.wrapping_neg());
        assert!(memo.len().unwrap() <= 1);
    }
}

#[test]
fn hits_of_what_lives_remove_what_has_expired() {
    let (hand, memo) = mortal();
    hand.advance(MINUTE / 2);
    memo.refresh(&1);
    hand.advance(MINUTE / 2);
    assert!(memo.peek(&1).unwrap().is_some());
    assert_eq!(memo.len().unwrap(), 1);
}

#[test]
fn a_short_life_is_over_soon() {
    let hand = ManualClock::new();
    let memo = mcache().ttl(Duration::from_millis(1)).clock(hand.clock()).wrap(|_: &u64| vec![0_u8; 1000]);
    (0..1000).for_each(|n| drop(memo.call(&n)));
    hand.advance(Duration::from_secs(1));
    memo.call(&0);
    assert_eq!(memo.len().unwrap(), 1);
}

#[test]
fn what_lives_on_stays() {
    let (hand, memo) = mortal();
    for _ in 0..10 {
        hand.advance(MINUTE / 10);
        (0..1000).step_by(2).for_each(|n| drop(memo.refresh(&n)));
    }
    assert_eq!(memo.len().unwrap(), 500);
    assert!((0..1000).step_by(2).all(|n| memo.peek(&n).unwrap().is_some()));
}

#[test]
fn clearing_gives_all_memory_back() {
    let (memo, empty) = taken(|| mcache().max_entries(50_000).wrap(|n: &u64| *n));
    let ((), full) = taken(|| (0..50_000).for_each(|n| assert_eq!(memo.call(&n), n)));
    assert!(full > 50_000 * 32);
    let ((), cleared) = taken(|| memo.clear().unwrap());
    let left = full.wrapping_add(cleared);
    // What the memo itself has made for its calls may stay.
    assert!(left < 50_000, "{left} of {full} bytes are left, and {empty} were there");
}

#[test]
fn what_expires_gives_the_memory_of_its_entries_back_as_well() {
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
fn what_is_kept_about_entries_is_in_proportion_to_the_weight_that_they_may_have() {
    let memo =
        mcache().weigher(1 << 20, |_: &u64, value: &Vec<u8>| value.len() as u64).wrap(|_: &u64| vec![0_u8; 1024]);
    let ((), bytes) = taken(|| (0..20_000).for_each(|n| drop(memo.call(&n))));
    assert_eq!(memo.store().cache().weight(), 1 << 20);
    let above = bytes - (1 << 20);
    assert!(above < 300_000, "{above} bytes for 1024 entries of 1024 B");
}

#[test]
fn a_store_without_a_ttl_takes_what_is_to_expire() {
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
    // What was there before is lost, and not shown when it is cleared, or ever.
    assert_eq!((store.get(&1).unwrap(), store.len().unwrap()), (None, 1));
    store.clear().unwrap();
    assert_eq!((store.get(&3).unwrap(), store.len().unwrap()), (None, 0));
}
