//! The codecs of files, and what they read.

use std::convert::Infallible;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
#[cfg(feature = "serde")]
use std::sync::Arc;

use twat_cache_core::persist::{CacheValue, Codec, ErasedCodec, Neither, Rkyv};
#[cfg(feature = "serde")]
use twat_cache_core::persist::{MessagePack, SerdeValue};
use twat_cache_core::{Error, ErrorKind};

use crate::map::{Bytes, Checked};
use crate::view::View;

/// A codec whose values can be stored in files. Only this crate can implement it, because `Bytes` has no public name.
pub trait FileCodec<V>: Codec<V> {
    /// An entry that was read. Clones share its bytes.
    type Entry: Clone + Send + Sync + 'static;

    /// Checks the bytes of an entry, as far as that is done once for all reads.
    fn check(bytes: Bytes) -> Result<Self::Entry, Error>;

    /// Returns the bytes of an entry.
    fn bytes(entry: &Self::Entry) -> &Bytes;

    /// Decodes the value, straight from the bytes of the entry.
    fn value(entry: &Self::Entry) -> Result<V, Error>;
}

impl<V: CacheValue> FileCodec<V> for Rkyv {
    type Entry = View<V>;

    fn check(bytes: Bytes) -> Result<View<V>, Error> {
        let attempt = "validate an entry";
        let checked = catch_unwind(AssertUnwindSafe(|| Checked::new(bytes)));
        let checked = checked.map_err(|_| Error::new(ErrorKind::Panicked, attempt))?;
        checked.map(View).map_err(|error| Error::new(ErrorKind::Corrupt, attempt).because(error))
    }

    #[inline]
    fn bytes(entry: &View<V>) -> &Bytes {
        entry.0.bytes()
    }

    #[inline]
    fn value(entry: &View<V>) -> Result<V, Error> {
        entry.to_value()
    }
}

/// MessagePack is checked whenever it is decoded.
#[cfg(feature = "serde")]
impl<V: SerdeValue> FileCodec<V> for MessagePack {
    type Entry = Arc<Bytes>;

    fn check(bytes: Bytes) -> Result<Arc<Bytes>, Error> {
        Ok(Arc::new(bytes))
    }

    #[inline]
    fn bytes(entry: &Arc<Bytes>) -> &Bytes {
        entry
    }

    fn value(entry: &Arc<Bytes>) -> Result<V, Error> {
        ErasedCodec::of::<Self>().decode(entry.payload())
    }
}

/// There are no entries.
impl<V> FileCodec<V> for Neither {
    type Entry = Infallible;

    fn check(_: Bytes) -> Result<Infallible, Error> {
        Err(Error::new(ErrorKind::Codec, "validate an entry"))
    }

    fn bytes(entry: &Infallible) -> &Bytes {
        match *entry {}
    }

    fn value(entry: &Infallible) -> Result<V, Error> {
        match *entry {}
    }
}

/// Encodes a value. A panic of its own code is also an error.
pub(crate) fn encode<V, C: Codec<V>>(value: &V, output: &mut dyn io::Write) -> Result<(), Error> {
    ErasedCodec::of::<C>().encode(value, output)
}
