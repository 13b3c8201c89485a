// The README's examples need the features that they show.
#![cfg_attr(all(feature = "mem", feature = "disk", feature = "file", feature = "ucache", feature = "macros"), doc = include_str!("../../README.md"))]
#![cfg_attr(
    not(all(feature = "mem", feature = "disk", feature = "file", feature = "ucache", feature = "macros")),
    doc = "Function results that are remembered. With all features, this is the README."
)]
//! # Options
//!
//! | option | default | on | meaning |
//! |---|---|---|---|
//! | `max_entries(n)` | 1024 | `mcache`, `ucache` | so many results in memory at the most |
//! | `max_bytes(n)` | 1 GiB, `fcache` 10 GiB | all but `mcache` | so many bytes under this name; a larger value is not kept |
//! | `ttl(d)` | for ever | all | a result is forgotten so long after it was stored |
//! | `version(v)` | none | all but `mcache` | results of other versions are never seen; anything that hashes |
//! | `dir(path)` | the platform's | all but `mcache` | where results lie; also `$TWAT_CACHE_DIR` |
//! | `trust(t)` | `Trust::Owner` | all but `mcache` | whose cache directories are used |
//! | `patience(d)` | see [`Memo::patience`] | all | how long a caller waits for another's computation |
//!
//! Every value is legal, and 0 of anything means to compute every time. An option that a wrapper could only ignore, it lacks.

#![forbid(unsafe_code)]

#[cfg(feature = "macros")]
mod attributes;
#[cfg(feature = "macros")]
mod decorated;
#[cfg(feature = "ucache")]
mod ucache;

#[cfg(feature = "macros")]
#[doc(hidden)]
pub mod __private {
    pub use crate::decorated::*;
}

#[cfg(all(feature = "macros", feature = "disk"))]
pub use attributes::bcache;
#[cfg(all(feature = "macros", feature = "file"))]
pub use attributes::fcache;
#[cfg(all(feature = "macros", feature = "mem"))]
pub use attributes::mcache;
#[cfg(all(feature = "macros", feature = "ucache"))]
pub use attributes::ucache;
pub use twat_cache_core::*;
#[cfg(feature = "disk")]
pub use twat_cache_disk::{DiskBuilder, DiskFallback, DiskStore, bcache};
#[cfg(feature = "file")]
pub use twat_cache_file::{Access, FileBuilder, FileFallback, FileStore, MemoryStore, Verify, View, fcache};
#[cfg(feature = "mem")]
pub use twat_cache_mem::{Evictions, MemBuilder, MemStore, StoredWeight, Timed, Unweighed, Weigher, Weighing, mcache};
#[cfg(feature = "ucache")]
pub use ucache::{Backend, UnifiedBuilder, UnifiedStore, ucache};
