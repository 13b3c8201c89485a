//! What memos count. Without the feature `stats` there is nothing to count with, and nothing is counted.

#[cfg(feature = "stats")]
use std::sync::atomic::{AtomicU64, Ordering};

/// What a [`Memo`](crate::Memo) has done since it was made: exact counts, of all threads and tasks.
///
/// Every call is either a hit or a miss. Of the misses, some wait for a computation that is under way and find its
/// result; the others compute. [`refresh`](crate::Memo::refresh) and its kin compute without being either.
///
/// ```
/// use twat_cache_core::{LruStore, Memo};
///
/// let square = Memo::new(LruStore::new(10), |n: &u64| n * n);
/// square.call(&3);
/// square.call(&3);
/// square.refresh(&3);
/// let stats = square.stats();
/// assert_eq!((stats.hits, stats.misses, stats.computations), (1, 1, 2));
/// ```
#[cfg(feature = "stats")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Stats {
    /// Calls that found their result at once.
    pub hits: u64,
    /// Calls that did not.
    pub misses: u64,
    /// How often the function was started, whatever came of it.
    pub computations: u64,
    /// Misses that have waited, or wait, for a computation elsewhere: in this process, or in another.
    pub waits: u64,
    /// Errors of the store that nobody but the log has heard of.
    pub store_errors: u64,
}

/// The counts of one memo.
#[derive(Default)]
pub(crate) struct Counters {
    #[cfg(feature = "stats")]
    hits: AtomicU64,
    #[cfg(feature = "stats")]
    misses: AtomicU64,
    #[cfg(feature = "stats")]
    computations: AtomicU64,
    #[cfg(feature = "stats")]
    waits: AtomicU64,
    #[cfg(feature = "stats")]
    store_errors: AtomicU64,
}

macro_rules! count {
    ($($name:ident => $counter:ident;)+) => {
        $(
            #[inline]
            pub(crate) fn $name(&self) {
                #[cfg(feature = "stats")]
                self.$counter.fetch_add(1, Ordering::Relaxed);
            }
        )+
    };
}

impl Counters {
    count! {
        hit => hits;
        miss => misses;
        computation => computations;
        wait => waits;
        store_error => store_errors;
    }

    /// `survived` are errors that the store has dealt with by itself.
    #[cfg(feature = "stats")]
    pub(crate) fn stats(&self, survived: u64) -> Stats {
        let [hits, misses, computations, waits, store_errors] =
            [&self.hits, &self.misses, &self.computations, &self.waits, &self.store_errors]
                .map(|counter| counter.load(Ordering::Relaxed));
        Stats { hits, misses, computations, waits, store_errors: store_errors + survived }
    }
}
