mod copies;
mod generations;

use std::fmt;
use std::hash::Hash;
use std::time::Duration;

use crate::{Answer, Args, Claim, Error, Found, KeyedStore, Stamp, Store, Ticket};
use generations::{Generations, OWN, STRIPES};

/// A near cache: memory, the front, with copies of the entries of a store, the back, that others may change.
///
/// A copy has the [stamp](Stamp) that its entry had before it was read. A hit in the front is valid if the stamp is still
/// current, which takes about a nanosecond to find out. So the front never returns what another process has removed or refreshed,
/// once the call that did it has returned. No message is sent for that.
///
/// If the back cannot make stamps at present, the front is not used. `len` is that of the back.
///
/// A [`Tiered`](crate::Tiered) is for fronts that cannot have stamps, and backs that others do not change.
///
/// ```
/// use twat_cache_core::{KeyedStore, LruStore, Near};
///
/// let near = Near::new(LruStore::new(10), LruStore::new(1000));
/// near.back().insert("key", &42)?;
/// assert_eq!(near.get("key")?, Some(42));
/// # Ok::<(), twat_cache_core::Error>(())
/// ```
pub struct Near<F, B> {
    front: F,
    back: B,
    own: Generations,
}

/// A value in the front of a [`Near`].
#[derive(Clone, Debug)]
pub struct Copied<V> {
    /// The value.
    pub value: V,
    stamp: Stamp,
}

impl<F, B> Near<F, B> {
    /// Puts `front` in front of `back`.
    pub fn new(front: F, back: B) -> Self {
        Self { front, back, own: Generations::new(STRIPES) }
    }

    /// `front` has the only entries, because `back` keeps nothing. No copy is ever invalid.
    ///
    /// With [`new`](Self::new), a change of one entry makes some copies of other entries invalid, which are then read from the
    /// back. Here they would be lost.
    pub fn alone(front: F, back: B) -> Self {
        Self { front, back, own: Generations::new(0) }
    }

    /// The memory with the copies.
    pub const fn front(&self) -> &F {
        &self.front
    }

    /// The store behind it.
    pub const fn back(&self) -> &B {
        &self.back
    }
}

impl<F, B: Store> Near<F, B> {
    #[inline]
    fn is_valid(&self, stamp: Stamp) -> bool {
        if stamp.stripe & OWN == 0 { self.back.is_current(stamp) } else { self.own.is_current(stamp) }
    }

    fn stamp_now<K: Hash + ?Sized>(&self, key: &K) -> Option<Stamp>
    where
        B: KeyedStore<K>,
    {
        if self.back.is_shared() { self.back.stamp(key) } else { Some(self.own.stamp(key)) }
    }
}

impl<F, B> Store for Near<F, B>
where
    F: Store<Value = Copied<B::Value>>,
    B: Store,
{
    type Value = B::Value;

    for_two_tiers!(Store);

    fn clear(&self) -> Result<(), Error> {
        self.clear_copies(self.back.clear())
    }

    fn clear_async(&self) -> Answer<'_, ()> {
        self.back.clear_async().then(|cleared| self.clear_copies(cleared))
    }
}

/// The front also takes the owned form of a key. It is for a task: when the back answers later, the key may be gone.
impl<K, F, B> KeyedStore<K> for Near<F, B>
where
    K: Args + ?Sized,
    F: KeyedStore<K, Value = Copied<B::Value>> + KeyedStore<K::Owned, Value = Copied<B::Value>>,
    B: KeyedStore<K>,
    B::Value: Clone,
{
    for_two_tiers!(KeyedStore<K>);

    #[inline]
    fn get(&self, key: &K) -> Result<Option<B::Value>, Error> {
        match self.get_from_front(key) {
            Ok(Some(value)) => Ok(Some(value)),
            missed => Ok(self.get_from_back(key, missed.err())?.map(|found| found.value)),
        }
    }

    fn remove(&self, key: &K) -> Result<bool, Error> {
        self.remove_copy(key, self.back.remove(key))
    }

    fn get_with_ttl(&self, key: &K) -> Result<Option<Found<B::Value>>, Error> {
        match self.front.get_with_ttl(key) {
            Ok(Some(Found { value: copy, ttl })) if self.is_valid(copy.stamp) => {
                let copy = Found { value: copy.value, ttl };
                if self.may_be_stale(ttl) {
                    return Ok(self.get_from_back(key, None).ok().flatten().or(Some(copy)));
                }
                Ok(Some(copy))
            }
            missed => self.get_from_back(key, missed.err()),
        }
    }

    fn insert_with_ttl(&self, key: &K, value: &B::Value, ttl: Option<Duration>) -> Result<(), Error> {
        self.put(key, value, ttl, true, |back| back.insert_with_ttl(key, value, ttl).map(|()| true)).map(drop)
    }

    fn insert_begun(&self, key: &K, value: &B::Value, ttl: Option<Duration>, ticket: Ticket) -> Result<bool, Error> {
        self.put(key, value, ttl, ticket.is_refresh, |back| back.insert_begun(key, value, ttl, ticket))
    }

    #[inline]
    fn get_async<'a>(&'a self, key: &K) -> Answer<'a, Option<B::Value>> {
        match self.get_from_front(key) {
            Ok(Some(value)) => Answer::Now(Ok(Some(value))),
            missed => {
                let found = self.get_from_back_async(key, missed.err());
                found.then(|found| Ok(found?.map(|found| found.value)))
            }
        }
    }

    fn get_with_ttl_async<'a>(&'a self, key: &K) -> Answer<'a, Option<Found<B::Value>>> {
        match self.front.get_with_ttl(key) {
            Ok(Some(Found { value: copy, ttl })) if self.is_valid(copy.stamp) && !self.may_be_stale(ttl) => {
                Answer::Now(Ok(Some(Found { value: copy.value, ttl })))
            }
            missed => self.get_from_back_async(key, missed.err()),
        }
    }

    fn insert_with_ttl_async<'a>(&'a self, key: &K, value: &B::Value, ttl: Option<Duration>) -> Answer<'a, ()> {
        let insert = |back: &'a B| back.insert_with_ttl_async(key, value, ttl).then(|stored| stored.map(|()| true));
        self.put_async(key, value, ttl, true, insert).then(|stored| stored.map(drop))
    }

    fn insert_begun_async<'a>(
        &'a self,
        key: &K,
        value: &B::Value,
        ttl: Option<Duration>,
        ticket: Ticket,
    ) -> Answer<'a, bool> {
        let insert = |back: &'a B| back.insert_begun_async(key, value, ttl, ticket);
        self.put_async(key, value, ttl, ticket.is_refresh, insert)
    }

    fn remove_async<'a>(&'a self, key: &K) -> Answer<'a, bool> {
        match self.back.remove_async(key) {
            Answer::Now(removed) => Answer::Now(self.remove_copy(key, removed)),
            Answer::Later(removed) => {
                let key = key.to_key();
                Answer::later(async move { self.remove_copy(&key, removed.await) })
            }
        }
    }
}

impl<F: fmt::Debug, B: fmt::Debug> fmt::Debug for Near<F, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { front, back, .. } = self;
        f.debug_struct("Near").field("front", front).field("back", back).finish_non_exhaustive()
    }
}
