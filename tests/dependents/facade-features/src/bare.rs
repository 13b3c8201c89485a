//! `twat-cache` without features: memos, a store in memory, and the combinators.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use twat_cache::store::{Fallback, LruStore, Tiered};
use twat_cache::{Call, Error, Memo};

pub(crate) fn check() -> Result<(), Error> {
    let computed = AtomicUsize::new(0);
    let store = LruStore::new(100).ttl(Duration::from_secs(60));
    let repeat = Memo::new(store, |Call((text, times)): &Call<(&str, &usize)>| {
        computed.fetch_add(1, Ordering::Relaxed);
        text.repeat(**times)
    });
    for _ in 0..3 {
        assert_eq!(repeat.call(&Call(("ab", &2))), "abab");
    }
    assert_eq!(computed.load(Ordering::Relaxed), 1);
    assert_eq!(repeat.len()?, 1);

    let tiers = Tiered::new(LruStore::new(1), Fallback::new(LruStore::new(10), LruStore::new(10)));
    let square = Memo::new(tiers, |n: &u64| n * n);
    assert_eq!((square.call(&3), square.call(&4)), (9, 16));
    assert_eq!(square.peek(&3_u64)?, Some(9));
    Ok(())
}
