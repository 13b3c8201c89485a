//! The counters of memos. Without the feature `stats` they are empty.

#[cfg(feature = "stats")]
use std::sync::atomic::{AtomicU64, Ordering};

/// Exact counts of what a [`Memo`](crate::Memo) has done since it was made or its counts were reset, in all threads and
/// tasks.
///
/// Every call is either a hit or a miss. A miss computes, or waits for a computation that is under way and uses its
/// result. [`refresh`](crate::Memo::refresh) and its variants compute, and are neither hits nor misses.
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
    /// Calls that found their result without a wait.
    pub hits: u64,
    /// All other calls.
    pub misses: u64,
    /// How often the function was started, including computations that failed, panicked or were cancelled.
    pub computations: u64,
    /// Misses that have waited or are waiting for another caller's computation, in this process or in another.
    pub waits: u64,
    /// Errors of the store that were logged and not returned.
    pub store_errors: u64,
    /// Entries that the store has evicted because of its limits, see [`Store::evictions`](crate::Store::evictions).
    pub evictions: u64,
}

/// The counts of one memo.
#[derive(Default)]
pub(crate) struct Counters {
    #[cfg(feature = "stats")]
    hits: hits::Hits,
    #[cfg(feature = "stats")]
    misses: AtomicU64,
    #[cfg(feature = "stats")]
    computations: AtomicU64,
    #[cfg(feature = "stats")]
    waits: AtomicU64,
    #[cfg(feature = "stats")]
    store_errors: AtomicU64,
    /// The counts at the last reset. The counters go on, because threads change them without locks.
    #[cfg(feature = "stats")]
    at_reset: parking_lot::Mutex<Stats>,
}

macro_rules! count {
    ($($name:ident => $counter:ident;)+) => {
        $(
            pub(crate) fn $name(&self) {
                #[cfg(feature = "stats")]
                self.$counter.fetch_add(1, Ordering::Relaxed);
            }
        )+
    };
}

impl Counters {
    #[inline]
    #[cfg_attr(not(feature = "stats"), expect(clippy::unused_self, reason = "without `stats` there are no counters"))]
    pub(crate) fn hit(&self) {
        #[cfg(feature = "stats")]
        self.hits.count();
    }

    count! {
        miss => misses;
        computation => computations;
        wait => waits;
        store_error => store_errors;
    }

    /// The counts since the last reset. The store has counts of its own.
    #[cfg(feature = "stats")]
    pub(crate) fn stats(&self, store: &impl crate::Store) -> Stats {
        self.total(store).since(*self.at_reset.lock())
    }

    #[cfg(feature = "stats")]
    pub(crate) fn reset(&self, store: &impl crate::Store) {
        *self.at_reset.lock() = self.total(store);
    }

    #[cfg(feature = "stats")]
    fn total(&self, store: &impl crate::Store) -> Stats {
        let [misses, computations, waits, store_errors] =
            [&self.misses, &self.computations, &self.waits, &self.store_errors]
                .map(|counter| counter.load(Ordering::Relaxed));
        let store_errors = store_errors + store.suppressed_errors();
        Stats { hits: self.hits.sum(), misses, computations, waits, store_errors, evictions: store.evictions() }
    }
}

#[cfg(feature = "stats")]
impl Stats {
    fn since(self, earlier: Self) -> Self {
        Self {
            hits: self.hits.saturating_sub(earlier.hits),
            misses: self.misses.saturating_sub(earlier.misses),
            computations: self.computations.saturating_sub(earlier.computations),
            waits: self.waits.saturating_sub(earlier.waits),
            store_errors: self.store_errors.saturating_sub(earlier.store_errors),
            evictions: self.evictions.saturating_sub(earlier.evictions),
        }
    }
}

/// A counter that many threads can increment fast. Each thread has a number, which no other running thread has, and so
/// a cache line of its own. So it does not need an atomic addition.
#[cfg(feature = "stats")]
mod hits {
    use std::cell::Cell;
    use std::collections::BTreeSet;
    use std::sync::atomic::{AtomicU64, Ordering};

    use parking_lot::Mutex;

    /// The number of threads with a line of their own. Other threads use an atomic addition.
    const THREADS: usize = 32;

    pub(super) struct Hits {
        by_thread: Box<[Line; THREADS]>,
        others: AtomicU64,
    }

    /// A pair of cache lines, because processors fetch pairs.
    #[derive(Default)]
    #[repr(align(128))]
    struct Line(AtomicU64);

    impl Default for Hits {
        fn default() -> Self {
            Self { by_thread: Box::new(std::array::from_fn(|_| Line::default())), others: AtomicU64::new(0) }
        }
    }

    impl Hits {
        #[inline]
        pub(super) fn count(&self) {
            match self.by_thread.get(NUMBER.get()) {
                // No other thread writes to this line.
                Some(Line(count)) => count.store(count.load(Ordering::Relaxed) + 1, Ordering::Relaxed),
                None => self.count_first(),
            }
        }

        /// Counts the first hit of a thread, or a hit of a thread without a line.
        #[cold]
        fn count_first(&self) {
            // `try_with` fails while the thread ends.
            if NUMBER.get() == NONE && RELEASE.try_with(|_| take_number()).is_ok() && NUMBER.get() < THREADS {
                self.count();
            } else {
                self.others.fetch_add(1, Ordering::Relaxed);
            }
        }

        pub(super) fn sum(&self) -> u64 {
            let others = self.others.load(Ordering::Relaxed);
            self.by_thread.iter().fold(others, |sum, Line(count)| sum + count.load(Ordering::Relaxed))
        }
    }

    const NONE: usize = usize::MAX;

    thread_local! {
        /// This thread's number. It has no destructor, so that access needs no check.
        static NUMBER: Cell<usize> = const { Cell::new(NONE) };
        static RELEASE: Release = const { Release };
    }

    /// The released numbers, and the smallest number that was never taken.
    static FREE: Mutex<(BTreeSet<usize>, usize)> = Mutex::new((BTreeSet::new(), 0));

    /// Releases the thread's number when the thread ends.
    struct Release;

    fn take_number() {
        // If the lock is taken, this hit is added atomically, and the next hit tries again.
        if let Some(mut numbers) = FREE.try_lock() {
            let (free, next) = &mut *numbers;
            NUMBER.set(free.pop_first().unwrap_or(*next));
            *next = (*next).max(NUMBER.get() + 1);
        }
    }

    impl Drop for Release {
        fn drop(&mut self) {
            let number = NUMBER.replace(NONE);
            if number != NONE {
                FREE.lock().0.insert(number);
            }
        }
    }
}
