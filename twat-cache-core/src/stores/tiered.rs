use std::fmt;
use std::hash::Hash;
use std::time::Duration;

use super::stripes::{Change, Lookup, Stripe, Stripes};
use crate::{Answer, Args, Claim, Error, Found, KeyedStore, Namespace, Stamp, Store, Ticket};

/// A fast store, the front, before a larger or persistent one, the back.
///
/// A lookup that misses in the front goes to the back, and a value that is found there fills the front for the rest of its TTL.
/// Results are stored in both. The front only has copies: `len` is that of the back, and an error of the front matters only if
/// the back has nothing.
///
/// ```
/// use twat_cache_core::{KeyedStore, LruStore, Tiered};
///
/// let tiers = Tiered::new(LruStore::new(10), LruStore::new(1000));
/// tiers.back().insert("key", &42)?;
/// assert_eq!(tiers.get("key")?, Some(42));
/// assert_eq!(tiers.front().get("key")?, Some(42)); // filled from the back
/// # Ok::<(), twat_cache_core::Error>(())
/// ```
pub struct Tiered<F, B> {
    front: F,
    back: B,
    namespace: Namespace,
    /// A value that was read from the back before a change must not fill the front after it.
    stripes: Stripes,
}

impl<F, B> Tiered<F, B> {
    /// Puts `front` in front of `back`.
    pub fn new(front: F, back: B) -> Self {
        Self { front, back, namespace: Namespace::process(), stripes: Stripes::new() }
    }

    /// The fast store.
    pub const fn front(&self) -> &F {
        &self.front
    }

    /// The store behind it.
    pub const fn back(&self) -> &B {
        &self.back
    }
}

impl<F, B> Store for Tiered<F, B>
where
    F: Store,
    B: Store<Value = F::Value>,
{
    type Value = F::Value;

    for_two_tiers!(Store);

    fn clear(&self) -> Result<(), Error> {
        let changes = self.stripes.change_all();
        self.clear_front(&changes, self.back.clear())
    }

    fn clear_async(&self) -> Answer<'_, ()> {
        let changes = self.stripes.change_all();
        self.back.clear_async().then(move |cleared| self.clear_front(&changes, cleared))
    }
}

/// The front also takes the owned form of a key. It is for a task: when the back answers later, the key may be gone.
impl<K, F, B> KeyedStore<K> for Tiered<F, B>
where
    K: Args + ?Sized,
    F: KeyedStore<K> + KeyedStore<K::Owned>,
    B: KeyedStore<K, Value = F::Value>,
{
    for_two_tiers!(KeyedStore<K>);

    #[inline]
    fn get(&self, key: &K) -> Result<Option<F::Value>, Error> {
        match self.front.get(key) {
            Ok(Some(value)) => Ok(Some(value)),
            missed => Ok(self.get_from_back(key, missed.err())?.map(|found| found.value)),
        }
    }

    fn remove(&self, key: &K) -> Result<bool, Error> {
        let change = self.stripe(key).change();
        self.remove_copy(key, change, self.back.remove(key))
    }

    fn get_with_ttl(&self, key: &K) -> Result<Option<Found<F::Value>>, Error> {
        match self.front.get_with_ttl(key) {
            Ok(Some(copy)) if self.may_be_stale(copy.ttl) => {
                Ok(self.get_from_back(key, None).ok().flatten().or(Some(copy)))
            }
            Ok(Some(found)) => Ok(Some(found)),
            missed => self.get_from_back(key, missed.err()),
        }
    }

    fn insert_with_ttl(&self, key: &K, value: &F::Value, time: Option<Duration>) -> Result<(), Error> {
        self.put(key, value, time, |back| back.insert_with_ttl(key, value, time).map(|()| true)).map(drop)
    }

    fn insert_begun(&self, key: &K, value: &F::Value, time: Option<Duration>, ticket: Ticket) -> Result<bool, Error> {
        self.put(key, value, time, |back| back.insert_begun(key, value, time, ticket))
    }

    #[inline]
    fn get_async<'a>(&'a self, key: &K) -> Answer<'a, Option<F::Value>> {
        match self.front.get(key) {
            Ok(Some(value)) => Answer::Now(Ok(Some(value))),
            missed => {
                let found = self.get_from_back_async(key, missed.err());
                found.then(|found| Ok(found?.map(|found| found.value)))
            }
        }
    }

    fn get_with_ttl_async<'a>(&'a self, key: &K) -> Answer<'a, Option<Found<F::Value>>> {
        match self.front.get_with_ttl(key) {
            Ok(Some(copy)) if !self.may_be_stale(copy.ttl) => Answer::Now(Ok(Some(copy))),
            missed => self.get_from_back_async(key, missed.err()),
        }
    }

    fn insert_with_ttl_async<'a>(&'a self, key: &K, value: &F::Value, ttl: Option<Duration>) -> Answer<'a, ()> {
        let insert = |back: &'a B| back.insert_with_ttl_async(key, value, ttl).then(|stored| stored.map(|()| true));
        self.put_async(key, value, ttl, insert).then(|stored| stored.map(drop))
    }

    fn insert_begun_async<'a>(
        &'a self,
        key: &K,
        value: &F::Value,
        ttl: Option<Duration>,
        ticket: Ticket,
    ) -> Answer<'a, bool> {
        self.put_async(key, value, ttl, |back| back.insert_begun_async(key, value, ttl, ticket))
    }

    fn remove_async<'a>(&'a self, key: &K) -> Answer<'a, bool> {
        let change = self.stripe(key).change();
        match self.back.remove_async(key) {
            Answer::Now(removed) => Answer::Now(self.remove_copy(key, change, removed)),
            Answer::Later(removed) => {
                let key = key.to_key();
                Answer::later(async move { self.remove_copy(&key, change, removed.await) })
            }
        }
    }
}

impl<F, B> Tiered<F, B> {
    fn stripe<K: Hash + ?Sized>(&self, key: &K) -> &Stripe {
        self.stripes.of(self.namespace.digest(key))
    }

    /// The TTL of the front's copy of an entry with this TTL. A copy does not outlive its entry.
    fn in_front(&self, ttl: Option<Duration>) -> Option<Duration>
    where
        F: Store,
    {
        ttl.into_iter().chain(self.front.ttl()).min()
    }

    /// Whether only the back knows if an entry is stale whose copy expires after this time: a copy may expire before its entry.
    fn may_be_stale(&self, ttl: Option<Duration>) -> bool
    where
        F: Store,
        B: Store,
    {
        ttl.is_some_and(|left| self.back.stale() >= Some(left)) && self.front.ttl().is_some()
    }

    /// Reads from the back after a miss in the front, and fills the front.
    #[cold]
    fn get_from_back<K>(&self, key: &K, error: Option<Error>) -> Result<Option<Found<F::Value>>, Error>
    where
        K: Hash + ?Sized,
        F: KeyedStore<K>,
        B: KeyedStore<K, Value = F::Value>,
    {
        let lookup = self.stripe(key).lookup();
        self.fill(key, lookup, self.back.get_with_ttl(key), error)
    }

    #[cold]
    fn get_from_back_async<'a, K>(&'a self, key: &K, error: Option<Error>) -> Answer<'a, Option<Found<F::Value>>>
    where
        K: Args + ?Sized,
        F: KeyedStore<K> + KeyedStore<K::Owned>,
        B: KeyedStore<K, Value = F::Value>,
    {
        let lookup = self.stripe(key).lookup();
        match self.back.get_with_ttl_async(key) {
            Answer::Now(found) => Answer::Now(self.fill(key, lookup, found, error)),
            Answer::Later(found) => {
                let key = key.to_key();
                Answer::later(async move { self.fill(&key, lookup, found.await, error) })
            }
        }
    }

    /// Fills the front with what the back has.
    fn fill<K>(
        &self,
        key: &K,
        lookup: Option<Lookup<'_>>,
        found: Result<Option<Found<F::Value>>, Error>,
        error: Option<Error>,
    ) -> Result<Option<Found<F::Value>>, Error>
    where
        K: ?Sized,
        F: KeyedStore<K>,
    {
        let Some(found) = found? else {
            return error.map_or(Ok(None), Err);
        };
        if let Some(lookup) = lookup {
            // If the front does not take it, the next lookup goes to the back again.
            lookup.fill_front(|| drop(self.front.insert_with_ttl(key, &found.value, self.in_front(found.ttl))));
        }
        Ok(Some(found))
    }

    /// Stores a value in the back by `insert`, which says whether the value is current, and in the front.
    fn put<K>(
        &self,
        key: &K,
        value: &F::Value,
        time: Option<Duration>,
        insert: impl FnOnce(&B) -> Result<bool, Error>,
    ) -> Result<bool, Error>
    where
        K: Hash + ?Sized,
        F: KeyedStore<K>,
        B: KeyedStore<K, Value = F::Value>,
    {
        let change = self.stripe(key).change();
        let stored = insert(&self.back);
        self.copy(key, Some(value), time, change, stored)
    }

    fn put_async<'a, K>(
        &'a self,
        key: &K,
        value: &F::Value,
        time: Option<Duration>,
        insert: impl FnOnce(&'a B) -> Answer<'a, bool>,
    ) -> Answer<'a, bool>
    where
        K: Args + ?Sized,
        F: KeyedStore<K> + KeyedStore<K::Owned>,
        B: KeyedStore<K, Value = F::Value>,
    {
        let change = self.stripe(key).change();
        match insert(&self.back) {
            Answer::Now(stored) => Answer::Now(self.copy(key, Some(value), time, change, stored)),
            // The next lookup reads the new value in the back.
            Answer::Later(stored) => {
                let key = key.to_key();
                Answer::later(async move {
                    let stored = stored.await;
                    self.copy(&key, None, time, change, stored)
                })
            }
        }
    }

    /// Stores a copy of what the back has stored, or removes an older one.
    fn copy<K>(
        &self,
        key: &K,
        value: Option<&F::Value>,
        time: Option<Duration>,
        change: Change<'_>,
        stored: Result<bool, Error>,
    ) -> Result<bool, Error>
    where
        K: ?Sized,
        F: KeyedStore<K>,
        B: Store,
    {
        let time = self.in_front(time.or(self.back.ttl()));
        change.change_front(|is_alone| {
            let value = value.filter(|_| is_alone && matches!(stored, Ok(true)));
            let is_there = value.is_some_and(|value| self.front.insert_with_ttl(key, value, time).is_ok());
            // If the front does not take the new value, it must not keep an older one.
            if is_there { Ok(()) } else { self.front.remove(key).map(drop) }
        })?;
        stored
    }

    /// Removes the copy of what was removed in the back.
    fn remove_copy<K>(&self, key: &K, change: Change<'_>, removed: Result<bool, Error>) -> Result<bool, Error>
    where
        K: ?Sized,
        F: KeyedStore<K>,
    {
        let front = change.change_front(|_| self.front.remove(key))?;
        Ok(removed? | front)
    }

    fn clear_front(&self, changes: &[Change<'_>], cleared: Result<(), Error>) -> Result<(), Error>
    where
        F: Store,
    {
        let waited = changes.iter().try_for_each(Change::wait_for_front);
        self.front.clear().and(waited).and(cleared)
    }
}

impl<F: fmt::Debug, B: fmt::Debug> fmt::Debug for Tiered<F, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { front, back, .. } = self;
        f.debug_struct("Tiered").field("front", front).field("back", back).finish_non_exhaustive()
    }
}
