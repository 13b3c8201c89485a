//! Values as bytes, for stores that outlive the process: codecs, and the header of an entry.

mod codec;
mod header;

pub use codec::{Codec, Functions, Rkyv, RkyvValue};
#[cfg(feature = "serde")]
pub use codec::{MessagePack, SerdeValue};
pub use header::Header;
