//! The attributes, each under the name of the function that does the same for closures.

#[cfg(feature = "disk")]
pub use twat_cache_macros::bcache;
#[cfg(feature = "file")]
pub use twat_cache_macros::fcache;
#[cfg(feature = "mem")]
pub use twat_cache_macros::mcache;
#[cfg(feature = "ucache")]
pub use twat_cache_macros::ucache;
