//! Values of all kinds come back unchanged. Values that a codec could change are not stored.

use std::collections::HashMap;
use std::fmt::Debug;

use twat_cache_core::persist::CacheValue;
use twat_cache_disk::{KeyedStore, bcache};

/// The value that a second memo, opened after the first is dropped, finds or computes.
#[expect(clippy::needless_pass_by_value, reason = "it reads better where it is called")]
fn again<V: CacheValue + Clone + Send + Sync + PartialEq + Debug>(name: &str, value: V) {
    let dir = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let value = value.clone();
        let memo = bcache(name).dir(dir.path()).wrap(move |_: &u8| value.clone());
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
    let dir = tempfile::tempdir().unwrap();
    let memo = bcache("kept").dir(dir.path()).wrap(|_: &u8| 7_usize);
    memo.call(&1);
    assert_eq!(memo.store().primary().get(&1_u8).unwrap(), Some(7));
}
