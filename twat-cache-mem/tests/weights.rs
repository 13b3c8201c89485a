//! Stores that are limited by weight, and weighers of all kinds.

use twat_cache_core::testing::{Counter, record_logs};
use twat_cache_mem::{KeyedStore, Store, mcache};

#[test]
fn an_entry_may_be_as_heavy_as_the_limit() {
    let memo = mcache().weigher(1000, |_, v: &Vec<u8>| v.len() as u64).wrap(|n: &usize| vec![0_u8; *n]);
    memo.call(&1000);
    assert!(memo.peek(&1000).unwrap().is_some());
    assert_eq!(memo.store().cache().weight(), 1000);
}

#[test]
fn a_value_over_the_limit_is_returned_and_evicts_nothing() {
    let computed = Counter::new();
    let memo = mcache().weigher(1000, |_, v: &Vec<u8>| v.len() as u64).wrap(|n: &usize| {
        computed.count();
        vec![0_u8; *n]
    });
    for n in 100..105 {
        memo.call(&n);
    }
    assert_eq!(memo.call(&1001).len(), 1001);
    assert_eq!(memo.peek(&1001).unwrap(), None);
    for n in 100..105 {
        memo.call(&n);
    }
    assert_eq!(computed.get(), 6);
}

#[test]
fn a_value_over_the_limit_replaces_the_entry_of_its_key_with_none() {
    let store = mcache().weigher(10, |_, v: &u64| *v).open::<u64, u64>();
    store.insert(&1, &5).unwrap();
    store.insert(&1, &11).unwrap();
    assert_eq!(store.get(&1).unwrap(), None);
}

#[test]
fn the_limit_on_weight_holds_under_four_threads() {
    let memo = mcache().weigher(10_000, |_, v: &Vec<u8>| v.len() as u64).wrap(|n: &usize| vec![0_u8; n % 500]);
    std::thread::scope(|scope| {
        for part in 0..4 {
            let memo = &memo;
            scope.spawn(move || {
                for n in 0..2000 {
                    assert_eq!(memo.call(&(part * 10_000 + n)).len(), (part * 10_000 + n) % 500);
                }
            });
        }
    });
    let weight = memo.store().cache().weight();
    assert!((5_000..=10_000).contains(&weight), "{weight}");
}

#[test]
fn a_divided_store_takes_what_fits_and_keeps_to_its_limit() {
    let store = mcache().weigher(10_000, |_, v: &u64| *v).divided().open::<u64, u64>();
    (0..10_000).for_each(|n| store.insert(&n, &1).unwrap());
    assert_eq!((store.len().unwrap(), store.cache().num_shards() > 1), (10_000, true));
    std::thread::scope(|scope| {
        for part in 0..4 {
            let store = &store;
            scope.spawn(move || {
                for n in 0..5000_u64 {
                    let (key, weight) = (part * 100_000 + n, if n % 100 == 0 { 3000 } else { n % 16 });
                    store.insert(&key, &weight).unwrap();
                    assert!(store.get(&key).unwrap().is_none_or(|found| found == weight));
                }
            });
        }
    });
    let weight = store.cache().weight();
    assert!((5000..=11_000).contains(&weight), "{weight}");
}

#[test]
fn a_value_that_is_too_heavy_for_its_shard_leaves_no_older_one() {
    let store = mcache().weigher(10_000, |_, v: &u64| *v).divided().open::<u64, u64>();
    (0..20_000).for_each(|n| store.insert(&n, &1).unwrap());
    for key in 0..20_000 {
        store.insert(&key, &9000).unwrap();
        assert!(store.get(&key).unwrap().is_none_or(|found| found == 9000));
    }
    assert!(store.cache().weight() <= 11_000);
}

#[test]
fn every_weight_and_limit_may_be_used() {
    for limit in [0, 1, 2, u64::MAX / 4, u64::MAX] {
        for weight in [0, 1, u64::MAX / 4, u64::MAX] {
            let memo = mcache().weigher(limit, move |_, _: &u64| weight).wrap(|n: &u64| n + 1);
            for n in 0..100 {
                assert_eq!(memo.call(&n), n + 1);
            }
            // A weight of nothing counts as one.
            let most = limit.min(u64::MAX / 4) / weight.max(1);
            assert!(memo.len().unwrap() as u64 <= most, "limit {limit}, weight {weight}");
        }
    }
    for max_entries in [0, 1, usize::MAX] {
        let memo = mcache().max_entries(max_entries).wrap(|n: &u64| n + 1);
        for n in 0..100 {
            assert_eq!(memo.call(&n), n + 1);
        }
        assert_eq!(memo.len().unwrap(), max_entries.min(100));
    }
}

#[test]
fn a_weigher_that_panics_loses_no_result() {
    let logs = record_logs();
    let memo = mcache().weigher(10, |_: &u64, _: &u64| panic!("as intended")).wrap(|n: &u64| n + 1);
    assert_eq!(memo.call(&1), 2);
    assert_eq!(memo.call(&1), 2);
    assert_eq!(memo.len().unwrap(), 0);
    assert_eq!(logs.warnings("cannot weigh an entry").len(), 1);
}

#[test]
fn a_weigher_may_give_another_weight_each_time() {
    let turn = Counter::new();
    let store = mcache().weigher(100, move |_, _: &u64| turn.count() as u64 % 50).open::<u64, u64>();
    for n in 0..1000 {
        store.insert(&n, &n).unwrap();
        store.remove(&(n / 2)).unwrap();
        assert!(store.cache().weight() <= 100);
    }
    store.clear().unwrap();
    assert_eq!(store.cache().weight(), 0);
}
