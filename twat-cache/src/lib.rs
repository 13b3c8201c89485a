// The README's examples need the features that they show.
#![cfg_attr(all(feature = "mem", feature = "disk", feature = "file", feature = "ucache", feature = "macros"), doc = include_str!("../README.md"))]
#![cfg_attr(
    not(all(feature = "mem", feature = "disk", feature = "file", feature = "ucache", feature = "macros")),
    doc = "Function results that are remembered. With all features, this is the README."
)]
//! # Guide
//!
//! - [`guide::attributes`]: arguments, methods, keys, names and versions
//! - [`guide::values`]: what can be stored on disk, and what comes back
//! - [`guide::options`]: how long results are kept, which ones, and how to do without a cache
//! - [`guide::errors`]: functions that fail, and what happens when the cache fails
//! - [`guide::processes`]: caches on disk, several processes, `fork`
//! - [`guide::machines`]: from one process to many machines
//! - [`guide::tasks`]: async functions, and how long callers wait
//! - [`guide::stores`]: a store of your own

#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

#[cfg(feature = "macros")]
#[doc(hidden)]
#[path = "private/mod.rs"]
pub mod __private_0_1;
#[cfg(feature = "macros")]
mod attributes;
#[cfg(all(
    feature = "macros",
    any(feature = "disk", feature = "shared", feature = "file", feature = "remote", feature = "ucache")
))]
mod derive;
pub mod guide;
#[cfg(feature = "ucache")]
mod ucache;

#[cfg(all(feature = "macros", feature = "disk"))]
pub use attributes::bcache;
#[cfg(all(feature = "macros", feature = "file"))]
pub use attributes::fcache;
#[cfg(all(feature = "macros", feature = "mem"))]
pub use attributes::mcache;
#[cfg(all(feature = "macros", feature = "remote"))]
pub use attributes::rcache;
#[cfg(all(feature = "macros", feature = "shared"))]
pub use attributes::scache;
#[cfg(all(feature = "macros", feature = "ucache"))]
pub use attributes::ucache;
#[cfg(all(
    feature = "macros",
    any(feature = "disk", feature = "shared", feature = "file", feature = "remote", feature = "ucache")
))]
pub use derive::CacheValue;
#[cfg(feature = "stats")]
pub use twat_cache_core::Stats;
#[cfg(any(feature = "disk", feature = "shared", feature = "file", feature = "ucache"))]
pub use twat_cache_core::Trust;
#[cfg(any(feature = "disk", feature = "shared", feature = "file", feature = "remote", feature = "ucache"))]
pub use twat_cache_core::persist::{CacheValue, rkyv};
pub use twat_cache_core::{Args, Async, Call, Clock, Error, ErrorKind, ManualClock, Memo, OwnErrors, SharedErrors};
#[cfg(feature = "disk")]
pub use twat_cache_disk::bcache;
#[cfg(feature = "file")]
pub use twat_cache_file::{Access, Verify, View, fcache};
#[cfg(feature = "mem")]
pub use twat_cache_mem::mcache;
#[cfg(feature = "remote")]
pub use twat_cache_remote::rcache;
#[cfg(feature = "shared")]
pub use twat_cache_shared::scache;
#[cfg(feature = "ucache")]
pub use ucache::{Backend, ucache};

/// What the code that `#[derive(CacheValue)]` writes is made of. It changes with it, so nobody else may use it.
#[cfg(all(
    feature = "macros",
    any(feature = "disk", feature = "shared", feature = "file", feature = "remote", feature = "ucache")
))]
#[doc(hidden)]
pub mod __value_0_1 {
    pub use twat_cache_core::persist::derived::*;
    pub use twat_cache_macros::discard;
}

/// What it takes to write a store, and the stores that need no engine.
pub mod store {
    #[cfg(any(feature = "disk", feature = "shared", feature = "file", feature = "remote", feature = "ucache"))]
    pub use twat_cache_core::persist;
    pub use twat_cache_core::{
        Args, AsyncFunction, Claim, Copied, Error, ErrorKind, Expiry, Fallback, Found, Function, KeyHash, KeyHasher,
        KeyedStore, LruStore, Mode, Namespace, Near, Ruled, SharesErrors, Sharing, Stamp, Store, Takes, Ticket, Tiered,
        ViewStore, WarnOnce,
    };
}

/// The builder and the store of [`mcache`](fn@mcache).
#[cfg(feature = "mem")]
pub mod mem {
    pub use twat_cache_mem::{Engine, Key, MemBuilder, MemStore, Shards, quick_cache};
}

/// The builder and the stores of [`bcache`](fn@bcache).
#[cfg(feature = "disk")]
pub mod disk {
    pub use twat_cache_disk::{DiskBuilder, DiskFallback, DiskStore, fjall};
}

/// The builder and the stores of [`scache`](fn@scache).
#[cfg(feature = "shared")]
pub mod shared {
    pub use twat_cache_shared::{SharedBuilder, SharedFallback, SharedStore, rusqlite};
}

/// The builder and the stores of [`fcache`](fn@fcache).
#[cfg(feature = "file")]
pub mod file {
    pub use twat_cache_file::{FileBuilder, FileFallback, FileStore, MemoryStore};
}

/// The builder and the stores of [`rcache`](fn@rcache).
#[cfg(feature = "remote")]
pub mod remote {
    pub use twat_cache_remote::{InMemory, NearStore, RemoteBuilder, RemoteStore, Standby, redis};
}

/// The builder and the store of [`ucache`](fn@ucache).
#[cfg(feature = "ucache")]
pub mod unified {
    pub use crate::ucache::{UnifiedBuilder, UnifiedStore};
}
