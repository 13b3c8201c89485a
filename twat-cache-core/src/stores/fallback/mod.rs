mod changes;
mod reads;

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use super::stale::Stale;
use super::stamps::Stamps;
use crate::{Answer, Args, Claim, Error, Found, KeyedStore, Stamp, Store, Ticket, ViewStore, WarnOnce};

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
        self.all(secondary, self.primary.len())
    }

    fn clear(&self) -> Result<(), Error> {
        let since = self.stale.now();
        let secondary = self.secondary.clear();
        self.cleared(since, self.primary.clear(), secondary)
    }

    fn len_async(&self) -> Answer<'_, usize> {
        match self.secondary.len() {
            Ok(secondary) if !self.has_switched() => {
                self.primary.len_async().then(move |primary| self.all(secondary, primary))
            }
            secondary => Answer::Now(secondary),
        }
    }

    fn clear_async(&self) -> Answer<'_, ()> {
        let since = self.stale.now();
        let secondary = self.secondary.clear();
        self.primary.clear_async().then(move |cleared| self.cleared(since, cleared, secondary))
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

/// Both also take the owned form of a key. It is for a task: when the primary answers later, the key may be gone.
impl<K, P, S> KeyedStore<K> for Fallback<P, S>
where
    K: Args + ?Sized,
    P: KeyedStore<K> + KeyedStore<K::Owned>,
    S: KeyedStore<K, Value = P::Value> + KeyedStore<K::Owned, Value = P::Value>,
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
        let removed = self.primary.remove(key);
        self.removed(key, since, removed, secondary)
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

    #[inline]
    fn get_async<'a>(&'a self, key: &K) -> Answer<'a, Option<P::Value>> {
        let later = |secondary: &S, key: &K::Owned| secondary.get(key);
        self.read_async(key, |primary| primary.get_async(key), |secondary| secondary.get(key), later)
    }

    fn get_with_ttl_async<'a>(&'a self, key: &K) -> Answer<'a, Option<Found<P::Value>>> {
        let later = |secondary: &S, key: &K::Owned| secondary.get_with_ttl(key);
        let ask = |primary: &'a P| primary.get_with_ttl_async(key);
        self.read_async(key, ask, |secondary| secondary.get_with_ttl(key), later)
    }

    fn insert_with_ttl_async<'a>(&'a self, key: &K, value: &P::Value, time: Option<Duration>) -> Answer<'a, ()> {
        let insert =
            |primary: &'a P| primary.insert_with_ttl_async(key, value, time).then(|stored| stored.map(|()| true));
        self.put_async(key, value, time, None, insert).then(|stored| stored.map(drop))
    }

    fn insert_begun_async<'a>(
        &'a self,
        key: &K,
        value: &P::Value,
        time: Option<Duration>,
        ticket: Ticket,
    ) -> Answer<'a, bool> {
        let insert = |primary: &'a P| primary.insert_begun_async(key, value, time, ticket);
        self.put_async(key, value, time, Some(ticket), insert)
    }

    fn remove_async<'a>(&'a self, key: &K) -> Answer<'a, bool> {
        let since = self.stale.now();
        let secondary = self.secondary.remove(key);
        match self.primary.remove_async(key) {
            Answer::Now(removed) => Answer::Now(self.removed(key, since, removed, secondary)),
            Answer::Later(removed) => {
                let key = key.to_key();
                Answer::later(async move { self.removed(&key, since, removed.await, secondary) })
            }
        }
    }

    fn begin_async<'a>(&'a self, key: &K) -> Answer<'a, Ticket> {
        if self.has_switched() { Answer::Now(Ok(Ticket::default())) } else { self.primary.begin_async(key) }
    }

    fn claim_async<'a>(&'a self, key: &K, patience: Duration) -> Answer<'a, Claim> {
        if self.has_switched() { Answer::Now(Ok(Claim::free())) } else { self.primary.claim_async(key, patience) }
    }
}

impl<K, P, S> ViewStore<K> for Fallback<P, S>
where
    K: Args + ?Sized,
    P: ViewStore<K> + KeyedStore<K::Owned>,
    S: ViewStore<K, Value = P::Value, View = P::View> + ViewStore<K::Owned, Value = P::Value, View = P::View>,
{
    type View = P::View;

    #[inline]
    fn view(&self, key: &K) -> Result<Option<P::View>, Error> {
        self.read(key, |primary| primary.view(key), |secondary| secondary.view(key))
    }

    fn view_with_ttl(&self, key: &K) -> Result<Option<Found<P::View>>, Error> {
        self.read(key, |primary| primary.view_with_ttl(key), |secondary| secondary.view_with_ttl(key))
    }

    fn view_async<'a>(&'a self, key: &K) -> Answer<'a, Option<P::View>> {
        let later = |secondary: &S, key: &K::Owned| secondary.view(key);
        self.read_async(key, |primary| primary.view_async(key), |secondary| secondary.view(key), later)
    }

    fn view_with_ttl_async<'a>(&'a self, key: &K) -> Answer<'a, Option<Found<P::View>>> {
        let later = |secondary: &S, key: &K::Owned| secondary.view_with_ttl(key);
        let ask = |primary: &'a P| primary.view_with_ttl_async(key);
        self.read_async(key, ask, |secondary| secondary.view_with_ttl(key), later)
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
