use std::fmt;
use std::hash::Hash;
use std::time::Duration;

use super::stripes::{Change, Stripe, Stripes};
use crate::{Claim, Error, Found, KeyedStore, Namespace, Store, Ticket};

/// A fast store in front of a lasting one.
///
/// A lookup that the front misses goes to the back, and what is found there is put in front for the time it has left.
/// Results are stored in both. The front is only ever a copy: `len` is the back's, and an error of the front matters
/// only where the back has nothing.
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
    /// What was read from the back before a change must not be put in front after it.
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

    /// The lasting store.
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

    fn describe(&self) -> String {
        format!("{} in front of {}", self.front.describe(), self.back.describe())
    }

    fn suppressed_errors(&self) -> u64 {
        self.front.suppressed_errors() + self.back.suppressed_errors()
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
            missed => Ok(self.descend(key, missed.err())?.map(|found| found.value)),
        }
    }

    fn insert(&self, key: &K, value: &F::Value) -> Result<(), Error> {
        self.insert_with_ttl(key, value, None)
    }

    fn remove(&self, key: &K) -> Result<bool, Error> {
        let change = self.stripe(key).change();
        let back = self.back.remove(key);
        let front = change.see_to_front(|_| self.front.remove(key))?;
        Ok(back? | front)
    }

    fn get_with_ttl(&self, key: &K) -> Result<Option<Found<F::Value>>, Error> {
        match self.front.get_with_ttl(key) {
            Ok(Some(found)) => Ok(Some(found)),
            missed => self.descend(key, missed.err()),
        }
    }

    fn insert_with_ttl(&self, key: &K, value: &F::Value, time: Option<Duration>) -> Result<(), Error> {
        self.put(key, value, time, |back| back.insert_with_ttl(key, value, time).map(|()| true)).map(drop)
    }

    fn begin(&self, key: &K) -> Ticket {
        self.back.begin(key)
    }

    fn insert_begun(&self, key: &K, value: &F::Value, ticket: Ticket) -> Result<bool, Error> {
        self.put(key, value, None, |back| back.insert_begun(key, value, ticket))
    }

    fn claim(&self, key: &K, patience: Duration) -> Claim {
        self.back.claim(key, patience)
    }
}

impl<F, B> Tiered<F, B> {
    fn stripe<K: Hash + ?Sized>(&self, key: &K) -> &Stripe {
        self.stripes.of(self.namespace.digest(key))
    }

    /// The front has nothing: looks into the back, and fills the front from it.
    #[cold]
    fn descend<K, V>(&self, key: &K, error: Option<Error>) -> Result<Option<Found<V>>, Error>
    where
        K: Hash + ?Sized,
        F: KeyedStore<K, Value = V>,
        B: KeyedStore<K, Value = V>,
    {
        let glance = self.stripe(key).glance();
        let Some(found) = self.back.get_with_ttl(key)? else {
            return error.map_or(Ok(None), Err);
        };
        if let Some(glance) = glance {
            // A front that takes nothing costs the next call a look into the back, and this one nothing.
            glance.fill_front(|| drop(self.front.insert_with_ttl(key, &found.value, found.ttl)));
        }
        Ok(Some(found))
    }

    /// Stores a value in the back by `insert`, which says whether it is current, and in front.
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
        // The copy in front must not outlive the entry, whatever the front's own TTL.
        let time = time.into_iter().chain(self.back.ttl()).min();
        change.see_to_front(|is_alone| {
            let is_there =
                is_alone && matches!(stored, Ok(true)) && self.front.insert_with_ttl(key, value, time).is_ok();
            // If it does not take the new value, it must not keep an old one.
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
