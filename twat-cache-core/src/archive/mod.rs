//! Values as bytes, for stores that outlive the process: codecs, and the header of an entry.

mod codec;
mod header;
mod lifetime;

pub use codec::{Codec, Functions, Rkyv, RkyvValue, check_width, within_rkyv};
#[cfg(feature = "serde")]
pub use codec::{MessagePack, SerdeValue};
pub use header::Header;
pub use lifetime::Lifetime;
