//! What a store owes, and what stores are made of.

mod args;
mod claim;
mod clock;
mod error;
mod expiry;
mod key;
mod namespace;
mod process;
mod warn;

use std::sync::Arc;
use std::time::Duration;

pub use args::{Args, Call, Part};
pub use claim::Claim;
pub use clock::{Clock, ManualClock};
pub(crate) use error::guard;
pub use error::{Error, ErrorKind};
pub use expiry::Expiry;
pub(crate) use key::ByDigest;
pub use key::{KeyHash, KeyHasher};
pub use namespace::Namespace;
pub use process::Process;
pub(crate) use process::forked;
pub use warn::WarnOnce;

/// A place where results are kept.
///
/// The smallest complete store, on which the tests of this crate run the defaults of [`KeyedStore`]:
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
/// # What an implementor owes
///
/// - No method panics or waits without end, whatever happens to the disk, to another process or to the engine. What
///   cannot be done is an [`Error`]; a [`Memo`](crate::Memo) logs it once and goes on as if nothing were stored.
/// - Nothing comes out that was not put in under the same key. When in doubt, it is a miss.
#[expect(clippy::len_without_is_empty, reason = "`len() == Ok(0)`; a second fallible name for it helps nobody")]
pub trait Store: Send + Sync {
    /// What is kept. A hit gives it by value, so it should be cheap to clone or to decode.
    type Value;

    /// How many entries there are. Entries that have expired and not been swept yet may be among them.
    fn len(&self) -> Result<usize, Error>;

    /// Removes every entry.
    fn clear(&self) -> Result<(), Error>;

    /// How long entries live at the most; `None` is for ever, and the default.
    fn ttl(&self) -> Option<Duration> {
        None
    }

    /// What this is, and where, in a few words that fit into a sentence: `memory`, or `the database at /x/y`. For
    /// [`Memo::describe`](crate::Memo::describe), and for the log. The default is `a store`.
    fn describe(&self) -> String {
        String::from("a store")
    }

    /// How many errors this store has dealt with by itself, so that nobody but the log has heard of them.
    ///
    /// The default is 0, which is right for stores that report them all.
    fn suppressed_errors(&self) -> u64 {
        0
    }
}

/// A value that a store has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found<V> {
    /// The value.
    pub value: V,
    /// How long the entry stays valid; `None` if it never expires.
    pub ttl: Option<Duration>,
}

/// When a computation began: what [`KeyedStore::begin`] gives, and [`KeyedStore::insert_begun`] gets back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ticket {
    /// What the store tells the order of beginnings by.
    pub number: u64,
    /// Whether the result is to replace all that began earlier, stored or not: it is of a
    /// [`refresh`](crate::Memo::refresh).
    pub is_refresh: bool,
}

/// A store whose entries are found by arguments of type `K`.
///
/// The trait is dyn-compatible, and `&S`, `Box<S>` and `Arc<S>` of a store are stores.
///
/// # What an implementor owes
///
/// - After `insert(k, v)` returned `Ok`, `get(k)` gives `v` or nothing, until the next `insert`, `remove` or `clear`:
///   a store may lose what it likes, but never goes back to an older value.
/// - After `insert(k, v)` returned an error, an older value may still be there.
/// - A store whose entries expire implements [`ttl`](Store::ttl) and [`get_with_ttl`](Self::get_with_ttl) too; one that can keep
///   an entry for less than its own TTL implements [`insert_with_ttl`](Self::insert_with_ttl). A [`Tiered`](crate::Tiered) moves entries from one
///   store to another with them, and no entry may outlive its deadline on the way.
pub trait KeyedStore<K: ?Sized>: Store {
    /// The value for `key`, or `None`.
    fn get(&self, key: &K) -> Result<Option<Self::Value>, Error>;

    /// Keeps `value` for `key`, in place of what was there. A value that the store's limits do not allow is not kept,
    /// and neither is the one that it would have replaced: that is `Ok`.
    fn insert(&self, key: &K, value: &Self::Value) -> Result<(), Error>;

    /// Removes the entry of `key`; says whether there was one.
    fn remove(&self, key: &K) -> Result<bool, Error>;

    /// As [`get`](Self::get), with the time that the entry has left; `None` is for ever.
    ///
    /// The default is `get`, and for ever.
    fn get_with_ttl(&self, key: &K) -> Result<Option<Found<Self::Value>>, Error> {
        Ok(self.get(key)?.map(|value| Found { value, ttl: None }))
    }

    /// As [`insert`](Self::insert), for `time` at the most; `None` leaves it to the store.
    ///
    /// The default cannot promise to forget in time: it keeps nothing unless `time` is `None`, and removes what was
    /// there.
    fn insert_with_ttl(&self, key: &K, value: &Self::Value, time: Option<Duration>) -> Result<(), Error> {
        match time {
            None => self.insert(key, value),
            Some(_) => self.remove(key).map(drop),
        }
    }

    /// Notes that a computation of this key's result begins, before the function runs.
    ///
    /// The default is for stores that no other process can see: within one process, [`Memo`](crate::Memo) knows.
    fn begin(&self, _key: &K) -> Ticket {
        Ticket::default()
    }

    /// As [`insert`](Self::insert), for the result of a computation that began with `ticket`; says whether the result is
    /// current.
    ///
    /// A result is outdated and is not kept if meanwhile, in any process, the entry was removed or cleared, or was stored by
    /// a [refresh](Ticket::is_refresh) that began later. When this returns for a refresh, outdated or not, nothing is there
    /// that is older than the refresh. The default is for stores that no other process can see.
    fn insert_begun(&self, key: &K, value: &Self::Value, _ticket: Ticket) -> Result<bool, Error> {
        self.insert(key, value).map(|()| true)
    }

    /// Asks whether another process is computing this result, before it is computed here; the wait for it ends after
    /// `patience`.
    ///
    /// The default is for stores that no other process can see.
    fn claim(&self, _key: &K, _patience: Duration) -> Claim {
        Claim::free()
    }
}

/// A store that can show a value where it keeps it, without copying it: what [`Memo::view`](crate::Memo::view) gives.
///
/// # What an implementor owes
///
/// - What holds for [`get`](KeyedStore::get) holds for [`view`](Self::view).
/// - A view stays as it is, whatever happens to its entry afterwards.
pub trait ViewStore<K: ?Sized>: KeyedStore<K> {
    /// A value, as it is kept.
    type View;

    /// A view of the value for `key`, or `None`.
    fn view(&self, key: &K) -> Result<Option<Self::View>, Error>;

    /// A view of a value that is not kept.
    fn to_view(&self, value: &Self::Value) -> Result<Self::View, Error>;
}

/// The methods of a store that is made of another one, inside an `impl` of [`Store`], [`KeyedStore`] or [`ViewStore`].
///
/// All methods are here, defaulted ones too: a forgotten one would use the default, however well the inner store implements
/// it.
#[doc(hidden)]
#[macro_export]
macro_rules! __forward_0_1 {
    (Store, |$this:ident| $inner:expr) => {
        $crate::__forward_0_1! { @ [$crate::Store] |$this| $inner;
            fn len() -> ::std::result::Result<usize, $crate::Error>;
            fn clear() -> ::std::result::Result<(), $crate::Error>;
            fn ttl() -> ::std::option::Option<::std::time::Duration>;
            fn describe() -> ::std::string::String;
            fn suppressed_errors() -> u64;
        }
    };
    (KeyedStore<$key:ty>, |$this:ident| $inner:expr) => {
        $crate::__forward_0_1! { @ [$crate::KeyedStore::<$key>] |$this| $inner;
            fn get(key: &$key) -> ::std::result::Result<::std::option::Option<Self::Value>, $crate::Error>;
            fn insert(key: &$key, value: &Self::Value) -> ::std::result::Result<(), $crate::Error>;
            fn remove(key: &$key) -> ::std::result::Result<bool, $crate::Error>;
            fn get_with_ttl(key: &$key)
                -> ::std::result::Result<::std::option::Option<$crate::Found<Self::Value>>, $crate::Error>;
            fn insert_with_ttl(key: &$key, value: &Self::Value, ttl: ::std::option::Option<::std::time::Duration>)
                -> ::std::result::Result<(), $crate::Error>;
            fn begin(key: &$key) -> $crate::Ticket;
            fn insert_begun(key: &$key, value: &Self::Value, ticket: $crate::Ticket)
                -> ::std::result::Result<bool, $crate::Error>;
            fn claim(key: &$key, patience: ::std::time::Duration) -> $crate::Claim;
        }
    };
    (ViewStore<$key:ty>, |$this:ident| $inner:expr) => {
        $crate::__forward_0_1! { @ [$crate::ViewStore::<$key>] |$this| $inner;
            fn view(key: &$key) -> ::std::result::Result<::std::option::Option<Self::View>, $crate::Error>;
            fn to_view(value: &Self::Value) -> ::std::result::Result<Self::View, $crate::Error>;
        }
    };
    (@ $trait:tt |$this:ident| $inner:expr; $(fn $name:ident($($argument:ident: $type:ty),*) -> $output:ty;)+) => {
        $(
            #[inline]
            fn $name(&self, $($argument: $type),*) -> $output {
                let $this = self;
                $crate::__forward_0_1!(@@ $trait $name)(&$inner, $($argument),*)
            }
        )+
    };
    (@@ [$($trait:tt)*] $name:ident) => {
        $($trait)*::$name
    };
}

macro_rules! forward_pointers {
    ($($pointer:ty),+) => {
        $(
            impl<S: Store + ?Sized> Store for $pointer {
                type Value = S::Value;

                __forward_0_1!(Store, |this| (**this));
            }

            impl<K: ?Sized, S: KeyedStore<K> + ?Sized> KeyedStore<K> for $pointer {
                __forward_0_1!(KeyedStore<K>, |this| (**this));
            }

            impl<K: ?Sized, S: ViewStore<K> + ?Sized> ViewStore<K> for $pointer {
                type View = S::View;

                __forward_0_1!(ViewStore<K>, |this| (**this));
            }
        )+
    };
}

forward_pointers!(&S, Box<S>, Arc<S>);

// Dyn-compatible, and shared between threads as it is: compiled, not claimed.
const _: fn(&dyn Store<Value = u8>) = |_| ();
const _: fn(&dyn KeyedStore<str, Value = u8>) = |_| ();
const _: fn(&dyn ViewStore<str, Value = u8, View = u8>) = |_| ();
const _: fn() = || {
    fn is_shared<T: Send + Sync + ?Sized>() {}
    is_shared::<dyn KeyedStore<str, Value = std::cell::Cell<u8>>>();
};
