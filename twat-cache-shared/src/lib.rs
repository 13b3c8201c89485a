//! Function results that all processes of a machine share: [`scache`], over [SQLite](rusqlite).
//!
//! ```
//! # let dir = tempfile::tempdir().unwrap();
//! # let dir = dir.path();
//! use twat_cache_shared::scache;
//!
//! let length = scache("lengths").dir(dir).wrap(|text: &str| text.chars().count());
//! assert_eq!(length.call("hello"), 5);
//! assert_eq!(length.call("hello"), 5); // not counted again, by no process of this machine
//! ```
//!
//! Values need to be a [`CacheValue`], or with `.serde()` (feature `serde`) to have serde's derives. Numbers, strings,
//! vectors, maps, tuples and options are and have both. A type of your own becomes a [`CacheValue`] by its derive (feature
//! `derive`). Arguments need `Hash`, `Eq` and `Clone`.
//!
//! ```
//! # #[cfg(feature = "derive")] {
//! use twat_cache_shared::CacheValue;
//!
//! #[derive(CacheValue, Clone)]
//! #[cache_value(crate = twat_cache_shared)]
//! struct Counts {
//!     words: u64,
//!     lines: u64,
//! }
//! # }
//! ```
//!
//! # Several processes
//!
//! Of all processes that want the same result, one computes it, and the others wait for it. After `forget`, `clear` or `refresh`
//! has returned, no process finds an older result, and none stores a result whose computation began before.
//!
//! A process has a connection for each thread that uses the database at the same time, and keeps up to 8. Each has up to 16 MB of the
//! database in memory.
//!
//! # When something is wrong
//!
//! The function is not affected. One warning is logged that says what failed and what serves instead:
//!
//! - The database is damaged, or one of its files is removed: a new one takes its place, for all processes. The last
//!   damaged one stays beside it. A single damaged entry is computed again.
//! - Another process stops in the middle of a change: others wait for it 0.2 s at most, and less each time. Then memory serves
//!   the results that could not be stored.
//! - The directory cannot be made or written, its path has more than about 500 bytes, the disk is full, or files may not be as
//!   long as the database is (`ulimit -f`) and 4 MiB more: memory serves. Opening is tried again after a pause, and the pauses
//!   get longer. On a medium that is read-only, what is there is found.
//! - The directory belongs to another user, or others can write to it: memory serves. See [`Trust`].
//! - The directory is on a file system that other machines may use: memory serves. SQLite needs memory that its users share.
//! - The directory is removed or replaced while it is in use: that is noticed within 10 ms of use, and a new one is made.
//! - Something that is not a file has the name of a file of the database: it is moved aside. No link is followed.
//!
//! After `fork` without `exec`, memory serves in the child, and the child does not touch the database.
//!
//! The file `entries-1.db-shm` is memory that processes share. While it is in use, processes that have it open end with SIGBUS
//! if a program of this user cuts it short, or if it can no longer be written: by `chattr +i`, or because the kernel makes a
//! failing disk read-only.
//!
//! [`SharedBuilder::open`] gives the bare store, which reports errors instead.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

mod builder;
mod busy;
mod database;
mod entries;
mod failure;
mod fallback;
mod limit;
mod make;
mod open;
mod registry;
mod schema;
mod store;
mod tidy;

pub use builder::{SharedBuilder, scache};
pub use fallback::SharedFallback;
pub use rusqlite;
pub use store::SharedStore;
pub use twat_cache_core::{
    Args, Call, Clock, Error, ErrorKind, Fallback, KeyedStore, LruStore, ManualClock, Memo, Store, Trust,
    persist::{self, CacheValue},
};

/// Makes a type a [`CacheValue`](trait@CacheValue). It needs the option `crate`: `#[cache_value(crate = twat_cache_shared)]`.
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
