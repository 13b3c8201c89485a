//! Values of all kinds come back unchanged. Values that a codec could change are not stored.

use std::collections::HashMap;
use std::fmt::Debug;

use twat_cache_core::persist::CacheValue;
use twat_cache_core::testing::{Counter, volatile_dir};
use twat_cache_shared::{KeyedStore, scache};

/// The value that a second memo, opened after the first is dropped, finds or computes.
#[expect(clippy::needless_pass_by_value, reason = "it reads better where it is called")]
fn again<V: CacheValue + Clone + Send + Sync + PartialEq + Debug>(name: &str, value: V) {
    let dir = volatile_dir();
    for _ in 0..2 {
        let value = value.clone();
        let memo = scache(name).dir(dir.path()).wrap(move |_: &u8| value.clone());
        let first = memo.call(&1);
        assert_eq!(memo.call(&1), first, "{name}");
        assert_eq!((memo.function())(&1), first, "{name}");
    }
}

#[test]
fn a_number_that_rkyv_would_cut_down_comes_back_whole() {
    again("usize", 5_000_000_000_usize);
    again("isize", -5_000_000_000_isize);
    again("option", Some(1_usize << 40));
    again("vector", vec![1, 1_usize << 40]);
    again("pair", (1_usize << 40, 1_usize));
    again("small", 7_usize);
    again("u64", u64::MAX);
}

#[test]
fn values_of_many_types_come_back_as_they_were() {
    again("unit", ());
    again("option", Some(None::<u8>));
    again("string", "ß".repeat(10_000));
    again("floats", vec![f64::INFINITY, -0.0, 1e-300]);
    again("map", HashMap::from([(1_u8, "one".to_owned()), (2, "two".to_owned())]));
    again("tuple", (u128::MAX, [1_u16; 5], Box::new(3_i8), 'x', true));
}

#[test]
fn a_small_usize_is_stored() {
    let dir = volatile_dir();
    let memo = scache("kept").dir(dir.path()).wrap(|_: &u8| 7_usize);
    memo.call(&1);
    assert_eq!(memo.store().primary().get(&1_u8).unwrap(), Some(7));
}

/// SQLite takes no value of more than 1 GB. Takes 4 GB of memory, so it is done on demand.
#[test]
fn a_value_that_is_too_large_for_the_engine_is_returned_and_not_stored() {
    if std::env::var_os("TWAT_CACHE_TEST_HUGE").is_none() {
        eprintln!("skipped: TWAT_CACHE_TEST_HUGE is not set");
        return;
    }
    let dir = volatile_dir();
    let computed = Counter::new();
    let memo = scache("huge").dir(dir.path()).max_bytes(u64::MAX).wrap(|len: &usize| {
        computed.count();
        "x".repeat(*len)
    });
    for len in [1_000_000_001, 1000] {
        (0..2).for_each(|_| assert_eq!(memo.call(&len).len(), len));
    }
    assert_eq!((computed.get(), memo.len().unwrap()), (3, 1));
}

#[test]
fn a_value_of_many_megabytes_comes_back_whole() {
    let dir = volatile_dir();
    let text: String = (0..4_000_000_u32).map(|n| char::from(b'a' + (n % 23) as u8)).collect();
    for _ in 0..2 {
        let memo = scache("large").dir(dir.path()).wrap(|_: &u8| text.clone());
        assert!(memo.call(&1) == text && memo.call(&1) == text);
        assert_eq!(memo.len().unwrap(), 1);
    }
}
