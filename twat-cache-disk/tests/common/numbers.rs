//! A cache under the name "numbers", what its function computes, and what the log has about it.

use std::path::Path;
use std::sync::Arc;

use twat_cache_core::testing::{Counter, record_logs};
use twat_cache_disk::{DiskFallback, Memo, bcache};

pub fn value(key: u64) -> Vec<u64> {
    vec![key; 1000]
}

pub type Numbers = Memo<DiskFallback<Vec<u64>>, Box<dyn Fn(&u64) -> Vec<u64> + Send + Sync>>;

pub fn memo(dir: &Path) -> (Numbers, Arc<Counter>) {
    let computed = Arc::new(Counter::new());
    let counter = computed.clone();
    record_logs();
    let memo: Numbers = bcache("numbers").dir(dir).wrap(Box::new(move |key: &u64| {
        counter.count();
        value(*key)
    }));
    (memo, computed)
}

pub fn call_all(memo: &Numbers, keys: std::ops::Range<u64>) {
    keys.for_each(|key| assert_eq!(memo.call(&key), value(key)));
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
