//! `rcache`. Without a server, memory serves.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use twat_cache::{Error, rcache};

/// How many times this run computes a result that is kept on the server.
pub(crate) fn lasting(lasting: usize) -> usize {
    if std::env::var_os("TWAT_CACHE_SERVER").is_some() { lasting } else { 1 }
}

pub(crate) fn check(lasting: usize) -> Result<(), Error> {
    let computed = AtomicUsize::new(0);
    let count = rcache("remote counts").timeout(Duration::from_secs(20)).wrap(|text: &str| {
        computed.fetch_add(1, Ordering::Relaxed);
        (text.len() as u64, vec![1_u32, 2])
    });
    for _ in 0..3 {
        assert_eq!(count.call("text"), (4, vec![1, 2]));
    }
    assert_eq!(computed.load(Ordering::Relaxed), self::lasting(lasting));
    assert_eq!(count.len()?, 1);
    Ok(())
}
