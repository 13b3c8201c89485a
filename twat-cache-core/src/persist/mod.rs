//! Options, directories and codecs, for stores that outlive the process.

mod codec;
#[cfg(feature = "serde")]
mod compressed;
#[doc(hidden)]
pub mod derived;
mod directory;
#[cfg(feature = "serde")]
mod empty_options;
mod header;
mod options;
#[cfg(feature = "compress")]
#[doc(hidden)]
pub mod packing;
mod pause;
mod shape;
pub mod trust;
mod value;

#[doc(hidden)]
pub use codec::Neither;
pub use codec::{Codec, ErasedCodec, Rkyv, encoded_len};
#[cfg(feature = "serde")]
pub use codec::{MessagePack, SerdeValue};
#[cfg(feature = "serde")]
pub use compressed::Compressed;
#[doc(hidden)]
pub use directory::canonical;
pub use directory::{default_directory, prepare_below, prepare_root};
pub use header::Header;
pub use options::Options;
#[doc(hidden)]
pub use pause::Pause;
pub use rkyv;
pub use shape::Shape;
pub use trust::Trust;
pub use value::{CacheValue, Whole, archive, within_rkyv};
