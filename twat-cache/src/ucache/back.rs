use std::fmt;

use twat_cache_core::{Args, Fallback, KeyedStore, LruStore, Store};
#[cfg(feature = "remote")]
use twat_cache_remote::Standby;

use super::BackendCodec;
use super::persistent::Persistent;

/// What is behind the memory in front.
#[allow(clippy::large_enum_variant, reason = "a memo has one, and a box would lie on the way of each hit")]
pub(super) enum Back<V, C: BackendCodec<V>> {
    /// A store of this machine, and memory where that fails.
    Local(Fallback<Persistent<V, C>, LruStore<V>>),
    /// A server. It is not this process's alone, so it has memory of its own kind, which removes nothing there.
    #[cfg(feature = "remote")]
    Remote(Standby<V>),
}

impl<V, C: BackendCodec<V>> Back<V, C> {
    /// Whether the memory in front has all results.
    pub(super) fn is_none(&self) -> bool {
        matches!(self.local(), Some(Persistent::None { .. }))
    }

    #[cfg_attr(not(feature = "remote"), allow(clippy::unnecessary_wraps, reason = "there is no other variant"))]
    pub(super) fn local(&self) -> Option<&Persistent<V, C>> {
        match self {
            Self::Local(store) => Some(store.primary()),
            #[cfg(feature = "remote")]
            Self::Remote(_) => None,
        }
    }
}

impl<V: Clone + Send + Sync, C: BackendCodec<V>> Store for Back<V, C> {
    type Value = V;

    #[cfg(feature = "remote")]
    twat_cache_core::__forward_0_1!(Store, enum Local, Remote);
    #[cfg(not(feature = "remote"))]
    twat_cache_core::__forward_0_1!(Store, enum Local);
}

impl<K: Args + ?Sized, V: Clone + Send + Sync, C: BackendCodec<V>> KeyedStore<K> for Back<V, C> {
    #[cfg(feature = "remote")]
    twat_cache_core::__forward_0_1!(KeyedStore<K>, enum Local, Remote);
    #[cfg(not(feature = "remote"))]
    twat_cache_core::__forward_0_1!(KeyedStore<K>, enum Local);
}

impl<V, C: BackendCodec<V>> fmt::Debug for Back<V, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(store) => store.primary().fmt(f),
            #[cfg(feature = "remote")]
            Self::Remote(store) => store.fmt(f),
        }
    }
}
