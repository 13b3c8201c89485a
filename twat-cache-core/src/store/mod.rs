//! The traits of stores, and the types that stores are built from.

mod answer;
mod args;
mod claim;
mod clock;
mod error;
mod expiry;
mod forward;
mod key;
mod namespace;
mod process;
mod warn;

use std::time::Duration;

pub use answer::Answer;
pub use args::{Args, Call, Part};
pub use claim::Claim;
pub use clock::{Clock, ManualClock};
pub(crate) use error::guard;
pub use error::{Error, ErrorKind};
pub use expiry::Expiry;
pub(crate) use key::ByDigest;
pub use key::{KeyHash, KeyHasher, Recorded};
pub use namespace::Namespace;
pub use process::Process;
pub(crate) use process::forked;
pub use warn::WarnOnce;

/// A store of results.
///
/// This is the smallest complete store. It uses the default methods of [`KeyedStore`]:
///
/// ```
/// use std::collections::HashMap;
/// use std::sync::Mutex;
/// use twat_cache_core::{Error, KeyedStore, Memo, Store};
///
/// #[derive(Default)]
/// struct Forever(Mutex<HashMap<u64, String>>);
///
/// impl Store for Forever {
///     type Value = String;
///
///     fn len(&self) -> Result<usize, Error> {
///         Ok(self.0.lock().unwrap().len())
///     }
///
///     fn clear(&self) -> Result<(), Error> {
///         self.0.lock().unwrap().clear();
///         Ok(())
///     }
/// }
///
/// impl KeyedStore<u64> for Forever {
///     fn get(&self, key: &u64) -> Result<Option<String>, Error> {
///         Ok(self.0.lock().unwrap().get(key).cloned())
///     }
///
///     fn insert(&self, key: &u64, value: &String) -> Result<(), Error> {
///         self.0.lock().unwrap().insert(*key, value.clone());
///         Ok(())
///     }
///
///     fn remove(&self, key: &u64) -> Result<bool, Error> {
///         Ok(self.0.lock().unwrap().remove(key).is_some())
///     }
/// }
///
/// let spell = Memo::new(Forever::default(), |n: &u64| format!("number {n}"));
/// assert_eq!(spell.call(&7), "number 7");
/// assert_eq!(spell.len().unwrap(), 1);
/// ```
///
/// # Requirements
///
/// - No method panics, and no method waits forever, even if the disk, another process or the engine fails. A method
///   that fails returns an [`Error`]. A [`Memo`](crate::Memo) logs the first error of each kind and then computes.
/// - A hit returns only a value that was stored under the same key. A store that is not certain reports a miss.
#[expect(clippy::len_without_is_empty, reason = "`len() == Ok(0)`; a second fallible name for it helps nobody")]
pub trait Store: Send + Sync {
    /// The type of stored values. A hit returns it by value, so it should be cheap to clone or to decode.
    type Value;

    /// Returns the number of entries. It may count expired entries that are not removed yet.
    fn len(&self) -> Result<usize, Error>;

    /// Removes every entry.
    fn clear(&self) -> Result<(), Error>;

    /// Like [`len`](Self::len), for a task.
    fn len_async(&self) -> Answer<'_, usize> {
        Answer::Now(self.len())
    }

    /// Like [`clear`](Self::clear), for a task.
    fn clear_async(&self) -> Answer<'_, ()> {
        Answer::Now(self.clear())
    }

    /// Returns the longest time for which an entry stays valid, unless it has a TTL of its own. `None`, the default, means
    /// that entries never expire.
    fn ttl(&self) -> Option<Duration> {
        None
    }

    /// Returns for how much of the end of its life an entry is stale. A [`Memo`](crate::Memo) returns a stale result while
    /// one caller computes a new one, and if the function fails. `None`, the default, means that entries are never stale.
    fn stale(&self) -> Option<Duration> {
        None
    }

    /// Returns the kind and location of the store, in words that fit into a sentence: `memory`, or `the database at
    /// /x/y`. [`Memo::describe`](crate::Memo::describe) and the log show it. The default is `a store`.
    fn describe(&self) -> String {
        String::from("a store")
    }

    /// Returns how many errors this store has logged and handled without returning them.
    ///
    /// The default is 0, which is correct for a store that returns every error.
    fn suppressed_errors(&self) -> u64 {
        0
    }

    /// Returns how many entries this store has evicted because of its limits. Expired and removed entries do not count.
    ///
    /// The default is 0, for stores that do not count them.
    fn evictions(&self) -> u64 {
        0
    }

    /// Returns whether others can change the entries without this object: other processes, or other objects of this one.
    ///
    /// The default is `false`. A store that returns `true` also implements [`KeyedStore::stamp`] and
    /// [`is_current`](Self::is_current). Then a [`Near`](crate::Near) can have copies of its entries.
    fn is_shared(&self) -> bool {
        false
    }

    /// Returns whether a copy that was read after this stamp was made is still valid. It is not if its entry was removed
    /// or refreshed since, and the call that did it has returned. It may be invalid for other reasons as well.
    ///
    /// The default is `false`, for stores that are not [shared](Self::is_shared).
    fn is_current(&self, _stamp: Stamp) -> bool {
        false
    }

    /// Does what [`insert_begun`](KeyedStore::insert_begun) has put off: it calls the user's functions that may use the store.
    /// A [`Memo`](crate::Memo) calls this after it has stored a result, when it holds no lock.
    ///
    /// The default does nothing. A store that wraps another store forwards this.
    fn settle(&self) {}
}

/// A hit: a value, and the time for which it stays valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found<V> {
    /// The value.
    pub value: V,
    /// The time until the entry expires; `None` if it never expires.
    pub ttl: Option<Duration>,
}

/// The start of a computation. [`KeyedStore::begin`] returns it, and [`KeyedStore::insert_begun`] takes it back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ticket {
    /// The position of this start among all starts, as the store counts them.
    pub number: u64,
    /// Whether the computation is a [`refresh`](crate::Memo::refresh). Its result replaces the results of all
    /// computations that began earlier, whether they are stored already or not.
    pub is_refresh: bool,
}

/// A moment in the life of an entry, to find out whether a copy of it is still valid. [`KeyedStore::stamp`] makes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The number of a group of keys.
    pub stripe: u32,
    /// The generation of that group. It changes when an entry of the group is removed or refreshed.
    pub generation: u64,
}

/// A store that finds entries by arguments of type `K`.
///
/// The trait is dyn-compatible. `&S`, `Box<S>` and `Arc<S>` of a store are stores.
///
/// # Requirements
///
/// - After `insert(k, v)` returns `Ok`, `get(k)` returns `v` or `None`, until the next `insert`, `remove` or `clear`.
///   So a store may evict any entry, but it never returns an older value.
/// - After `insert(k, v)` returns an error, the store may still have an older value.
/// - A store whose entries expire also implements [`ttl`](Store::ttl), [`stale`](Store::stale) if they can be stale, and
///   [`get_with_ttl`](Self::get_with_ttl). A store
///   that supports a TTL for a single entry also implements [`insert_with_ttl`](Self::insert_with_ttl). A
///   [`Tiered`](crate::Tiered) copies entries between stores with these methods, so that a copy expires with its
///   original.
pub trait KeyedStore<K: ?Sized>: Store {
    /// Returns the value for `key`; `None` is a miss.
    fn get(&self, key: &K) -> Result<Option<Self::Value>, Error>;

    /// Stores `value` for `key`, in place of an earlier value.
    ///
    /// If the store's limits do not allow `value`, the store keeps no value for `key` and returns `Ok`.
    fn insert(&self, key: &K, value: &Self::Value) -> Result<(), Error>;

    /// Removes the entry for `key`. Returns whether there was one.
    fn remove(&self, key: &K) -> Result<bool, Error>;

    /// Like [`get`](Self::get), with the time until the entry expires.
    ///
    /// The default calls `get`, for entries that never expire.
    fn get_with_ttl(&self, key: &K) -> Result<Option<Found<Self::Value>>, Error> {
        Ok(self.get(key)?.map(|value| Found { value, ttl: None }))
    }

    /// Like [`get`](Self::get), for a caller that needs a part of the value only. `read` may be called more than once, and under
    /// a lock of the store.
    ///
    /// The default reads what `get` returns. A store in memory can read its entry in place.
    #[inline]
    fn get_part<T>(&self, key: &K, read: impl Fn(&Self::Value) -> Option<T>) -> Result<Option<T>, Error>
    where
        Self: Sized,
    {
        Ok(self.get(key)?.and_then(|value| read(&value)))
    }

    /// Like [`insert`](Self::insert), for an entry with a TTL of its own, in place of the store's. With zero, the store
    /// keeps no value for `key`. With `None`, the store's TTL applies.
    ///
    /// The default cannot expire a single entry. So it calls `insert` if `ttl` is `None`, and otherwise removes the
    /// entry.
    fn insert_with_ttl(&self, key: &K, value: &Self::Value, ttl: Option<Duration>) -> Result<(), Error> {
        match ttl {
            None => self.insert(key, value),
            Some(_) => self.remove(key).map(drop),
        }
    }

    /// Records the start of a computation for `key`. A [`Memo`](crate::Memo) calls this before it runs the function.
    ///
    /// The default is for stores of one process: within a process, the `Memo` orders computations itself.
    fn begin(&self, _key: &K) -> Ticket {
        Ticket::default()
    }

    /// Like [`insert_with_ttl`](Self::insert_with_ttl), for the result of the computation that began with `ticket`.
    /// Returns whether the result is current.
    ///
    /// A result is outdated if, since the computation began, any process removed the entry, cleared the store, or
    /// stored the result of a [refresh](Ticket::is_refresh) that began later. An outdated result is not stored. After
    /// this returns for a refresh, outdated or not, the store has no value that is older than the refresh.
    ///
    /// The default is for stores of one process: it calls `insert_with_ttl` and returns `true`.
    fn insert_begun(
        &self,
        key: &K,
        value: &Self::Value,
        ttl: Option<Duration>,
        _ticket: Ticket,
    ) -> Result<bool, Error> {
        self.insert_with_ttl(key, value, ttl).map(|()| true)
    }

    /// Returns whether the result of the computation that began with `ticket` [is outdated](Self::insert_begun), or that
    /// cannot be told at present. A [`Fallback`](crate::Fallback) asks this about a result that the store did not take.
    ///
    /// The default is `false`, for stores that are not [shared](Store::is_shared).
    fn is_outdated(&self, _key: &K, _ticket: Ticket) -> bool {
        false
    }

    /// Makes the stamp of an entry, for [`Store::is_current`]. `None` if the store cannot tell at present whether a copy
    /// is valid.
    ///
    /// The default is `None`, for stores that are not [shared](Store::is_shared).
    fn stamp(&self, _key: &K) -> Option<Stamp> {
        None
    }

    /// Claims the computation for `key` among all processes. The wait for another process ends after `patience`.
    ///
    /// The default is for stores of one process: the claim is [free](Claim::free).
    fn claim(&self, _key: &K, _patience: Duration) -> Claim {
        Claim::free()
    }

    /// Like [`get`](Self::get), for a task. As of all async forms, the default answers at once, by the method that blocks.
    #[inline]
    fn get_async<'a>(&'a self, key: &K) -> Answer<'a, Option<Self::Value>> {
        Answer::Now(self.get(key))
    }

    /// Like [`insert`](Self::insert), for a task.
    fn insert_async<'a>(&'a self, key: &K, value: &Self::Value) -> Answer<'a, ()> {
        self.insert_with_ttl_async(key, value, None)
    }

    /// Like [`insert_with_ttl`](Self::insert_with_ttl), for a task.
    fn insert_with_ttl_async<'a>(&'a self, key: &K, value: &Self::Value, ttl: Option<Duration>) -> Answer<'a, ()> {
        Answer::Now(self.insert_with_ttl(key, value, ttl))
    }

    /// Like [`remove`](Self::remove), for a task.
    fn remove_async<'a>(&'a self, key: &K) -> Answer<'a, bool> {
        Answer::Now(self.remove(key))
    }

    /// Like [`get_with_ttl`](Self::get_with_ttl), for a task.
    fn get_with_ttl_async<'a>(&'a self, key: &K) -> Answer<'a, Option<Found<Self::Value>>> {
        Answer::Now(self.get_with_ttl(key))
    }

    /// Like [`begin`](Self::begin), for a task.
    fn begin_async<'a>(&'a self, key: &K) -> Answer<'a, Ticket> {
        Answer::Now(Ok(self.begin(key)))
    }

    /// Like [`insert_begun`](Self::insert_begun), for a task. A store that answers this later orders the results of a key by
    /// its tickets, as shared stores do: while the answer is not there, the key may be removed.
    fn insert_begun_async<'a>(
        &'a self,
        key: &K,
        value: &Self::Value,
        ttl: Option<Duration>,
        ticket: Ticket,
    ) -> Answer<'a, bool> {
        Answer::Now(self.insert_begun(key, value, ttl, ticket))
    }

    /// Like [`claim`](Self::claim), for a task.
    fn claim_async<'a>(&'a self, key: &K, patience: Duration) -> Answer<'a, Claim> {
        Answer::Now(Ok(self.claim(key, patience)))
    }
}

/// A store that gives access to a stored value without a copy, for [`Memo::view`](crate::Memo::view).
///
/// # Requirements
///
/// - [`view`](Self::view) meets the requirements of [`get`](KeyedStore::get).
/// - A view does not change when its entry is replaced, removed or evicted.
pub trait ViewStore<K: ?Sized>: KeyedStore<K> {
    /// The type of views: a value in its stored form.
    type View: 'static;

    /// Returns a view of the value for `key`; `None` is a miss.
    fn view(&self, key: &K) -> Result<Option<Self::View>, Error>;

    /// Like [`view`](Self::view), with the time until the entry expires.
    ///
    /// The default calls `view`, for entries that never expire.
    fn view_with_ttl(&self, key: &K) -> Result<Option<Found<Self::View>>, Error> {
        Ok(self.view(key)?.map(|value| Found { value, ttl: None }))
    }

    /// Like [`view`](Self::view), for a task.
    fn view_async<'a>(&'a self, key: &K) -> Answer<'a, Option<Self::View>> {
        Answer::Now(self.view(key))
    }

    /// Like [`view_with_ttl`](Self::view_with_ttl), for a task.
    fn view_with_ttl_async<'a>(&'a self, key: &K) -> Answer<'a, Option<Found<Self::View>>> {
        Answer::Now(self.view_with_ttl(key))
    }

    /// Returns a view of a value that is not stored.
    fn to_view(&self, value: &Self::Value) -> Result<Self::View, Error>;
}

// Compile-time checks: the traits are dyn-compatible, and their trait objects can be shared between threads.
const _: fn(&dyn Store<Value = u8>) = |_| ();
const _: fn(&dyn KeyedStore<str, Value = u8>) = |_| ();
const _: fn(&dyn ViewStore<str, Value = u8, View = u8>) = |_| ();
const _: fn() = || {
    fn is_shared<T: Send + Sync + ?Sized>() {}
    is_shared::<dyn KeyedStore<str, Value = std::cell::Cell<u8>>>();
};
