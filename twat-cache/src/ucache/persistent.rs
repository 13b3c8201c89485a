use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use twat_cache_core::persist::Options;
use twat_cache_core::{Args, Claim, Error, ErrorKind, Expiry, Found, KeyedStore, Stamp, Store, Ticket};
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

    /// The store; `None` if there is only memory.
    #[inline]
    fn store<K: Args + ?Sized>(&self) -> Option<&dyn KeyedStore<K, Value = V>> {
        match self {
            #[cfg(feature = "shared")]
            Self::Shared(store) => Some(store),
            #[cfg(feature = "disk")]
            Self::Disk(store) => Some(store),
            #[cfg(feature = "file")]
            Self::File(store) => Some(store),
            Self::None { .. } => None,
        }
    }

    /// Works with the store. Memory keeps nothing here, and what is missing is an error.
    fn with<K: Args + ?Sized, T: Default>(
        &self,
        work: impl FnOnce(&dyn KeyedStore<K, Value = V>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        match self.store() {
            Some(store) => work(store),
            None => self.open().map(|()| T::default()),
        }
    }

    /// What the store says about itself, or else the default.
    #[inline]
    fn ask<T: Default>(&self, ask: impl FnOnce(&dyn KeyedStore<(), Value = V>) -> T) -> T {
        self.store().map_or_else(T::default, ask)
    }
}

impl<V: Send + Sync, C: BackendCodec<V>> Store for Persistent<V, C> {
    type Value = V;

    fn len(&self) -> Result<usize, Error> {
        self.with::<(), _>(|store| store.len())
    }

    fn clear(&self) -> Result<(), Error> {
        self.with::<(), _>(|store| store.clear())
    }

    fn ttl(&self) -> Option<Duration> {
        match self {
            Self::None { expiry, .. } => expiry.lifetime(),
            #[cfg(any(feature = "disk", feature = "shared", feature = "file"))]
            _ => self.ask(|store| store.ttl()),
        }
    }

    #[inline]
    fn stale(&self) -> Option<Duration> {
        match self {
            Self::None { expiry, .. } => expiry.stale,
            #[cfg(any(feature = "disk", feature = "shared", feature = "file"))]
            _ => self.ask(|store| store.stale()),
        }
    }

    fn describe(&self) -> String {
        match self {
            Self::None { missing, .. } => missing.unwrap_or(Backend::Memory).to_string(),
            #[cfg(any(feature = "disk", feature = "shared", feature = "file"))]
            _ => self.ask(|store| store.describe()),
        }
    }

    fn evictions(&self) -> u64 {
        self.ask(|store| store.evictions())
    }

    #[inline]
    fn is_shared(&self) -> bool {
        !matches!(self, Self::None { .. })
    }

    #[inline]
    #[cfg_attr(
        not(any(feature = "disk", feature = "shared", feature = "file")),
        allow(unused_variables, reason = "there is no store to ask")
    )]
    fn is_current(&self, stamp: Stamp) -> bool {
        match self {
            #[cfg(feature = "shared")]
            Self::Shared(store) => store.is_current(stamp),
            #[cfg(feature = "disk")]
            Self::Disk(store) => store.is_current(stamp),
            #[cfg(feature = "file")]
            Self::File(store) => store.is_current(stamp),
            Self::None { .. } => false,
        }
    }
}

impl<K: Args + ?Sized, V: Send + Sync, C: BackendCodec<V>> KeyedStore<K> for Persistent<V, C> {
    fn get(&self, key: &K) -> Result<Option<V>, Error> {
        self.with(|store| store.get(key))
    }

    fn insert(&self, key: &K, value: &V) -> Result<(), Error> {
        self.with(|store| store.insert(key, value))
    }

    fn remove(&self, key: &K) -> Result<bool, Error> {
        self.with(|store| store.remove(key))
    }

    fn get_with_ttl(&self, key: &K) -> Result<Option<Found<V>>, Error> {
        self.with(|store| store.get_with_ttl(key))
    }

    fn insert_with_ttl(&self, key: &K, value: &V, time: Option<Duration>) -> Result<(), Error> {
        self.with(|store| store.insert_with_ttl(key, value, time))
    }

    fn begin(&self, key: &K) -> Ticket {
        self.store().map_or_else(Ticket::default, |store| store.begin(key))
    }

    fn insert_begun(&self, key: &K, value: &V, time: Option<Duration>, ticket: Ticket) -> Result<bool, Error> {
        // Where memory has the only results, they are current.
        let is_outdated =
            self.with(|store| store.insert_begun(key, value, time, ticket).map(|is_current| !is_current))?;
        Ok(!is_outdated)
    }

    fn is_outdated(&self, key: &K, ticket: Ticket) -> bool {
        self.store().is_some_and(|store| store.is_outdated(key, ticket))
    }

    fn stamp(&self, key: &K) -> Option<Stamp> {
        self.store()?.stamp(key)
    }

    fn claim(&self, key: &K, patience: Duration) -> Claim {
        self.store().map_or_else(Claim::free, |store| store.claim(key, patience))
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
