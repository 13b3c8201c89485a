//! `scache`.

use std::sync::atomic::{AtomicUsize, Ordering};

use twat_cache::{Error, scache};

pub(crate) fn check(lasting: usize) -> Result<(), Error> {
    let computed = AtomicUsize::new(0);
    let count = scache("shared counts").wrap(|text: &str| {
        computed.fetch_add(1, Ordering::Relaxed);
        (text.len() as u64, vec![1_u32, 2])
    });
    for _ in 0..3 {
        assert_eq!(count.call("text"), (4, vec![1, 2]));
    }
    assert_eq!(computed.load(Ordering::Relaxed), lasting);
    assert_eq!(count.len()?, 1);
    assert!(!count.store().has_switched());
    Ok(())
}
