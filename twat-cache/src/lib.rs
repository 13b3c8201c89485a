#![doc = include_str!("../../README.md")]
#![forbid(unsafe_code)]

pub use twat_cache_core::*;
#[cfg(feature = "mem")]
pub use twat_cache_mem::{Evictions, MemBuilder, MemStore, StoredWeight, Timed, Unweighed, Weigher, Weighing, mcache};
