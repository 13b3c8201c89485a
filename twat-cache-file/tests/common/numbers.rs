//! A cache under the name "numbers", what its function computes, and what the log has about it.

use std::path::Path;
use std::sync::Arc;

use twat_cache_core::testing::{Counter, record_logs};
use twat_cache_file::{FileBuilder, FileFallback, Memo, fcache};

/// 8 KB for most keys, which is read; 320 KB for those that are divisible by 8, which is mapped.
pub fn value(key: u64) -> Vec<u64> {
    vec![key; if key.is_multiple_of(8) { 40_000 } else { 1000 }]
}

pub type Numbers = Memo<FileFallback<Vec<u64>>, Box<dyn Fn(&u64) -> Vec<u64> + Send + Sync>>;

pub fn memo(dir: &Path) -> (Numbers, Arc<Counter>) {
    memo_of(fcache("numbers").dir(dir))
}

pub fn memo_of(builder: FileBuilder) -> (Numbers, Arc<Counter>) {
    memo_with(builder, value)
}

/// With another function.
pub fn memo_with(builder: FileBuilder, function: fn(u64) -> Vec<u64>) -> (Numbers, Arc<Counter>) {
    let computed = Arc::new(Counter::new());
    let counter = computed.clone();
    record_logs();
    let memo: Numbers = builder.wrap(Box::new(move |key: &u64| {
        counter.count();
        function(*key)
    }));
    (memo, computed)
}

/// Calls and views.
pub fn call_all(memo: &Numbers, keys: std::ops::Range<u64>) {
    for key in keys {
        assert_eq!(memo.call(&key), value(key));
        assert_eq!(&memo.view(&key)[..], &value(key)[..]);
    }
}

pub fn warnings(dir: &Path) -> Vec<String> {
    record_logs().warnings(&dir.display().to_string())
}

/// There is exactly one, and it says all this.
pub fn assert_one_warning(dir: &Path, parts: &[&str]) {
    let warnings = warnings(dir);
    let [warning] = &*warnings else { panic!("{} warnings: {warnings:#?}", warnings.len()) };
    for part in parts {
        assert!(warning.contains(part), "no {part:?} in: {warning}");
    }
}
