//! Function results that survive the process: [`bcache`], over the embedded database [fjall].
//!
//! ```
//! # let dir = tempfile::tempdir().unwrap();
//! # let dir = dir.path();
//! use twat_cache_disk::bcache;
//!
//! let length = bcache("lengths").dir(dir).wrap(|text: &str| text.chars().count());
//! assert_eq!(length.call("hello"), 5);
//! assert_eq!(length.call("hello"), 5); // not counted again, neither now nor in the next run of the program
//! ```
//!
//! Values need to be a [`CacheValue`], or with `.serde()` (feature `serde`) to have serde's derives. Numbers, strings,
//! vectors, maps, tuples and options are and have both. A type of your own becomes a [`CacheValue`] by its derive (feature
//! `derive`). Arguments need `Hash`, `Eq` and `Clone`.
//!
//! ```
//! # #[cfg(feature = "derive")] {
//! use twat_cache_disk::CacheValue;
//!
//! #[derive(CacheValue, Clone)]
//! #[cache_value(crate = twat_cache_disk)]
//! struct Counts {
//!     words: u64,
//!     lines: u64,
//! }
//! # }
//! ```
//!
//! # When something is wrong
//!
//! The function is not affected. One warning is logged that says what failed and what serves instead:
//!
//! - Another process has the database open: memory serves, because the engine allows one process at a time. The database is
//!   asked for again, after a second at first and after half a minute at last. When it is open, up to 1,024 of the results that
//!   memory has kept are stored in it.
//! - The database is damaged, or one of its files is missing: it is moved to `bcache.corrupt`, and a new one is made. A single
//!   damaged entry is computed again.
//! - The directory cannot be made or written, the disk is full, or files may not be as long as the engine makes them (65 MiB,
//!   `ulimit -f`): memory serves. Opening is tried again after a pause, and the pauses get longer.
//! - The directory belongs to another user, or others can write to it: memory serves. See [`Trust`].
//! - The directory is removed or replaced while it is in use: a store notices that after at most a second, and then a new
//!   database is made. The results that were stored in that second are lost.
//! - Something that is not a directory has the name `bcache`, or something that is not the cache's file has the name
//!   `bcache.lock`: it is moved aside. No link is followed.
//!
//! After `fork` without `exec`, memory serves in the child, and the child does not change the database. But the child has the
//! engine's lock, too: after its parent has closed the database, others may have to wait until the child ends.
//!
//! [`DiskBuilder::open`] gives the bare store, which reports errors instead.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

mod builder;
mod changes;
mod database;
mod engine;
mod entry;
mod fallback;
mod registry;
mod store;
mod sweep;
mod upkeep;
mod usage;

pub use builder::{DiskBuilder, bcache};
pub use fallback::DiskFallback;
pub use fjall;
pub use store::DiskStore;
pub use twat_cache_core::{
    Args, Call, Clock, Error, ErrorKind, Fallback, KeyedStore, LruStore, ManualClock, Memo, Store, Trust,
    persist::{self, CacheValue},
};

/// Makes a type a [`CacheValue`](trait@CacheValue). It needs the option `crate`: `#[cache_value(crate = twat_cache_disk)]`.
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
