//! Function results that survive the process: [`bcache`], over the embedded database [fjall].
//!
//! ```
//! # let dir = tempfile::tempdir().unwrap();
//! # let dir = dir.path();
//! use twat_cache_disk::bcache;
//!
//! let length = bcache("lengths").dir(dir).wrap(|text: &str| text.chars().count());
//! assert_eq!(length.call("hello"), 5);
//! assert_eq!(length.call("hello"), 5); // not counted again, and not by the next run of the program either
//! ```
//!
//! Values need [rkyv](https://docs.rs/rkyv)'s derives, or with `.serde()` (feature `serde`) serde's; numbers, strings,
//! vectors, maps, tuples and options have both. Arguments need `Hash` and nothing else.
//!
//! # When something is wrong
//!
//! The function is not affected, and one warning is logged that says what failed and what serves instead:
//!
//! - Another process has the database open: memory serves. The engine admits one process at a time.
//! - The database is damaged, or a file of it is missing: it is moved to `bcache.corrupt`, and a new one is made. A single
//!   damaged entry is computed again.
//! - The directory cannot be made or written, the disk is full, or files may not be as long as the engine makes them (65 MiB,
//!   `ulimit -f`): memory serves, and opening is tried again from time to time, ever less often.
//! - The directory belongs to another user, or others can write to it: memory serves. See [`Trust`].
//! - The directory is removed or replaced while it is in use: the next store that is more than a second later notices, and
//!   soon after that a new database is made. What was stored in that second is lost.
//! - What is no directory is in place of `bcache`, or no file of ours in place of `bcache.lock`: it is moved aside, and no link
//!   is followed.
//!
//! After `fork` without `exec`, the child serves from memory, and harms nothing. But it has the engine's lock, too: after
//! its parent has closed the database, others may have to wait until the child ends.
//!
//! [`DiskBuilder::open`] gives the bare store, which reports errors instead.

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
mod usage;

pub use builder::{DiskBuilder, bcache};
pub use fallback::DiskFallback;
pub use fjall;
pub use store::DiskStore;
pub use twat_cache_core::{
    Args, Call, Clock, Error, ErrorKind, Fallback, KeyedStore, LruStore, ManualClock, Memo, Store, Trust, persist,
};
