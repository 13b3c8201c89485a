//! Stores that need no engine, and those that are made of others.

mod fallback;
mod lru;
mod stale;
mod stripes;
mod tiered;

pub use fallback::Fallback;
pub use lru::LruStore;
pub use tiered::Tiered;
