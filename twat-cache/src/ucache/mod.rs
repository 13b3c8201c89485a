//! Memory in front of the best persistent backend: the wrapper that always works.

mod backend;
mod builder;
mod persistent;
mod store;

pub use backend::Backend;
pub use builder::{UnifiedBuilder, ucache};
pub use store::UnifiedStore;
