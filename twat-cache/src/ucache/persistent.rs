#![cfg_attr(
    not(any(feature = "disk", feature = "shared", feature = "file")),
    allow(unused_variables, reason = "there is no store to ask")
)]

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use twat_cache_core::persist::Options;
use twat_cache_core::{Answer, Args, Claim, Error, ErrorKind, Expiry, Found, KeyedStore, Stamp, Store, Ticket};
#[cfg(feature = "disk")]
use twat_cache_disk::{DiskBuilder, DiskStore};
#[cfg(feature = "file")]
use twat_cache_file::{FileBuilder, FileStore};
#[cfg(feature = "shared")]
use twat_cache_shared::{SharedBuilder, SharedStore};

use super::{Backend, BackendCodec};

/// The backend. There is one store, and no other takes its place if it fails.
#[allow(clippy::large_enum_variant, reason = "a memo has one, and a box would lie on the way of each hit")]
pub(super) enum Persistent<V, C: BackendCodec<V>> {
    #[cfg(feature = "shared")]
    Shared(SharedStore<V>),
    #[cfg(feature = "disk")]
    Disk(DiskStore<V>),
    #[cfg(feature = "file")]
    File(FileStore<V, C>),
    /// There is none, and memory has the only results.
    None {
        /// The backend that was asked for, if it is not compiled in.
        missing: Option<Backend>,
        expiry: Expiry,
        // The types are used, whatever is compiled in.
        types: PhantomData<fn() -> (V, C)>,
    },
}

impl<V: Send + Sync, C: BackendCodec<V>> Persistent<V, C> {
    pub(super) fn new(options: &Options, backend: Backend) -> Self {
        match backend.resolved() {
            #[cfg(feature = "shared")]
            Backend::Shared => Self::Shared(SharedBuilder::from(options.clone()).with_codec::<C>().build()),
            #[cfg(feature = "disk")]
            Backend::Disk => Self::Disk(DiskBuilder::from(options.clone()).with_codec::<C>().build()),
            #[cfg(feature = "file")]
            Backend::File => Self::File(FileBuilder::from(options.clone()).with_codec::<C>().build()),
            other => Self::None {
                missing: Some(other).filter(|other| *other != Backend::Memory),
                expiry: options.expiry.clone(),
                types: PhantomData,
            },
        }
    }

    /// Opens it, if it is not open.
    pub(super) fn open(&self) -> Result<(), Error> {
        match self {
            #[cfg(feature = "shared")]
            Self::Shared(store) => store.open(),
            #[cfg(feature = "disk")]
            Self::Disk(store) => store.open(),
            #[cfg(feature = "file")]
            Self::File(store) => store.open(),
            Self::None { missing: None, .. } => Ok(()),
            Self::None { missing: Some(backend), .. } => {
                let error = Error::new(ErrorKind::Unavailable, format!("store results in {backend}"));
                Err(error.because(format!("twat-cache is compiled without its feature `{}`", backend.feature())))
            }
        }
    }

    pub(super) fn backend(&self) -> Backend {
        match self {
            #[cfg(feature = "shared")]
            Self::Shared(_) => Backend::Shared,
            #[cfg(feature = "disk")]
            Self::Disk(_) => Backend::Disk,
            #[cfg(feature = "file")]
            Self::File(_) => Backend::File,
            Self::None { .. } => Backend::Memory,
        }
    }
}

/// Asks the store, whichever it is, or says what holds where there is only memory.
macro_rules! ask {
    ($persistent:expr, |$store:ident| $ask:expr, $none:expr) => {
        ask!($persistent, |$store| $ask, Self::None { .. } => $none)
    };
    ($persistent:expr, |$store:ident| $ask:expr, $pattern:pat => $none:expr) => {
        match $persistent {
            #[cfg(feature = "shared")]
            Self::Shared($store) => $ask,
            #[cfg(feature = "disk")]
            Self::Disk($store) => $ask,
            #[cfg(feature = "file")]
            Self::File($store) => $ask,
            $pattern => $none,
        }
    };
}

// What is missing is an error. Where there is only memory on purpose, it keeps nothing here, and its results are current.
impl<V: Send + Sync, C: BackendCodec<V>> Store for Persistent<V, C> {
    type Value = V;

    fn len(&self) -> Result<usize, Error> {
        ask!(self, |store| store.len(), self.open().map(|()| 0))
    }

    fn clear(&self) -> Result<(), Error> {
        ask!(self, |store| store.clear(), self.open())
    }

    fn len_async(&self) -> Answer<'_, usize> {
        ask!(self, |store| store.len_async(), Answer::Now(self.len()))
    }

    fn clear_async(&self) -> Answer<'_, ()> {
        ask!(self, |store| store.clear_async(), Answer::Now(self.clear()))
    }

    fn ttl(&self) -> Option<Duration> {
        ask!(self, |store| store.ttl(), Self::None { expiry, .. } => expiry.lifetime())
    }

    #[inline]
    fn stale(&self) -> Option<Duration> {
        ask!(self, |store| store.stale(), Self::None { expiry, .. } => expiry.stale)
    }

    fn describe(&self) -> String {
        let none = |missing: &Option<Backend>| missing.unwrap_or(Backend::Memory).to_string();
        ask!(self, |store| store.describe(), Self::None { missing, .. } => none(missing))
    }

    fn evictions(&self) -> u64 {
        ask!(self, |store| store.evictions(), 0)
    }

    #[inline]
    fn is_shared(&self) -> bool {
        !matches!(self, Self::None { .. })
    }

    #[inline]
    fn is_current(&self, stamp: Stamp) -> bool {
        ask!(self, |store| store.is_current(stamp), false)
    }
}

impl<K: Args + ?Sized, V: Send + Sync, C: BackendCodec<V>> KeyedStore<K> for Persistent<V, C> {
    fn get(&self, key: &K) -> Result<Option<V>, Error> {
        ask!(self, |store| store.get(key), self.open().map(|()| None))
    }

    fn insert(&self, key: &K, value: &V) -> Result<(), Error> {
        ask!(self, |store| store.insert(key, value), self.open())
    }

    fn remove(&self, key: &K) -> Result<bool, Error> {
        ask!(self, |store| store.remove(key), self.open().map(|()| false))
    }

    fn get_with_ttl(&self, key: &K) -> Result<Option<Found<V>>, Error> {
        ask!(self, |store| store.get_with_ttl(key), self.open().map(|()| None))
    }

    fn insert_with_ttl(&self, key: &K, value: &V, time: Option<Duration>) -> Result<(), Error> {
        ask!(self, |store| store.insert_with_ttl(key, value, time), self.open())
    }

    fn begin(&self, key: &K) -> Ticket {
        ask!(self, |store| store.begin(key), Ticket::default())
    }

    fn insert_begun(&self, key: &K, value: &V, time: Option<Duration>, ticket: Ticket) -> Result<bool, Error> {
        ask!(self, |store| store.insert_begun(key, value, time, ticket), self.open().map(|()| true))
    }

    fn is_outdated(&self, key: &K, ticket: Ticket) -> bool {
        ask!(self, |store| store.is_outdated(key, ticket), false)
    }

    fn stamp(&self, key: &K) -> Option<Stamp> {
        ask!(self, |store| store.stamp(key), None)
    }

    fn claim(&self, key: &K, patience: Duration) -> Claim {
        ask!(self, |store| store.claim(key, patience), Claim::free())
    }

    fn get_async<'a>(&'a self, key: &K) -> Answer<'a, Option<V>> {
        ask!(self, |store| store.get_async(key), Answer::Now(self.get(key)))
    }

    fn remove_async<'a>(&'a self, key: &K) -> Answer<'a, bool> {
        ask!(self, |store| store.remove_async(key), Answer::Now(self.remove(key)))
    }

    fn get_with_ttl_async<'a>(&'a self, key: &K) -> Answer<'a, Option<Found<V>>> {
        ask!(self, |store| store.get_with_ttl_async(key), Answer::Now(self.get_with_ttl(key)))
    }

    fn insert_with_ttl_async<'a>(&'a self, key: &K, value: &V, time: Option<Duration>) -> Answer<'a, ()> {
        ask!(self, |store| store.insert_with_ttl_async(key, value, time), Answer::Now(self.open()))
    }

    fn begin_async<'a>(&'a self, key: &K) -> Answer<'a, Ticket> {
        ask!(self, |store| store.begin_async(key), Answer::Now(Ok(Ticket::default())))
    }

    fn insert_begun_async<'a>(
        &'a self,
        key: &K,
        value: &V,
        time: Option<Duration>,
        ticket: Ticket,
    ) -> Answer<'a, bool> {
        ask!(self, |store| store.insert_begun_async(key, value, time, ticket), Answer::Now(self.open().map(|()| true)))
    }

    fn claim_async<'a>(&'a self, key: &K, patience: Duration) -> Answer<'a, Claim> {
        ask!(self, |store| store.claim_async(key, patience), Answer::Now(Ok(Claim::free())))
    }
}

impl<V, C: BackendCodec<V>> fmt::Debug for Persistent<V, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            #[cfg(feature = "shared")]
            Self::Shared(store) => store.fmt(f),
            #[cfg(feature = "disk")]
            Self::Disk(store) => store.fmt(f),
            #[cfg(feature = "file")]
            Self::File(store) => store.fmt(f),
            Self::None { .. } => f.write_str("memory"),
        }
    }
}
