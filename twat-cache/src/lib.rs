// The README's examples need the features that they show.
#![cfg_attr(all(feature = "mem", feature = "disk", feature = "file"), doc = include_str!("../../README.md"))]
#![cfg_attr(
    not(all(feature = "mem", feature = "disk", feature = "file")),
    doc = "Function results that are remembered. With all features, this is the README."
)]
#![forbid(unsafe_code)]

#[cfg(feature = "ucache")]
mod ucache;

pub use twat_cache_core::*;
#[cfg(feature = "disk")]
pub use twat_cache_disk::{DiskBuilder, DiskFallback, DiskStore, bcache};
#[cfg(feature = "file")]
pub use twat_cache_file::{Access, FileBuilder, FileFallback, FileStore, MemoryStore, Verify, View, fcache};
#[cfg(feature = "mem")]
pub use twat_cache_mem::{Evictions, MemBuilder, MemStore, StoredWeight, Timed, Unweighed, Weigher, Weighing, mcache};
#[cfg(feature = "ucache")]
pub use ucache::{Backend, UnifiedBuilder, UnifiedStore, ucache};
