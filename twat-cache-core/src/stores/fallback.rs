use std::fmt;
use std::hash::Hash;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use super::stale::Stale;
use super::stamps::Stamps;
use crate::{Claim, Error, Found, KeyedStore, Stamp, Store, Ticket, ViewStore, WarnOnce};

/// A store that can fail, the primary, and one that serves where it fails, the secondary.
///
/// As long as the primary works, it alone is used. When it fails, one warning is logged per kind of error, and
///
/// - after a [lasting](crate::ErrorKind::is_lasting) error, the secondary replaces it for good;
/// - after any other error, the secondary keeps the one result that the primary did not take, and the primary is tried again
///   next time: a full disk may have room by then.
///
/// So calls meet no error. `remove` and `clear` always ask the primary, and report its error: it still has what it should have
/// removed. This process does not give that out, but the next process that opens the primary may find it.
///
/// The entries of the secondary belong to this process. Other processes that share the primary neither see them nor remove
/// them, until the primary has a result for the key again. But if the primary [is shared](Store::is_shared), an entry of the
/// secondary is only returned while its key is not forgotten or refreshed there, as far as the primary can be asked.
///
/// ```
/// use twat_cache_core::{Fallback, LruStore, Memo};
/// # let on_disk = LruStore::new(10);
///
/// let store = Fallback::new(on_disk, LruStore::new(1024));
/// let square = Memo::new(store, |n: &u64| n * n);
/// assert_eq!(square.call(&12), 144);
/// ```
pub struct Fallback<P, S> {
    primary: P,
    secondary: S,
    /// The primary is not used any more.
    has_switched: AtomicBool,
    /// The secondary may have entries. They are newer than those of the primary.
    has_secondary_entries: AtomicBool,
    /// The entries of the primary that it could neither replace nor remove.
    stale: Stale,
    /// Those of the secondary's entries. Only for a shared primary.
    stamps: Stamps,
    warned: WarnOnce,
    suppressed_errors: AtomicU64,
}

impl<P, S> Fallback<P, S> {
    /// Uses `primary`, and `secondary` where that fails.
    pub fn new(primary: P, secondary: S) -> Self {
        Self {
            primary,
            secondary,
            has_switched: AtomicBool::new(false),
            has_secondary_entries: AtomicBool::new(false),
            stale: Stale::new(),
            stamps: Stamps::new(),
            warned: WarnOnce::new(),
            suppressed_errors: AtomicU64::new(0),
        }
    }

    /// The store that is used as long as it works.
    pub fn primary(&self) -> &P {
        &self.primary
    }

    /// The store that serves where the primary fails.
    pub fn secondary(&self) -> &S {
        &self.secondary
    }

    /// Whether the secondary has replaced the primary for good.
    pub fn has_switched(&self) -> bool {
        self.has_switched.load(Ordering::Acquire)
    }

    /// Logs an error of the primary; says whether the secondary has replaced it for good.
    #[cold]
    fn failed(&self, error: &Error) -> bool
    where
        S: Store,
    {
        self.suppressed_errors.fetch_add(1, Ordering::Relaxed);
        let lasting = error.kind().is_lasting();
        let secondary = self.secondary.describe();
        if lasting {
            self.has_switched.store(true, Ordering::Release);
            self.warned.warn(error, format_args!("{secondary} takes over"));
        } else {
            self.warned.warn(error, format_args!("going on without it, in {secondary}, and trying again next time"));
        }
        lasting
    }

    /// Reads from the store that has the newest entry of this key.
    #[inline]
    fn read<K: Hash + ?Sized, T>(
        &self,
        key: &K,
        primary: impl FnOnce(&P) -> Result<Option<T>, Error>,
        secondary: impl Fn(&S) -> Result<Option<T>, Error>,
    ) -> Result<Option<T>, Error>
    where
        P: Store,
        S: KeyedStore<K>,
    {
        let has_secondary_entries = self.has_secondary_entries.load(Ordering::Acquire);
        // The primary first: it has no entry of a key that the secondary has, unless another process has stored one since.
        let mut has_failed = self.has_switched();
        let found = if has_failed || self.stale.has(key) {
            None
        } else {
            primary(&self.primary).unwrap_or_else(|error| {
                self.failed(&error);
                has_failed = true;
                None
            })
        };
        match found {
            _ if !has_secondary_entries => Ok(found),
            None if !has_failed && self.has_changed(key) => {
                let _ = self.secondary.remove(key);
                Ok(None)
            }
            Some(found) => {
                // The secondary's entry is older, and must not come back when this one is gone.
                let _ = self.secondary.remove(key);
                Ok(Some(found))
            }
            None => secondary(&self.secondary),
        }
    }
}

impl<P: Store, S> Fallback<P, S> {
    /// Whether another process may have forgotten or refreshed this key since the secondary's entry began.
    fn has_changed<K: Hash + ?Sized>(&self, key: &K) -> bool {
        let is_current = || self.stamps.get(key).is_some_and(|stamp| self.primary.is_current(stamp));
        self.primary.is_shared() && !is_current()
    }
}

impl<P, S> Store for Fallback<P, S>
where
    P: Store,
    S: Store<Value = P::Value>,
{
    type Value = P::Value;

    fn len(&self) -> Result<usize, Error> {
        let secondary = self.secondary.len()?;
        if self.has_switched() {
            return Ok(secondary);
        }
        match self.primary.len() {
            Ok(primary) => Ok(secondary + primary),
            Err(error) if self.failed(&error) => Ok(secondary),
            Err(error) => Err(error),
        }
    }

    fn clear(&self) -> Result<(), Error> {
        let since = self.stale.now();
        let secondary = self.secondary.clear();
        if let Err(error) = self.primary.clear() {
            self.failed(&error);
            self.stale.insert_all();
            return Err(error);
        }
        self.stale.clear(since);
        secondary
    }

    fn ttl(&self) -> Option<Duration> {
        self.primary.ttl()
    }

    #[inline]
    fn stale(&self) -> Option<Duration> {
        self.primary.stale()
    }

    fn describe(&self) -> String {
        let (primary, secondary) = (self.primary.describe(), self.secondary.describe());
        if self.has_switched() {
            format!("{secondary}, instead of {primary}")
        } else if self.has_secondary_entries.load(Ordering::Acquire) {
            format!("{primary}, and {secondary} for what that did not take")
        } else {
            primary
        }
    }

    fn suppressed_errors(&self) -> u64 {
        self.suppressed_errors.load(Ordering::Relaxed)
            + self.primary.suppressed_errors()
            + self.secondary.suppressed_errors()
    }

    fn evictions(&self) -> u64 {
        self.primary.evictions() + self.secondary.evictions()
    }

    fn is_shared(&self) -> bool {
        self.primary.is_shared()
    }

    #[inline]
    fn is_current(&self, stamp: Stamp) -> bool {
        self.primary.is_current(stamp)
    }

    fn settle(&self) {
        self.primary.settle();
        self.secondary.settle();
    }
}

impl<K, P, S> KeyedStore<K> for Fallback<P, S>
where
    K: Hash + ?Sized,
    P: KeyedStore<K>,
    S: KeyedStore<K, Value = P::Value>,
{
    #[inline]
    fn get(&self, key: &K) -> Result<Option<P::Value>, Error> {
        self.read(key, |primary| primary.get(key), |secondary| secondary.get(key))
    }

    fn insert(&self, key: &K, value: &P::Value) -> Result<(), Error> {
        self.insert_with_ttl(key, value, None)
    }

    fn remove(&self, key: &K) -> Result<bool, Error> {
        let since = self.stale.now();
        let secondary = self.secondary.remove(key);
        let removed = self.primary.remove(key).inspect_err(|error| {
            self.failed(error);
            self.stale.insert(key);
        })?;
        self.stale.remove(key, since);
        Ok(secondary? | removed)
    }

    fn get_with_ttl(&self, key: &K) -> Result<Option<Found<P::Value>>, Error> {
        self.read(key, |primary| primary.get_with_ttl(key), |secondary| secondary.get_with_ttl(key))
    }

    fn insert_with_ttl(&self, key: &K, value: &P::Value, time: Option<Duration>) -> Result<(), Error> {
        self.put(key, value, time, None, |primary| primary.insert_with_ttl(key, value, time).map(|()| true)).map(drop)
    }

    fn begin(&self, key: &K) -> Ticket {
        if self.has_switched() { Ticket::default() } else { self.primary.begin(key) }
    }

    fn insert_begun(&self, key: &K, value: &P::Value, time: Option<Duration>, ticket: Ticket) -> Result<bool, Error> {
        self.put(key, value, time, Some(ticket), |primary| primary.insert_begun(key, value, time, ticket))
    }

    fn is_outdated(&self, key: &K, ticket: Ticket) -> bool {
        self.primary.is_outdated(key, ticket)
    }

    fn stamp(&self, key: &K) -> Option<Stamp> {
        if self.has_switched() { None } else { self.primary.stamp(key) }
    }

    fn claim(&self, key: &K, patience: Duration) -> Claim {
        if self.has_switched() { Claim::free() } else { self.primary.claim(key, patience) }
    }
}

impl<P, S> Fallback<P, S> {
    /// Stores a value in the primary by `insert`, or else in the secondary; says whether it is current.
    fn put<K>(
        &self,
        key: &K,
        value: &P::Value,
        time: Option<Duration>,
        begun: Option<Ticket>,
        insert: impl FnOnce(&P) -> Result<bool, Error>,
    ) -> Result<bool, Error>
    where
        K: Hash + ?Sized,
        P: KeyedStore<K>,
        S: KeyedStore<K, Value = P::Value>,
    {
        let mut refused = None;
        let is_shared = self.primary.is_shared();
        if !self.has_switched() {
            let since = self.stale.now();
            // If all of its entries are stale, it must be empty before it takes a new one.
            let is_all_stale = self.stale.is_all();
            let cleared = if is_all_stale { self.primary.clear() } else { Ok(()) };
            let inserted = cleared.and_then(|()| {
                if is_all_stale {
                    self.stale.clear(since);
                }
                insert(&self.primary)
            });
            match inserted {
                Ok(is_current) => {
                    if is_current {
                        self.stale.remove(key, since);
                    }
                    if self.has_secondary_entries.load(Ordering::Acquire) {
                        self.secondary.remove(key)?;
                    }
                    return Ok(is_current);
                }
                Err(error) if error.kind().is_lasting() => drop(self.failed(&error)),
                Err(error) => {
                    // The primary may have an older entry of this key. A shared one has what other processes have stored, which
                    // may stay beside a result that is not a refresh.
                    let may_stay = is_shared && begun.is_some_and(|ticket| !ticket.is_refresh);
                    if !may_stay && self.primary.remove(key).is_err() {
                        self.stale.insert(key);
                    }
                    refused = Some(error);
                }
            }
        }
        self.has_secondary_entries.store(true, Ordering::Release);
        if is_shared {
            // The stamp comes first: it is that of the computation if that is not outdated afterwards.
            let stamp = self.primary.stamp(key);
            let is_current = begun.is_none_or(|ticket| !self.primary.is_outdated(key, ticket));
            self.stamps.set(key, stamp.filter(|_| is_current));
        }
        // The entry expires as the one that it replaces, whatever the secondary's own TTL is.
        let stored = self.secondary.insert_with_ttl(key, value, time.or(self.primary.ttl()));
        match refused {
            // Neither store can have this value. The caller logs that, once.
            Some(error) if stored.is_err() => return Err(error),
            Some(error) => drop(self.failed(&error)),
            None => {}
        }
        stored.map(|()| true)
    }
}

impl<K, P, S> ViewStore<K> for Fallback<P, S>
where
    K: Hash + ?Sized,
    P: ViewStore<K>,
    S: ViewStore<K, Value = P::Value, View = P::View>,
{
    type View = P::View;

    #[inline]
    fn view(&self, key: &K) -> Result<Option<P::View>, Error> {
        self.read(key, |primary| primary.view(key), |secondary| secondary.view(key))
    }

    fn view_with_ttl(&self, key: &K) -> Result<Option<Found<P::View>>, Error> {
        self.read(key, |primary| primary.view_with_ttl(key), |secondary| secondary.view_with_ttl(key))
    }

    fn to_view(&self, value: &P::Value) -> Result<P::View, Error> {
        self.primary.to_view(value)
    }
}

impl<P: fmt::Debug, S: fmt::Debug> fmt::Debug for Fallback<P, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fallback")
            .field("primary", &self.primary)
            .field("secondary", &self.secondary)
            .field("has_switched", &self.has_switched())
            .finish_non_exhaustive()
    }
}
