use std::fmt;
use std::hash::Hash;
use std::time::Duration;

use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::is_mutant;
use crate::{Answer, Args, Claim, Error, Found, KeyedStore, Namespace, Stamp, Store, Ticket};

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

    fn len(&self) -> Result<usize, Error> {
        self.back.len()
    }

    fn clear(&self) -> Result<(), Error> {
        self.clear_copies(self.back.clear())
    }

    fn len_async(&self) -> Answer<'_, usize> {
        self.back.len_async()
    }

    fn clear_async(&self) -> Answer<'_, ()> {
        self.back.clear_async().then(|cleared| self.clear_copies(cleared))
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

/// The front also takes the owned form of a key. It is for a task: when the back answers later, the key may be gone.
impl<K, F, B> KeyedStore<K> for Near<F, B>
where
    K: Args + ?Sized,
    F: KeyedStore<K, Value = Copied<B::Value>> + KeyedStore<K::Owned, Value = Copied<B::Value>>,
    B: KeyedStore<K>,
    B::Value: Clone,
{
    #[inline]
    fn get(&self, key: &K) -> Result<Option<B::Value>, Error> {
        match self.get_from_front(key) {
            Ok(Some(value)) => Ok(Some(value)),
            missed => Ok(self.get_from_back(key, missed.err())?.map(|found| found.value)),
        }
    }

    fn insert(&self, key: &K, value: &B::Value) -> Result<(), Error> {
        self.insert_with_ttl(key, value, None)
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

    fn begin(&self, key: &K) -> Ticket {
        self.back.begin(key)
    }

    fn insert_begun(&self, key: &K, value: &B::Value, ttl: Option<Duration>, ticket: Ticket) -> Result<bool, Error> {
        self.put(key, value, ttl, ticket.is_refresh, |back| back.insert_begun(key, value, ttl, ticket))
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

    fn begin_async<'a>(&'a self, key: &K) -> Answer<'a, Ticket> {
        self.back.begin_async(key)
    }

    fn claim_async<'a>(&'a self, key: &K, patience: Duration) -> Answer<'a, Claim> {
        self.back.claim_async(key, patience)
    }
}

impl<F, B> Near<F, B> {
    /// The TTL of the copy of an entry with this TTL. A copy does not outlive its entry.
    fn in_front(&self, ttl: Option<Duration>) -> Option<Duration>
    where
        F: Store,
    {
        ttl.into_iter().chain(self.front.ttl()).min()
    }

    fn clear_copies(&self, cleared: Result<(), Error>) -> Result<(), Error>
    where
        F: Store,
    {
        self.own.raise_all();
        self.front.clear().and(cleared)
    }

    #[inline]
    fn get_from_front<K>(&self, key: &K) -> Result<Option<B::Value>, Error>
    where
        K: ?Sized,
        F: KeyedStore<K, Value = Copied<B::Value>>,
        B: Store,
        B::Value: Clone,
    {
        self.front.get_part(key, |copy| self.is_valid(copy.stamp).then(|| copy.value.clone()))
    }

    /// Whether only the back knows if an entry is stale whose copy expires after this time: a copy may expire before its entry,
    /// and others may have replaced that.
    fn may_be_stale(&self, ttl: Option<Duration>) -> bool
    where
        F: Store,
        B: Store,
    {
        let is_certain = self.front.ttl().is_none() && !self.back.is_shared();
        ttl.is_some_and(|left| self.back.stale() >= Some(left)) && !is_certain
    }

    /// Reads from the back after a miss in the front, and fills the front.
    #[cold]
    fn get_from_back<K>(&self, key: &K, error: Option<Error>) -> Result<Option<Found<B::Value>>, Error>
    where
        K: Hash + ?Sized,
        F: KeyedStore<K, Value = Copied<B::Value>>,
        B: KeyedStore<K>,
    {
        // The stamp comes first: what changes after it makes the copy invalid.
        let stamp = self.stamp_now(key);
        let found = self.back.get_with_ttl(key);
        let stamp = if is_mutant("stamps after the lookup") { self.stamp_now(key) } else { stamp };
        self.fill(key, stamp, found, error)
    }

    #[cold]
    fn get_from_back_async<'a, K>(&'a self, key: &K, error: Option<Error>) -> Answer<'a, Option<Found<B::Value>>>
    where
        K: Args + ?Sized,
        F: KeyedStore<K, Value = Copied<B::Value>> + KeyedStore<K::Owned, Value = Copied<B::Value>>,
        B: KeyedStore<K>,
    {
        let stamp = self.stamp_now(key);
        match self.back.get_with_ttl_async(key) {
            Answer::Now(found) => Answer::Now(self.fill(key, stamp, found, error)),
            Answer::Later(found) => {
                let key = key.to_key();
                Answer::later(async move { self.fill(&key, stamp, found.await, error) })
            }
        }
    }

    /// Fills the front with what the back has.
    fn fill<K>(
        &self,
        key: &K,
        stamp: Option<Stamp>,
        found: Result<Option<Found<B::Value>>, Error>,
        error: Option<Error>,
    ) -> Result<Option<Found<B::Value>>, Error>
    where
        K: ?Sized,
        F: KeyedStore<K, Value = Copied<B::Value>>,
        B: Store,
    {
        let Some(found) = found? else {
            return error.map_or(Ok(None), Err);
        };
        let Some(stamp) = stamp else { return Ok(Some(found)) };
        let (copy, ttl) = (Copied { value: found.value, stamp }, self.in_front(found.ttl));
        // If the front does not take it, the next lookup goes to the back again.
        let _ = self.front.insert_with_ttl(key, &copy, ttl);
        Ok(Some(Found { value: copy.value, ttl: found.ttl }))
    }

    /// Stores a value in the back by `insert`, which says whether the value is current, and in the front. A `change` replaces
    /// what others may have copies of.
    fn put<K>(
        &self,
        key: &K,
        value: &B::Value,
        ttl: Option<Duration>,
        is_change: bool,
        insert: impl FnOnce(&B) -> Result<bool, Error>,
    ) -> Result<bool, Error>
    where
        K: Hash + ?Sized,
        F: KeyedStore<K, Value = Copied<B::Value>>,
        B: KeyedStore<K>,
        B::Value: Clone,
    {
        let stamp = self.stamp_now(key);
        let stored = insert(&self.back);
        self.copy(key, value, ttl, self.stamp_after(stamp, is_change), stored)
    }

    fn put_async<'a, K>(
        &'a self,
        key: &K,
        value: &B::Value,
        ttl: Option<Duration>,
        is_change: bool,
        insert: impl FnOnce(&'a B) -> Answer<'a, bool>,
    ) -> Answer<'a, bool>
    where
        K: Args + ?Sized,
        F: KeyedStore<K, Value = Copied<B::Value>> + KeyedStore<K::Owned, Value = Copied<B::Value>>,
        B: KeyedStore<K>,
        B::Value: Clone,
    {
        let stamp = self.stamp_now(key);
        match insert(&self.back) {
            Answer::Now(stored) => Answer::Now(self.copy(key, value, ttl, self.stamp_after(stamp, is_change), stored)),
            // The next lookup reads the new value in the back.
            Answer::Later(stored) => {
                let key = key.to_key();
                Answer::later(async move {
                    let stored = stored.await;
                    self.stamp_after(stamp, is_change);
                    self.front.remove(&key)?;
                    stored
                })
            }
        }
    }

    /// The stamp for a copy of what was stored.
    fn stamp_after(&self, stamp: Option<Stamp>, is_change: bool) -> Option<Stamp>
    where
        B: Store,
    {
        match stamp {
            // A shared back has made all copies invalid. The next lookup reads the new value there.
            _ if is_change && self.back.is_shared() => None,
            Some(stamp) if is_change => self.own.raise(stamp),
            stamp => stamp,
        }
    }

    /// Stores a copy of what the back has stored, or removes an older one.
    fn copy<K>(
        &self,
        key: &K,
        value: &B::Value,
        ttl: Option<Duration>,
        stamp: Option<Stamp>,
        stored: Result<bool, Error>,
    ) -> Result<bool, Error>
    where
        K: ?Sized,
        F: KeyedStore<K, Value = Copied<B::Value>>,
        B: Store,
        B::Value: Clone,
    {
        if let (Some(stamp), Ok(true)) = (stamp, &stored) {
            let (copy, ttl) = (Copied { value: value.clone(), stamp }, self.in_front(ttl.or(self.back.ttl())));
            if self.front.insert_with_ttl(key, &copy, ttl).is_ok() {
                return stored;
            }
        }
        self.front.remove(key)?;
        stored
    }

    /// Removes the copy of what was removed in the back.
    fn remove_copy<K>(&self, key: &K, removed: Result<bool, Error>) -> Result<bool, Error>
    where
        K: Hash + ?Sized,
        F: KeyedStore<K>,
        B: Store,
    {
        self.own.raise(self.own.stamp(key));
        // A copy may be older than what others have removed.
        let is_copied = self.front.remove(key)? && !self.back.is_shared();
        Ok(removed? | is_copied)
    }
}

/// The generations of a back that others do not change. Without stripes, all stamps stay current.
struct Generations {
    namespace: Namespace,
    stripes: Box<[AtomicU64]>,
}

/// Tells a stamp of these from one of the back.
const OWN: u32 = 1 << 31;

/// The model checker needs no more than two.
const STRIPES: u8 = if cfg!(shuttle) { 2 } else { 128 };

impl Generations {
    fn new(stripes: u8) -> Self {
        Self { namespace: Namespace::process(), stripes: (0..stripes).map(|_| AtomicU64::new(0)).collect() }
    }

    fn stamp<K: Hash + ?Sized>(&self, key: &K) -> Stamp {
        if self.stripes.is_empty() {
            return Stamp { stripe: OWN, generation: 0 };
        }
        let [first, ..] = self.namespace.digest(key).to_bytes();
        let stripe = OWN | u32::from(first % STRIPES);
        let generation = self.stripe(stripe).map_or(0, |stripe| stripe.load(Ordering::SeqCst));
        Stamp { stripe, generation }
    }

    #[inline]
    fn stripe(&self, stripe: u32) -> Option<&AtomicU64> {
        self.stripes.get((stripe & !OWN) as usize)
    }

    #[inline]
    fn is_current(&self, stamp: Stamp) -> bool {
        self.stripe(stamp.stripe).is_none_or(|stripe| stripe.load(Ordering::SeqCst) == stamp.generation)
    }

    /// Begins a new generation. Returns its stamp if nothing has changed since this one was made.
    fn raise(&self, stamp: Stamp) -> Option<Stamp> {
        let Some(stripe) = self.stripe(stamp.stripe) else { return Some(stamp) };
        let before = stripe.fetch_add(1, Ordering::SeqCst);
        (before == stamp.generation).then_some(Stamp { generation: before + 1, ..stamp })
    }

    fn raise_all(&self) {
        for stripe in &self.stripes {
            stripe.fetch_add(1, Ordering::SeqCst);
        }
    }
}

impl<F: fmt::Debug, B: fmt::Debug> fmt::Debug for Near<F, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { front, back, .. } = self;
        f.debug_struct("Near").field("front", front).field("back", back).finish_non_exhaustive()
    }
}
