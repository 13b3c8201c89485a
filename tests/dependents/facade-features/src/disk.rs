//! `bcache`.

use std::sync::atomic::{AtomicUsize, Ordering};

use rkyv::{Archive, Deserialize, Serialize};
use twat_cache::{Error, bcache};

#[derive(Archive, Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Counts {
    bytes: u64,
    lines: Vec<u32>,
}

pub(crate) fn check(lasting: usize) -> Result<(), Error> {
    let computed = AtomicUsize::new(0);
    let count = bcache("counts").wrap(|text: &str| {
        computed.fetch_add(1, Ordering::Relaxed);
        Counts { bytes: text.len() as u64, lines: vec![1, 2] }
    });
    for _ in 0..3 {
        assert_eq!(count.call("text"), Counts { bytes: 4, lines: vec![1, 2] });
    }
    assert_eq!(computed.load(Ordering::Relaxed), lasting);
    assert_eq!(count.len()?, 1);
    assert!(!count.store().has_switched());
    Ok(())
}
