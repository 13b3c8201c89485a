//! Function results that all machines share: [`rcache`], on a server that speaks the protocol of [Redis](redis): Redis itself,
//! Valkey, and others.
//!
//! ```no_run
//! use twat_cache_remote::rcache;
//!
//! let length = rcache("lengths").server("redis://cache.example/").wrap(|text: &str| text.chars().count());
//! assert_eq!(length.call("hello"), 5);
//! assert_eq!(length.call("hello"), 5); // not counted again, by no process of any machine
//! ```
//!
//! Values need to be a [`CacheValue`], or with `.serde()` (feature `serde`) to have serde's derives. Numbers, strings,
//! vectors, maps, tuples and options are and have both. A type of your own becomes a [`CacheValue`] by its derive (feature
//! `derive`). Arguments need `Hash`, `Eq` and `Clone`.
//!
//! Threads and tasks use a memo alike, with or without a runtime: tasks are answered by one thread of this library.
//!
//! # Several machines
//!
//! Of all processes that want the same result, one computes it, and the others wait for it. After `forget`, `clear` or `refresh`
//! has returned, no process finds an older result, and none stores a result whose computation began before. That holds for one
//! server. A replica that takes its place may lack the last changes.
//!
//! # The server
//!
//! - Names begin with `tc1` and the name of the cache, and everything expires. Nothing else on the server is read or changed, but
//!   `len` looks at all names.
//! - A cluster has each cache on one of its nodes. A cache that moves to another node is found there.
//! - A limit on memory and the policy `allkeys-lru` fit. What the server evicts is computed again.
//! - A program that can write to the server decides which values functions return. Bytes that are damaged are found out, and values are
//!   decoded with checks, but a forged value is not told from a right one.
//!
//! # When something is wrong
//!
//! The function is not affected. One warning is logged that says what failed:
//!
//! - The server is away, is stopped, refuses the password, is a read-only replica or something else: one call waits for it, for
//!   the [`timeout`](RemoteBuilder::timeout) at most. From then on, calls go on without it at once, and memory has up to 1,024
//!   results. The server is asked again after 0.1 s, and then less and less often, up to every 10 s.
//! - When it is back, it is used again, and what memory had is dropped. What was forgotten meanwhile is removed on the server, and
//!   is not found here until then. `forget` and `clear` return the error.
//! - It has no memory left: what it has is found, and other results are computed each time.
//! - It has lost entries, or all: they are computed again. An entry that is damaged is, too.
//! - A node of a cluster hands the cache over to another: memory serves until it has been moved.
//! - No server is named, or its URL cannot be used: memory serves.
//!
//! After `fork` without `exec`, memory serves in the child, and the child does not use the connections.
//!
//! [`RemoteBuilder::open`] gives the bare store, which reports errors instead.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

mod builder;
mod digest;
mod entry;
mod keyed;
mod lease;
mod protocol;
mod route;
mod scripts;
mod server;
mod space;
mod standby;
mod store;
mod terms;
mod tracking;

pub use builder::{InMemory, NearStore, RemoteBuilder, rcache};
pub use redis;
pub use standby::Standby;
pub use store::RemoteStore;
pub use twat_cache_core::{
    Args, Call, Clock, Error, ErrorKind, KeyedStore, ManualClock, Memo, Store,
    persist::{self, CacheValue},
};

/// Makes a type a [`CacheValue`](trait@CacheValue). It needs the option `crate`: `#[cache_value(crate = twat_cache_remote)]`.
/// [`twat-cache`](https://docs.rs/twat-cache/latest/twat_cache/derive.CacheValue.html) describes it.
#[cfg(feature = "derive")]
pub use twat_cache_macros::CacheValue;

/// What the code that `#[derive(CacheValue)]` writes is made of. It changes with it, so nobody else may use it.
#[cfg(feature = "derive")]
#[doc(hidden)]
pub mod __value_0_1 {
    pub use twat_cache_core::persist::derived::*;
    pub use twat_cache_macros::discard;
}
