//! A library with a slow function. With the feature `cache`, the function caches its results.

#![forbid(unsafe_code)]
#![deny(warnings, missing_docs, clippy::pedantic)]

use std::sync::atomic::{AtomicUsize, Ordering};

/// The number of different words in this text.
#[must_use]
pub fn vocabulary(text: &str) -> usize {
    #[cfg(feature = "cache")]
    return cached::VOCABULARY.call(text);
    #[cfg(not(feature = "cache"))]
    count(text)
}

/// The number of computations.
#[must_use]
pub fn computations() -> usize {
    COMPUTED.load(Ordering::Relaxed)
}

static COMPUTED: AtomicUsize = AtomicUsize::new(0);

fn count(text: &str) -> usize {
    COMPUTED.fetch_add(1, Ordering::Relaxed);
    let mut words: Vec<_> = text.split_whitespace().collect();
    words.sort_unstable();
    words.dedup();
    words.len()
}

#[cfg(feature = "cache")]
mod cached {
    use std::sync::LazyLock;

    use twat_cache::mem::MemStore;
    use twat_cache::{Memo, mcache};

    type Function = fn(&str) -> usize;

    pub(crate) static VOCABULARY: LazyLock<Memo<MemStore<String, usize>, Function>> =
        LazyLock::new(|| mcache().max_entries(100).wrap(super::count as Function));
}
