use std::fmt;
use std::hash::Hash;
use std::time::Duration;

use super::stripes::{Change, Stripe, Stripes};
use crate::{Claim, Error, Found, KeyedStore, Namespace, Stamp, Store, Ticket};

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

    fn len(&self) -> Result<usize, Error> {
        self.back.len()
    }

    fn clear(&self) -> Result<(), Error> {
        let changes: Vec<_> = self.stripes.all().map(Stripe::change).collect();
        let back = self.back.clear();
        let waited = changes.iter().try_for_each(Change::wait_for_front);
        self.front.clear().and(waited).and(back)
    }

    fn ttl(&self) -> Option<Duration> {
        self.back.ttl()
    }

    #[inline]
    fn stale(&self) -> Option<Duration> {
        self.back.stale()
    }

    fn describe(&self) -> String {
        format!("{} in front of {}", self.front.describe(), self.back.describe())
    }

    fn suppressed_errors(&self) -> u64 {
        self.front.suppressed_errors() + self.back.suppressed_errors()
    }

    /// Those of the back. The front only has copies.
    fn evictions(&self) -> u64 {
        self.back.evictions()
    }

    fn is_shared(&self) -> bool {
        self.back.is_shared()
    }

    fn is_current(&self, stamp: Stamp) -> bool {
        self.back.is_current(stamp)
    }

    fn settle(&self) {
        self.front.settle();
        self.back.settle();
    }
}

impl<K, F, B> KeyedStore<K> for Tiered<F, B>
where
    K: Hash + ?Sized,
    F: KeyedStore<K>,
    B: KeyedStore<K, Value = F::Value>,
{
    #[inline]
    fn get(&self, key: &K) -> Result<Option<F::Value>, Error> {
        match self.front.get(key) {
            Ok(Some(value)) => Ok(Some(value)),
            missed => Ok(self.get_from_back(key, missed.err())?.map(|found| found.value)),
        }
    }

    fn insert(&self, key: &K, value: &F::Value) -> Result<(), Error> {
        self.insert_with_ttl(key, value, None)
    }

    fn remove(&self, key: &K) -> Result<bool, Error> {
        let change = self.stripe(key).change();
        let back = self.back.remove(key);
        let front = change.change_front(|_| self.front.remove(key))?;
        Ok(back? | front)
    }

    fn get_with_ttl(&self, key: &K) -> Result<Option<Found<F::Value>>, Error> {
        match self.front.get_with_ttl(key) {
            // A copy may expire before its entry. Then only the back knows whether the entry is stale.
            Ok(Some(copy)) if copy.ttl.is_some_and(|left| self.stale() >= Some(left)) && self.front.ttl().is_some() => {
                Ok(self.get_from_back(key, None).ok().flatten().or(Some(copy)))
            }
            Ok(Some(found)) => Ok(Some(found)),
            missed => self.get_from_back(key, missed.err()),
        }
    }

    fn insert_with_ttl(&self, key: &K, value: &F::Value, time: Option<Duration>) -> Result<(), Error> {
        self.put(key, value, time, |back| back.insert_with_ttl(key, value, time).map(|()| true)).map(drop)
    }

    fn begin(&self, key: &K) -> Ticket {
        self.back.begin(key)
    }

    fn insert_begun(&self, key: &K, value: &F::Value, time: Option<Duration>, ticket: Ticket) -> Result<bool, Error> {
        self.put(key, value, time, |back| back.insert_begun(key, value, time, ticket))
    }

    fn is_outdated(&self, key: &K, ticket: Ticket) -> bool {
        self.back.is_outdated(key, ticket)
    }

    fn stamp(&self, key: &K) -> Option<Stamp> {
        self.back.stamp(key)
    }

    fn claim(&self, key: &K, patience: Duration) -> Claim {
        self.back.claim(key, patience)
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

    /// Reads from the back after a miss in the front, and fills the front.
    #[cold]
    fn get_from_back<K, V>(&self, key: &K, error: Option<Error>) -> Result<Option<Found<V>>, Error>
    where
        K: Hash + ?Sized,
        F: KeyedStore<K, Value = V>,
        B: KeyedStore<K, Value = V>,
    {
        let lookup = self.stripe(key).lookup();
        let Some(found) = self.back.get_with_ttl(key)? else {
            return error.map_or(Ok(None), Err);
        };
        if let Some(lookup) = lookup {
            // If the front does not take it, the next lookup goes to the back again.
            lookup.fill_front(|| drop(self.front.insert_with_ttl(key, &found.value, self.in_front(found.ttl))));
        }
        Ok(Some(found))
    }

    /// Stores a value in the back by `insert`, which says whether the value is current, and in the front.
    fn put<K, V>(
        &self,
        key: &K,
        value: &V,
        time: Option<Duration>,
        insert: impl FnOnce(&B) -> Result<bool, Error>,
    ) -> Result<bool, Error>
    where
        K: Hash + ?Sized,
        F: KeyedStore<K, Value = V>,
        B: KeyedStore<K, Value = V>,
    {
        let change = self.stripe(key).change();
        let stored = insert(&self.back);
        let time = self.in_front(time.or(self.back.ttl()));
        change.change_front(|is_alone| {
            let is_there =
                is_alone && matches!(stored, Ok(true)) && self.front.insert_with_ttl(key, value, time).is_ok();
            // If the front does not take the new value, it must not keep an older one.
            if is_there { Ok(()) } else { self.front.remove(key).map(drop) }
        })?;
        stored
    }
}

impl<F: fmt::Debug, B: fmt::Debug> fmt::Debug for Tiered<F, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { front, back, .. } = self;
        f.debug_struct("Tiered").field("front", front).field("back", back).finish_non_exhaustive()
    }
}
