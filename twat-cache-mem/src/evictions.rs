//! What becomes of the entries that the limit drives out.

use std::cell::RefCell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, ThreadId};
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use twat_cache_core::{Error, ErrorKind, WarnOnce};

/// Nothing is called with evicted entries.
#[derive(Clone, Copy, Debug)]
pub struct Unobserved;

/// A function is called with evicted entries.
pub struct OnEvict<K, V>(pub(crate) Box<Call<K, V>>);

type Call<K, V> = dyn Fn(&K, &V) + Send + Sync;

impl<K, V> From<Unobserved> for Option<OnEvict<K, V>> {
    fn from(_: Unobserved) -> Self {
        None
    }
}

impl<K, V> fmt::Debug for OnEvict<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnEvict(..)")
    }
}

/// Counts the evicted entries of a store, and calls its `on_evict` with them.
pub(crate) struct Evictions<K, V> {
    count: AtomicU64,
    on_evict: Option<OnEvict<K, V>>,
    /// What `on_evict` is to be called with later, by the thread that evicted it, because that may hold locks now.
    put_off: Mutex<Vec<(ThreadId, K, V)>>,
    panics: AtomicU64,
    warned: WarnOnce,
}

/// How long to wait for a lock that is held while an entry is moved.
const SHORT: Duration = Duration::from_millis(100);

/// An `on_evict` may store an entry, which evicts another one, and so on. This many of its calls may be inside each other.
const DEEPEST: usize = 4;

thread_local! {
    /// The stores whose `on_evict` runs in this thread, by address: one for each call.
    static RUNNING: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

impl<K, V> Evictions<K, V> {
    pub(crate) fn new(on_evict: Option<OnEvict<K, V>>) -> Self {
        let (count, put_off, panics) = (AtomicU64::new(0), Mutex::default(), AtomicU64::new(0));
        Self { count, on_evict, put_off, panics, warned: WarnOnce::new() }
    }

    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// How many calls of `on_evict` have panicked.
    pub(crate) fn panics(&self) -> u64 {
        self.panics.load(Ordering::Relaxed)
    }

    /// Takes what the limit has driven out. The caller holds no lock, or [settles](Self::settle) it later.
    pub(crate) fn take(&self, evicted: impl Iterator<Item = (K, V)>, is_put_off: bool) {
        for (key, value) in evicted {
            self.count.fetch_add(1, Ordering::Relaxed);
            let Some(OnEvict(on_evict)) = &self.on_evict else { continue };
            // In a forked process, the thread that holds the lock may not exist.
            match is_put_off.then(|| self.put_off.try_lock_for(SHORT)).flatten() {
                Some(mut put_off) => put_off.push((thread::current().id(), key, value)),
                None => self.call(|| on_evict(&key, &value)),
            }
        }
    }

    /// Calls `on_evict` with what was put off. The caller holds no lock.
    pub(crate) fn settle(&self) {
        let Some(OnEvict(on_evict)) = &self.on_evict else { return };
        let this = thread::current().id();
        let own = |mut all: MutexGuard<'_, Vec<(ThreadId, K, V)>>| -> Vec<_> {
            all.extract_if(.., |(thread, ..)| *thread == this).collect()
        };
        for (_, key, value) in self.put_off.try_lock_for(SHORT).map(own).unwrap_or_default() {
            self.call(|| on_evict(&key, &value));
        }
    }

    #[cold]
    fn call(&self, on_evict: impl FnOnce()) {
        let this = ptr::from_ref(self).addr();
        let begin = |running: &RefCell<Vec<usize>>| {
            let mut running = running.borrow_mut();
            let is_too_deep = running.iter().filter(|store| **store == this).count() >= DEEPEST;
            if !is_too_deep {
                running.push(this);
            }
            !is_too_deep
        };
        // While a thread ends, the depth is not known.
        if RUNNING.try_with(begin) != Ok(true) {
            return;
        }
        let called = catch_unwind(AssertUnwindSafe(on_evict));
        let _ = RUNNING.try_with(|running| running.borrow_mut().pop());
        if called.is_err() {
            self.panics.fetch_add(1, Ordering::Relaxed);
            self.warned.warn(&Error::new(ErrorKind::Panicked, "call `on_evict`"), "the entry is evicted all the same");
        }
    }
}
