//! Stores that need no engine, and those that are made of others.

mod fallback;
mod lru;
mod near;
mod ruled;
mod stale;
mod stamps;
mod stripes;
mod tiered;

pub use fallback::Fallback;
pub use lru::LruStore;
pub use near::{Copied, Near};
pub use ruled::Ruled;
pub use tiered::Tiered;
