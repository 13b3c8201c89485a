//! What the limit drives out is counted, and handed to `on_evict`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use twat_cache_core::testing::{Counter, PATIENCE, record_logs, within};
use twat_cache_mem::{KeyedStore, ManualClock, MemBuilder, MemStore, Memo, Store, mcache};

/// What an `on_evict` was called with.
type Heard = Arc<Mutex<Vec<(u64, u64)>>>;

fn hear() -> (Heard, impl Fn(&u64, &u64) + Send + Sync + 'static) {
    let heard = Heard::default();
    (heard.clone(), move |key: &u64, value: &u64| heard.lock().unwrap().push((*key, *value)))
}

fn insert(store: &MemStore<u64, u64>, keys: impl IntoIterator<Item = u64>) {
    keys.into_iter().for_each(|key| store.insert(&key, &(key * 10)).unwrap());
}

fn kept(store: &MemStore<u64, u64>, keys: impl IntoIterator<Item = u64>) -> Vec<u64> {
    keys.into_iter().filter(|key| store.get(key).unwrap().is_some()).collect()
}

/// Every entry is either kept or was heard of once, with its value.
fn all_are_accounted_for(store: &MemStore<u64, u64>, heard: &Heard, keys: std::ops::Range<u64>) {
    let mut all = kept(store, keys.clone());
    for (key, value) in heard.lock().unwrap().iter() {
        assert_eq!(*value, key * 10);
        all.push(*key);
    }
    all.sort_unstable();
    assert_eq!(all, keys.collect::<Vec<_>>());
    assert_eq!(store.evictions(), heard.lock().unwrap().len() as u64);
}

#[test]
fn each_entry_that_the_limit_drives_out_is_heard_of_once() {
    for max_entries in [1, 2, 10, 100, 1000] {
        for ttl in [None, Some(Duration::from_secs(60))] {
            let (heard, on_evict) = hear();
            let builder = mcache().max_entries(max_entries).on_evict(on_evict);
            let store = ttl.into_iter().fold(builder, MemBuilder::ttl).open();
            insert(&store, 0..3000);
            all_are_accounted_for(&store, &heard, 0..3000);
        }
    }
}

#[test]
fn no_thread_loses_an_eviction() {
    let (heard, on_evict) = hear();
    let store = mcache().max_entries(500).on_evict(on_evict).open();
    thread::scope(|scope| {
        for part in 0..4 {
            let store = &store;
            scope.spawn(move || insert(store, part * 1000..(part + 1) * 1000));
        }
    });
    all_are_accounted_for(&store, &heard, 0..4000);
}

#[test]
fn a_weigher_and_on_evict_combine_in_any_order() {
    let weigh = |_: &u64, value: &u64| value / 10 % 2 + 1;
    let (heard, on_evict) = hear();
    let one = mcache().weigher(30, weigh).on_evict(on_evict).open();
    insert(&one, 0..200);
    all_are_accounted_for(&one, &heard, 0..200);
    let (heard, on_evict) = hear();
    let other = mcache().on_evict(on_evict).weigher(30, weigh).open();
    insert(&other, 0..200);
    all_are_accounted_for(&other, &heard, 0..200);
}

#[test]
fn an_entry_that_grows_drives_others_out() {
    let (heard, on_evict) = hear();
    let store = mcache().weigher(10, |_: &u64, value: &u64| *value).on_evict(on_evict).open();
    (0..5).for_each(|key| store.insert(&key, &2).unwrap());
    store.insert(&0, &10).unwrap();
    assert_eq!(store.get(&0).unwrap(), Some(10));
    let mut heard = heard.lock().unwrap().clone();
    heard.sort_unstable();
    assert_eq!(heard, [(1, 2), (2, 2), (3, 2), (4, 2)]);
    assert_eq!(store.evictions(), 4);
}

#[test]
fn what_is_forgotten_or_cleared_or_replaced_or_refused_is_not_an_eviction() {
    let (heard, on_evict) = hear();
    let store = mcache().weigher(10, |_: &u64, value: &u64| *value).on_evict(on_evict).open();
    store.insert(&1, &5).unwrap();
    store.insert(&1, &6).unwrap();
    store.remove(&1).unwrap();
    store.insert(&2, &7).unwrap();
    store.clear().unwrap();
    store.insert(&3, &11).unwrap();
    store.insert(&4, &4).unwrap();
    store.insert(&4, &11).unwrap();
    store.insert_with_ttl(&5, &1, Some(Duration::ZERO)).unwrap();
    assert_eq!(heard.lock().unwrap().len(), 0);
    assert_eq!(store.evictions(), 0);
}

#[test]
fn replacing_an_entry_of_a_full_store_drives_nothing_out() {
    for max_entries in [1, 3, 1000] {
        let (heard, on_evict) = hear();
        let store = mcache().max_entries(max_entries).on_evict(on_evict).open();
        let keys = 0..max_entries as u64;
        insert(&store, keys.clone());
        insert(&store, keys.clone());
        assert_eq!(heard.lock().unwrap().len(), 0);
        all_are_accounted_for(&store, &heard, keys);
    }
}

#[test]
fn an_expired_entry_is_not_an_eviction() {
    let clock = ManualClock::new();
    let (heard, on_evict) = hear();
    let ttl = Duration::from_secs(1000);
    let store = mcache().max_entries(100).ttl(ttl).clock(clock.clock()).on_evict(on_evict).open();
    insert(&store, 0..100);
    clock.advance(ttl);
    // Some are swept, and others make room for these.
    insert(&store, 100..200);
    assert_eq!((heard.lock().unwrap().len(), store.evictions()), (0, 0));
    // With `stale`, an entry is valid for longer.
    let (heard, on_evict) = hear();
    let builder = mcache().max_entries(100).ttl(ttl).stale(ttl).clock(clock.clock());
    let store = builder.on_evict(on_evict).open();
    insert(&store, 0..100);
    clock.advance(ttl);
    insert(&store, 100..150);
    all_are_accounted_for(&store, &heard, 0..150);
}

#[test]
fn entries_that_are_dropped_for_the_first_deadline_are_not_evictions() {
    let (heard, on_evict) = hear();
    let store = mcache().max_entries(100).on_evict(on_evict).open();
    insert(&store, 0..100);
    store.insert_with_ttl(&100, &1000, Some(Duration::from_secs(60))).unwrap();
    assert_eq!(store.len().unwrap(), 1);
    assert_eq!((heard.lock().unwrap().len(), store.evictions()), (0, 0));
    insert(&store, 200..350);
    assert_eq!((heard.lock().unwrap().len(), store.evictions()), (51, 51));
}

#[test]
fn a_store_counts_without_on_evict_too() {
    let store = mcache().max_entries(100).open::<u64, u64>();
    insert(&store, 0..150);
    assert_eq!(store.evictions(), 50);
    let none = mcache().max_entries(0).open::<u64, u64>();
    insert(&none, 0..150);
    assert_eq!(none.evictions(), 0);
}

type Squares = Memo<MemStore<u64, u64>, fn(&u64) -> u64>;

fn square(n: u64) -> u64 {
    n * n
}

/// A memo with an `on_evict` that gets the memo itself.
fn with_memo(max_entries: usize, on_evict: impl Fn(&Squares, u64) + Send + Sync + 'static) -> Arc<OnceLock<Squares>> {
    let memo = Arc::new(OnceLock::new());
    let this = Arc::downgrade(&memo);
    let on_evict = move |key: &u64, _: &u64| {
        if let Some(memo) = this.upgrade() {
            on_evict(memo.get().unwrap(), *key);
        }
    };
    let function: fn(&u64) -> u64 = |n| square(*n);
    memo.set(mcache().max_entries(max_entries).on_evict(on_evict).wrap(function)).ok().unwrap();
    memo
}

#[test]
fn on_evict_may_use_the_same_memo() {
    within(PATIENCE, || {
        let used = Arc::new(AtomicU64::new(0));
        let count = used.clone();
        let memo = with_memo(10, move |memo, evicted| {
            count.fetch_add(1, Ordering::Relaxed);
            // The new result is there: a hit.
            assert!(memo.len().unwrap() <= 10);
            assert_eq!(memo.peek(&evicted).unwrap(), None);
            assert_eq!(memo.call(&1_000_000), 1_000_000_000_000);
            memo.forget(&1_000_000).unwrap();
            memo.insert(&7, &49).unwrap();
        });
        let memo = memo.get().unwrap();
        thread::scope(|scope| {
            for part in 0..3 {
                scope.spawn(move || {
                    (0..200).for_each(|n| assert_eq!(memo.call(&(part * 150 + n)), square(part * 150 + n)));
                });
            }
        });
        assert!(used.load(Ordering::Relaxed) >= 300);
    });
}

#[test]
fn the_new_result_is_stored_before_on_evict_is_called() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let all = seen.clone();
    let memo = with_memo(1, move |memo, evicted| {
        all.lock().unwrap().push((evicted, memo.peek(&(evicted + 1)).unwrap()));
    });
    let memo = memo.get().unwrap();
    (1..=3).for_each(|n| assert_eq!(memo.call(&n), square(n)));
    assert_eq!(*seen.lock().unwrap(), [(1, Some(4)), (2, Some(9))]);
}

#[test]
fn on_evict_may_forget_the_new_result() {
    let memo = with_memo(1, |memo, evicted| _ = memo.forget(&(evicted + 1)).unwrap());
    let memo = memo.get().unwrap();
    assert_eq!((memo.call(&1), memo.call(&2)), (1, 4));
    assert_eq!(memo.peek(&2).unwrap(), None);
}

#[test]
fn an_on_evict_whose_entries_drive_out_others_ends() {
    within(PATIENCE, || {
        let calls = Arc::new(AtomicU64::new(0));
        let count = calls.clone();
        // Each eviction stores a result, which drives another one out.
        let memo = with_memo(1, move |memo, evicted| {
            count.fetch_add(1, Ordering::Relaxed);
            assert_eq!(memo.call(&(evicted + 1000)), square(evicted + 1000));
        });
        let memo = memo.get().unwrap();
        for n in 0..100 {
            assert_eq!(memo.call(&n), n * n);
        }
        // Four calls inside each other for each.
        assert!((100..=400).contains(&calls.load(Ordering::Relaxed)), "{calls:?}");
        assert!(memo.store().evictions() >= 400);
    });
}

#[test]
fn two_threads_whose_on_evict_forget_what_the_other_stores_do_not_wait_for_each_other() {
    within(PATIENCE, || {
        let both_evict = Barrier::new(2);
        let slow = Arc::new(Counter::new());
        let waits = slow.clone();
        let memo = with_memo(2, move |memo, _| {
            both_evict.wait();
            let began = Instant::now();
            // The other thread stores one of them, and is in here, too.
            let forgotten = [1, 2].map(|stored| memo.forget(&stored));
            if began.elapsed() > Duration::from_secs(5) || forgotten.iter().any(Result::is_err) {
                waits.count();
            }
        });
        let memo = memo.get().unwrap();
        assert_eq!([100, 101].map(|n| memo.call(&n)), [10_000, 10_201]);
        thread::scope(|scope| {
            for n in [1, 2] {
                scope.spawn(move || assert_eq!(memo.call(&n), n * n));
            }
        });
        assert_eq!((slow.get(), [1, 2].map(|n| memo.peek(&n).unwrap())), (0, [None; 2]));
    });
}

#[test]
fn two_memos_that_store_what_the_other_evicts_come_to_an_end() {
    within(PATIENCE, || {
        static OTHER: OnceLock<MemStore<u64, u64>> = OnceLock::new();
        static ONE: OnceLock<MemStore<u64, u64>> = OnceLock::new();
        let to = |store: &'static OnceLock<MemStore<u64, u64>>| {
            move |key: &u64, value: &u64| store.get().unwrap().insert(key, value).unwrap()
        };
        ONE.set(mcache().max_entries(1).on_evict(to(&OTHER)).open()).unwrap();
        OTHER.set(mcache().max_entries(1).on_evict(to(&ONE)).open()).unwrap();
        insert(ONE.get().unwrap(), 0..100);
        assert!(OTHER.get().unwrap().evictions() > 0);
    });
}

#[test]
fn a_panic_in_on_evict_loses_no_result_and_is_one_warning() {
    let logs = record_logs();
    let before = logs.warnings("`on_evict`").len();
    let [computed, called] = [Counter::new(), Counter::new()];
    let on_evict = move |_: &u64, _: &u64| panic!("the callback panics, call {}", called.count());
    let memo = mcache().max_entries(10).on_evict(on_evict).wrap(|n: &u64| {
        computed.count();
        n * n
    });
    for n in 0..30 {
        assert_eq!(memo.call(&n), n * n);
        assert_eq!(memo.peek(&n).unwrap(), Some(n * n), "it is stored all the same");
        assert_eq!(memo.call(&n), n * n);
    }
    assert_eq!(computed.get(), 30);
    assert_eq!((memo.store().evictions(), memo.store().suppressed_errors()), (20, 20));
    let warnings = logs.warnings("`on_evict`").split_off(before);
    let [warning] = &*warnings else { panic!("{warnings:?}") };
    assert!(warning.contains("a callback panicked"), "{warning}");
}

#[test]
fn evictions_while_a_thread_ends_do_no_harm() {
    struct AtEnd(Arc<MemStore<u64, u64>>);
    impl Drop for AtEnd {
        fn drop(&mut self) {
            insert(&self.0, 0..10);
        }
    }
    thread_local! {
        static LAST: std::cell::OnceCell<AtEnd> = const { std::cell::OnceCell::new() };
    }
    let (_, on_evict) = hear();
    let store = Arc::new(mcache().max_entries(1).on_evict(on_evict).open());
    let of_thread = store.clone();
    thread::spawn(move || LAST.with(|last| assert!(last.set(AtEnd(of_thread)).is_ok()))).join().unwrap();
    assert_eq!((store.len().unwrap(), store.evictions()), (1, 9));
}

#[test]
fn on_evict_serves_async_functions_too() {
    let (heard, on_evict) = hear();
    let memo = mcache().max_entries(1).on_evict(on_evict).wrap_async(async |n: &u64| n * 10);
    futures_lite::future::block_on(async {
        assert_eq!((memo.call_async(&1).await, memo.call_async(&2).await), (10, 20));
    });
    assert_eq!(*heard.lock().unwrap(), [(1, 10)]);
}

#[cfg(feature = "stats")]
#[test]
fn statistics_count_evictions_in_all_threads_until_they_are_reset() {
    let memo = mcache().max_entries(100).wrap(|n: &u64| n + 1);
    let run = |keys: std::ops::Range<u64>| {
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| keys.clone().for_each(|n| assert_eq!(memo.call(&n), n + 1)));
            }
        });
    };
    run(0..1000);
    let stats = memo.stats();
    assert_eq!(stats.hits + stats.misses, 4000);
    assert_eq!(stats.evictions, memo.store().evictions());
    // A result is stored once for each computation at most, and what was stored is there or was evicted.
    assert!((900..=stats.computations - 100).contains(&stats.evictions), "{stats:?}");
    memo.reset_stats();
    assert_eq!(memo.stats(), twat_cache_core::Stats::default());
    run(1000..1010);
    let stats = memo.stats();
    assert_eq!((stats.hits + stats.misses, stats.store_errors), (40, 0));
    assert!((10..=40).contains(&stats.evictions), "{stats:?}");
}
