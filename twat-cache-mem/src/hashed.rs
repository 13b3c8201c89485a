use std::hash::{Hash, Hasher};
use std::time::Duration;

use twat_cache_core::{Error, Found, KeyHash, KeyedStore, Namespace};

use crate::MemStore;

/// A key that is known by its digest, under a secret that is random in every process: for what hashes, and cannot be owned
/// or compared.
///
/// ```
/// use twat_cache_mem::{Hashed, KeyHash, KeyedStore as _, mcache};
///
/// let store = mcache().open::<KeyHash, u32>();
/// store.insert(&Hashed(&["one", "two"]), &3)?;
/// assert_eq!(store.get(&Hashed(&["one", "two"]))?, Some(3));
/// # Ok::<(), twat_cache_mem::Error>(())
/// ```
#[derive(Debug)]
pub struct Hashed<'a, T: ?Sized>(pub &'a T);

/// As the thing itself, so that stores which go by digests anyway find what is stored under it.
impl<T: Hash + ?Sized> Hash for Hashed<'_, T> {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl<T: Hash + ?Sized> Hashed<'_, T> {
    #[inline]
    fn digest(&self) -> KeyHash {
        Namespace::process().digest(self.0)
    }
}

impl<T: Hash + ?Sized, V: Clone + Send + Sync> KeyedStore<Hashed<'_, T>> for MemStore<KeyHash, V> {
    #[inline]
    fn get(&self, key: &Hashed<'_, T>) -> Result<Option<V>, Error> {
        self.get(&key.digest())
    }

    fn insert(&self, key: &Hashed<'_, T>, value: &V) -> Result<(), Error> {
        self.insert(&key.digest(), value)
    }

    fn remove(&self, key: &Hashed<'_, T>) -> Result<bool, Error> {
        self.remove(&key.digest())
    }

    fn get_for(&self, key: &Hashed<'_, T>) -> Result<Found<V>, Error> {
        self.get_for(&key.digest())
    }

    fn insert_for(&self, key: &Hashed<'_, T>, value: &V, time: Option<Duration>) -> Result<(), Error> {
        self.insert_for(&key.digest(), value, time)
    }
}
