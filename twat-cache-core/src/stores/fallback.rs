use std::fmt;
use std::hash::Hash;
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

    /// Reads from the store that has the newest entry of this key.
    #[inline]
    fn read<K: Hash + ?Sized, T>(
        &self,
        key: &K,
        primary: impl FnOnce(&P) -> Result<Option<T>, Error>,
        secondary: impl FnOnce(&S) -> Result<Option<T>, Error>,
    ) -> Result<Option<T>, Error>
    where
        P: Store,
        S: KeyedStore<K>,
    {
        let has_secondary_entries = self.has_secondary_entries.load(Ordering::Acquire);
        let found = self.asks_primary(key).then(|| primary(&self.primary));
        self.choose(key, found, has_secondary_entries, secondary)
    }

    fn read_async<'a, K, T: 'a>(
        &'a self,
        key: &K,
        primary: impl FnOnce(&'a P) -> Answer<'a, Option<T>>,
        secondary: impl FnOnce(&S) -> Result<Option<T>, Error>,
        secondary_later: impl FnOnce(&S, &K::Owned) -> Result<Option<T>, Error> + Send + 'a,
    ) -> Answer<'a, Option<T>>
    where
        K: Args + ?Sized,
        P: Store,
        S: KeyedStore<K> + KeyedStore<K::Owned>,
    {
        let has_secondary_entries = self.has_secondary_entries.load(Ordering::Acquire);
        match self.asks_primary(key).then(|| primary(&self.primary)) {
            Some(Answer::Later(found)) => {
                let key = key.to_key();
                Answer::later(async move {
                    let found = found.await;
                    self.choose(&key, Some(found), has_secondary_entries, |secondary| secondary_later(secondary, &key))
                })
            }
            Some(Answer::Now(found)) => Answer::Now(self.choose(key, Some(found), has_secondary_entries, secondary)),
            None => Answer::Now(self.choose(key, None, has_secondary_entries, secondary)),
        }
    }

    #[inline]
    fn asks_primary<K: Hash + ?Sized>(&self, key: &K) -> bool {
        !(self.has_switched() || self.stale.has(key))
    }

    /// Chooses between what the primary has found and the secondary's entry. The primary comes first: it has no entry of a key
    /// that the secondary has, unless another process has stored one since.
    #[inline]
    fn choose<K: Hash + ?Sized, T>(
        &self,
        key: &K,
        found: Option<Result<Option<T>, Error>>,
        has_secondary_entries: bool,
        secondary: impl FnOnce(&S) -> Result<Option<T>, Error>,
    ) -> Result<Option<T>, Error>
    where
        P: Store,
        S: KeyedStore<K>,
    {
        let mut has_failed = self.has_switched();
        let found = found.and_then(|found| {
            found.unwrap_or_else(|error| {
                self.failed(&error);
                has_failed = true;
                None
            })
        });
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

/// The secondary also takes the owned form of a key. It is for a task: when the primary answers later, the key may be gone.
impl<K, P, S> KeyedStore<K> for Fallback<P, S>
where
    K: Args + ?Sized,
    P: KeyedStore<K>,
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

impl<P, S> Fallback<P, S> {
    /// Notes what came of a removal in the primary.
    fn removed<K: Hash + ?Sized>(
        &self,
        key: &K,
        since: u64,
        removed: Result<bool, Error>,
        secondary: Result<bool, Error>,
    ) -> Result<bool, Error>
    where
        S: Store,
    {
        let removed = removed.inspect_err(|error| {
            self.failed(error);
            self.stale.insert(key);
        })?;
        self.stale.remove(key, since);
        Ok(secondary? | removed)
    }

    fn cleared(&self, since: u64, cleared: Result<(), Error>, secondary: Result<(), Error>) -> Result<(), Error>
    where
        S: Store,
    {
        cleared.inspect_err(|error| {
            self.failed(error);
            self.stale.insert_all();
        })?;
        self.stale.clear(since);
        secondary
    }

    fn all(&self, secondary: usize, primary: Result<usize, Error>) -> Result<usize, Error>
    where
        S: Store,
    {
        match primary {
            Ok(primary) => Ok(secondary + primary),
            Err(error) if self.failed(&error) => Ok(secondary),
            Err(error) => Err(error),
        }
    }

    /// The primary has stored a value.
    fn stored<K>(&self, key: &K, since: u64, is_current: bool) -> Result<bool, Error>
    where
        K: Hash + ?Sized,
        S: KeyedStore<K>,
    {
        if is_current {
            self.stale.remove(key, since);
        }
        if self.has_secondary_entries.load(Ordering::Acquire) {
            self.secondary.remove(key)?;
        }
        Ok(is_current)
    }

    /// Like [`put`](Self::put), for a task. What the primary refuses later is not kept: the value is gone by then.
    fn put_async<'a, K>(
        &'a self,
        key: &K,
        value: &P::Value,
        time: Option<Duration>,
        begun: Option<Ticket>,
        insert: impl FnOnce(&'a P) -> Answer<'a, bool>,
    ) -> Answer<'a, bool>
    where
        K: Args + ?Sized,
        P: KeyedStore<K>,
        S: KeyedStore<K, Value = P::Value> + KeyedStore<K::Owned, Value = P::Value>,
    {
        let since = self.stale.now();
        let later = match self.is_ready(since).map(|is_ready| is_ready.then(|| insert(&self.primary))) {
            Ok(Some(Answer::Later(later))) => later,
            Ok(Some(Answer::Now(inserted))) => {
                return Answer::Now(self.finish_put(key, value, time, begun, since, Some(inserted)));
            }
            Ok(None) => return Answer::Now(self.finish_put(key, value, time, begun, since, None)),
            Err(error) => return Answer::Now(self.finish_put(key, value, time, begun, since, Some(Err(error)))),
        };
        let key = key.to_key();
        Answer::later(async move {
            match later.await {
                Ok(is_current) => self.stored(&key, since, is_current),
                Err(error) => {
                    self.stale.insert(&key);
                    if error.kind().is_lasting() {
                        self.failed(&error);
                    }
                    Err(error)
                }
            }
        })
    }

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
        let since = self.stale.now();
        let inserted = self.is_ready(since).and_then(|is_ready| is_ready.then(|| insert(&self.primary)).transpose());
        self.finish_put(key, value, time, begun, since, inserted.transpose())
    }

    /// Whether the primary can take an entry. If all of its entries are stale, it is emptied first.
    fn is_ready(&self, since: u64) -> Result<bool, Error>
    where
        P: Store,
    {
        if self.has_switched() {
            return Ok(false);
        }
        if self.stale.is_all() {
            self.primary.clear()?;
            self.stale.clear(since);
        }
        Ok(true)
    }

    /// What is done after the primary was asked to store a value, if it was.
    fn finish_put<K>(
        &self,
        key: &K,
        value: &P::Value,
        time: Option<Duration>,
        begun: Option<Ticket>,
        since: u64,
        inserted: Option<Result<bool, Error>>,
    ) -> Result<bool, Error>
    where
        K: Hash + ?Sized,
        P: KeyedStore<K>,
        S: KeyedStore<K, Value = P::Value>,
    {
        let mut refused = None;
        let is_shared = self.primary.is_shared();
        if let Some(inserted) = inserted {
            match inserted {
                Ok(is_current) => return self.stored(key, since, is_current),
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
    K: Args + ?Sized,
    P: ViewStore<K>,
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
