//! `mcache`.

use std::sync::atomic::{AtomicUsize, Ordering};

use twat_cache::mem::MemStore;
use twat_cache::{Error, Memo, mcache};

/// The type of a memo can be written if it wraps a function pointer, not a closure.
type Squares = Memo<MemStore<u64, u64>, fn(&u64) -> u64>;

pub(crate) fn check() -> Result<(), Error> {
    let computed = AtomicUsize::new(0);
    let length = mcache().max_entries(10).wrap(|text: &str| {
        computed.fetch_add(1, Ordering::Relaxed);
        text.len()
    });
    for _ in 0..3 {
        assert_eq!(length.call("text"), 4);
    }
    assert_eq!(computed.load(Ordering::Relaxed), 1);
    assert_eq!(length.peek("text")?, Some(4));

    let square: Squares = mcache().wrap(|n| n * n);
    assert_eq!(square.call(&3), 9);
    Ok(())
}
