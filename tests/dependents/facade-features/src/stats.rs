//! `Memo::stats`, over any store.

use twat_cache::store::LruStore;
use twat_cache::{Memo, Stats};

pub(crate) fn check() {
    let square = Memo::new(LruStore::new(10), |n: &u64| n * n);
    assert_eq!(square.stats(), Stats::default());
    for n in [3, 3, 4, 3] {
        assert_eq!(square.call(&n), n * n);
    }
    square.refresh(&3);
    let Stats { hits, misses, computations, waits, store_errors, .. } = square.stats();
    assert_eq!((hits, misses, computations, waits, store_errors), (2, 2, 3, 0, 0));
}
