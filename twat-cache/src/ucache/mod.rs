//! Memory in front of the best backend.

mod back;
mod backend;
mod builder;
mod persistent;
mod store;

pub use backend::Backend;
pub use builder::{UnifiedBuilder, ucache};
pub use store::UnifiedStore;
#[cfg(not(feature = "file"))]
use twat_cache_core::persist::Codec as BackendCodec;
#[cfg(feature = "file")]
use twat_cache_file::FileCodec as BackendCodec;
