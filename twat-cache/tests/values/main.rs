//! Types with `#[derive(CacheValue)]`, in all wrappers that store values on disk.

mod edits;
mod kinds;
mod numbers;
mod recursion;

use std::path::Path;

use twat_cache::{CacheValue, bcache, fcache, scache, ucache};
use twat_cache_core::testing::{Counter, volatile_dir};

#[derive(Clone, Copy, Debug)]
enum Wrapper {
    Database,
    Shared,
    Files,
    Unified,
}

const ALL: [Wrapper; 4] = [Wrapper::Database, Wrapper::Shared, Wrapper::Files, Wrapper::Unified];

/// Opens a memo of a function that returns this value, and calls it. Returns the result, and whether the function ran.
fn call<V: CacheValue + Clone + Send + Sync>(wrapper: Wrapper, dir: &Path, value: &V) -> (V, bool) {
    let computed = Counter::new();
    let function = |_: &u8| {
        computed.count();
        value.clone()
    };
    let result = match wrapper {
        Wrapper::Database => bcache("values").dir(dir).wrap(function).call(&1),
        Wrapper::Shared => scache("values").dir(dir).wrap(function).call(&1),
        Wrapper::Files => fcache("values").dir(dir).wrap(function).call(&1),
        Wrapper::Unified => ucache("values").dir(dir).wrap(function).call(&1),
    };
    (result, computed.get() > 0)
}

/// Checks that a value is found again, and is the same.
fn comes_back<V: CacheValue + Clone + Send + Sync + PartialEq + std::fmt::Debug>(value: &V) {
    for wrapper in ALL {
        let dir = volatile_dir();
        assert_eq!(call(wrapper, dir.path(), value), (value.clone(), true), "{wrapper:?}");
        assert_eq!(call(wrapper, dir.path(), value), (value.clone(), false), "{wrapper:?}");
    }
}
