//! Large function results in memory-mapped files, shared by processes: [`fcache`].
//!
//! ```
//! # let dir = tempfile::tempdir().unwrap();
//! # let dir = dir.path();
//! use twat_cache_file::fcache;
//!
//! let waves = fcache("waves").dir(dir).wrap(|n: &u32| (0..*n).map(|i| f64::from(i).sin()).collect::<Vec<f64>>());
//! let view = waves.view(&100_000); // one process computes it, once
//! assert_eq!(view.len(), 100_000); // it is read from the file, without a copy
//! assert_eq!(waves.call(&100_000)[1], view[1]); // or as a value of its own
//! ```
//!
//! A value is a [`CacheValue`]: numbers, texts, collections, tuples, options, and types of your own with the derive (feature
//! `derive`). For types with serde's derives, there is the feature `serde` and [`FileBuilder::serde`]. Arguments need only `Hash`.
//!
//! ```
//! # #[cfg(feature = "derive")] {
//! use twat_cache_file::CacheValue;
//!
//! #[derive(CacheValue)]
//! #[cache_value(crate = twat_cache_file)]
//! struct Wave {
//!     name: String,
//!     samples: Vec<f64>,
//! }
//! # }
//! ```
//!
//! A value that cannot be encoded, or is larger than the limit or the format, is returned and not stored. Its length is counted
//! before a file is made, so nothing is written for it.
//!
//! A task does not wait on its executor's thread for a file of more than 1 MiB: threads of the store read, check and write it. The
//! task itself encodes and decodes values, because they need not be `Send`. A [view](View) is not decoded.
//!
//! # When something is wrong
//!
//! The function is not affected. One warning is logged, which says what has failed and what serves instead. A damaged entry
//! is computed again. Where nothing can be written, memory serves, with at most 512 MiB of results, and the next result is
//! the next attempt to write.
//!
//! The cache directory is used only if this user owns it and nobody else can write to it or replace it, see [`Trust`].
//! Otherwise memory serves. Below the directory no link is followed. What is in the way of the cache's own names is moved
//! aside, to a name that ends with `.in-the-way`. A process that was forked without `exec` uses memory of its own, and leaves
//! the files to its parent.
//!
//! After `forget`, `clear` or `refresh` has returned, no process of this machine stores a result whose computation began
//! before. If another process has stopped while it stores a result, this cannot be promised, and they return an error. On
//! systems other than 64-bit Linux, ranges of files cannot be locked, and this holds within one process only.
//!
//! # What is out of contract
//!
//! A file is mapped only if nobody but this user can change it. An entry never changes: it is replaced or removed, and its
//! mappings still show the old one. No program can protect itself from its own user, if that user cuts a mapped file short
//! or writes into it. The next call notices that, because it checks the file before it reads it. But to read a [`View`] of a
//! file that was cut short meanwhile ends the process (`SIGBUS`). So does reading a part that the disk cannot read any more.
//! [`Access::Copy`] never maps entries.

#![cfg_attr(docsrs, feature(doc_cfg))]
// Only `map.rs` may have it.
#![deny(unsafe_code)]

mod builder;
mod codec;
mod counts;
mod directory;
mod entry;
mod evict;
mod fallback;
mod files;
mod map;
mod measure;
mod memory;
mod pool;
mod read;
mod store;
mod table;
mod view;
mod write;

pub use builder::{FileBuilder, fcache};
#[doc(hidden)]
pub use codec::FileCodec;
pub use fallback::FileFallback;
pub use memory::MemoryStore;
pub use read::{Access, Verify};
pub use store::FileStore;
pub use twat_cache_core::{
    Args, Call, Clock, Error, ErrorKind, Fallback, KeyedStore, ManualClock, Memo, Store, Trust, ViewStore,
    persist::{self, CacheValue},
};

/// Makes a type a [`CacheValue`](trait@CacheValue). It needs the option `crate`: `#[cache_value(crate = twat_cache_file)]`.
/// [`twat-cache`](https://docs.rs/twat-cache/latest/twat_cache/derive.CacheValue.html) describes it.
#[cfg(feature = "derive")]
pub use twat_cache_macros::CacheValue;
pub use view::View;

/// What the code that `#[derive(CacheValue)]` writes is made of. It changes with it, so nobody else may use it.
#[cfg(feature = "derive")]
#[doc(hidden)]
pub mod __value_0_1 {
    pub use twat_cache_core::persist::derived::*;
    pub use twat_cache_macros::discard;
}
