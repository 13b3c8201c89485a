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
    hits: hits::Hits,
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
            pub(crate) fn $name(&self) {
                #[cfg(feature = "stats")]
                self.$counter.fetch_add(1, Ordering::Relaxed);
            }
        )+
    };
}

impl Counters {
    #[inline]
    #[cfg_attr(not(feature = "stats"), expect(clippy::unused_self, reason = "nothing is counted then"))]
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

    /// `suppressed_errors` are errors that the store has dealt with by itself.
    #[cfg(feature = "stats")]
    pub(crate) fn stats(&self, suppressed_errors: u64) -> Stats {
        let [misses, computations, waits, store_errors] =
            [&self.misses, &self.computations, &self.waits, &self.store_errors]
                .map(|counter| counter.load(Ordering::Relaxed));
        Stats { hits: self.hits.sum(), misses, computations, waits, store_errors: store_errors + suppressed_errors }
    }
}

/// A count that several threads can raise at once for next to nothing. Each has a cache line of its own, by a number that
/// no other living thread has, so it need not add atomically.
#[cfg(feature = "stats")]
mod hits {
    use std::cell::Cell;
    use std::collections::BTreeSet;
    use std::sync::atomic::{AtomicU64, Ordering};

    use parking_lot::Mutex;

    /// At most this many threads have a line each. What others count is added atomically.
    const THREADS: usize = 32;

    pub(super) struct Hits {
        by_thread: Box<[Line; THREADS]>,
        others: AtomicU64,
    }

    /// As many bytes as processors fetch at once.
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
                // Nobody else writes here.
                Some(Line(count)) => count.store(count.load(Ordering::Relaxed) + 1, Ordering::Relaxed),
                None => self.count_first(),
            }
        }

        /// The first hit of a thread, or a hit of one without a line.
        #[cold]
        fn count_first(&self) {
            // Fails while the thread ends.
            if NUMBER.get() == NONE && HELD.try_with(|_| take_number()).is_ok() && NUMBER.get() < THREADS {
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
        /// This thread's number. Apart from what gives it back, so that reading it needs no check.
        static NUMBER: Cell<usize> = const { Cell::new(NONE) };
        static HELD: Held = const { Held };
    }

    /// The numbers that were given back, and the next one.
    static FREE: Mutex<(BTreeSet<usize>, usize)> = Mutex::new((BTreeSet::new(), 0));

    /// Gives the thread's number back when the thread ends, for another one.
    struct Held;

    fn take_number() {
        // If the lock is taken, this hit is counted with the others, and the next one tries again.
        if let Some(mut numbers) = FREE.try_lock() {
            let (free, next) = &mut *numbers;
            NUMBER.set(free.pop_first().unwrap_or(*next));
            *next = (*next).max(NUMBER.get() + 1);
        }
    }

    impl Drop for Held {
        fn drop(&mut self) {
            let number = NUMBER.replace(NONE);
            if number != NONE {
                FREE.lock().0.insert(number);
            }
        }
    }
}
