//! Values as bytes, for stores that outlive the process: codecs, and the header of an entry.

mod codec;
mod header;
mod value;

pub use codec::{Codec, Functions, Rkyv};
#[cfg(feature = "serde")]
pub use codec::{MessagePack, SerdeValue};
pub use header::Header;
pub use value::{RkyvValue, archive, archived_len, within_rkyv};
