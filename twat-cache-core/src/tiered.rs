use std::fmt;
use std::hash::Hash;
use std::time::Duration;

use crate::key::Namespace;
use crate::stripes::{Stripe, Stripes};
use crate::{Claim, Error, Found, KeyedStore, Store, Ticket};

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
    /// Held while both stores are changed, I/O included, or they would end up with different values for a key. What was
    /// read from the back before a change must not be put in front after it.
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
        let _locked: Vec<_> = self.stripes.all().iter().map(Stripe::change).collect::<Result<_, _>>()?;
        let back = self.back.clear();
        self.front.clear().and(back)
    }

    fn ttl(&self) -> Option<Duration> {
        self.back.ttl()
    }

    fn describe(&self) -> String {
        format!("{} in front of {}", self.front.describe(), self.back.describe())
    }

    fn survived(&self) -> u64 {
        self.front.survived() + self.back.survived()
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
            missed => Ok(self.descend(key, missed.err())?.map(|(value, _)| value)),
        }
    }

    fn insert(&self, key: &K, value: &F::Value) -> Result<(), Error> {
        self.insert_for(key, value, None)
    }

    fn remove(&self, key: &K) -> Result<bool, Error> {
        let _locked = self.stripes.of(self.namespace.digest(key)).change()?;
        let back = self.back.remove(key);
        let front = self.front.remove(key)?;
        Ok(back? | front)
    }

    fn get_for(&self, key: &K) -> Result<Found<F::Value>, Error> {
        match self.front.get_for(key) {
            Ok(Some(found)) => Ok(Some(found)),
            missed => self.descend(key, missed.err()),
        }
    }

    fn insert_for(&self, key: &K, value: &F::Value, time: Option<Duration>) -> Result<(), Error> {
        let _locked = self.stripes.of(self.namespace.digest(key)).change()?;
        let back = self.back.insert_for(key, value, time);
        // The copy in front must not outlive the entry, whatever the front's own TTL.
        let time = time.into_iter().chain(self.back.ttl()).min();
        back.and(self.put_in_front(key, value, time))
    }

    fn begin(&self, key: &K) -> Ticket {
        self.back.begin(key)
    }

    fn insert_begun(&self, key: &K, value: &F::Value, ticket: Ticket) -> Result<bool, Error> {
        let _locked = self.stripes.of(self.namespace.digest(key)).change()?;
        if self.back.insert_begun(key, value, ticket)? {
            return self.put_in_front(key, value, self.back.ttl()).map(|()| true);
        }
        self.front.remove(key).map(|_| false)
    }

    fn claim(&self, key: &K, patience: Duration) -> Claim {
        self.back.claim(key, patience)
    }
}

impl<F, B> Tiered<F, B> {
    /// The front has nothing: looks into the back, and fills the front from it.
    #[cold]
    fn descend<K, V>(&self, key: &K, error: Option<Error>) -> Result<Found<V>, Error>
    where
        K: Hash + ?Sized,
        F: KeyedStore<K, Value = V>,
        B: KeyedStore<K, Value = V>,
    {
        let stripe = self.stripes.of(self.namespace.digest(key));
        let seen = stripe.changes();
        let Some((value, left)) = self.back.get_for(key)? else {
            return error.map_or(Ok(None), Err);
        };
        // Who is changing it sees to the front as well. And what runs under the lock may be waiting for this very call.
        let locked = stripe.try_lock();
        if locked.is_some() && stripe.changes() == seen {
            // A front that takes nothing costs the next call a look into the back, and this one nothing.
            let _ = self.put_in_front(key, &value, left);
        }
        Ok(Some((value, left)))
    }

    fn put_in_front<K, V>(&self, key: &K, value: &V, time: Option<Duration>) -> Result<(), Error>
    where
        K: ?Sized,
        F: KeyedStore<K, Value = V>,
    {
        // If it does not take the new value, it must not keep an old one.
        self.front.insert_for(key, value, time).or_else(|_| self.front.remove(key).map(drop))
    }
}

impl<F: fmt::Debug, B: fmt::Debug> fmt::Debug for Tiered<F, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { front, back, .. } = self;
        f.debug_struct("Tiered").field("front", front).field("back", back).finish_non_exhaustive()
    }
}
