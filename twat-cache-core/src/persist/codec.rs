#[cfg(feature = "serde")]
use std::any::type_name;
use std::fmt;
use std::io;

use rkyv::rancor;
use rkyv::util::AlignedVec;

#[cfg(feature = "serde")]
use super::empty_options::check_options;
use super::value::{ALIGNMENT, CacheValue, archive, within_rkyv};
use crate::store::guard;
use crate::{Error, ErrorKind, Namespace};

/// Encodes values of type `V` as bytes, and decodes them.
///
/// Decoding checks its input: bytes that `encode` did not write give an error.
pub trait Codec<V>: Copy + Send + Sync + 'static {
    /// The number of this codec in the [`Header`](super::Header) of an entry.
    const ID: u8;

    /// Whether the store compresses what this codec writes. By default it does not.
    const IS_COMPRESSED: bool = false;

    /// Writes the value. What was written before must be a multiple of 16 bytes long.
    fn encode(value: &V, output: &mut dyn io::Write) -> Result<(), Error>;

    /// Decodes a value that [`encode`](Self::encode) has written.
    fn decode(bytes: &[u8]) -> Result<V, Error>;

    /// Returns the namespace within `namespace` for this codec and type. Entries of another type or format are in
    /// another namespace, so they are never decoded.
    fn within(namespace: &Namespace) -> Namespace;
}

/// Returns the length of a value's encoded form in bytes, or `None` if it exceeds `limit`. This takes the time of
/// [`Codec::encode`], because it encodes the value and counts the bytes.
///
/// ```
/// use twat_cache_core::persist::{Rkyv, encoded_len};
///
/// assert_eq!(encoded_len::<_, Rkyv>(&vec![1_u64; 100], 1000)?, Some(808));
/// assert_eq!(encoded_len::<_, Rkyv>(&vec![1_u64; 1000], 1000)?, None);
/// # Ok::<(), twat_cache_core::Error>(())
/// ```
pub fn encoded_len<V, C: Codec<V>>(value: &V, limit: u64) -> Result<Option<u64>, Error> {
    let mut counter = ByteCounter { bytes: 0, limit };
    match guard("encode a value", || C::encode(value, &mut counter)) {
        _ if counter.bytes > limit => Ok(None),
        encoded => encoded.map(|()| Some(counter.bytes)),
    }
}

/// Counts bytes, and fails above the limit, so that encoding stops early.
struct ByteCounter {
    bytes: u64,
    limit: u64,
}

impl io::Write for ByteCounter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes = self.bytes.saturating_add(bytes.len() as u64);
        if self.bytes > self.limit { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes.len()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A codec without its type. So a builder can choose the codec, and the store needs no type parameter for it.
pub struct ErasedCodec<V> {
    id: u8,
    is_compressed: bool,
    encode: fn(&V, &mut dyn io::Write) -> Result<(), Error>,
    decode: fn(&[u8]) -> Result<V, Error>,
    within: fn(&Namespace) -> Namespace,
}

impl<V> ErasedCodec<V> {
    /// Erases the type of a codec.
    pub fn of<C: Codec<V>>() -> Self {
        let (id, is_compressed) = (C::ID, C::IS_COMPRESSED);
        Self { id, is_compressed, encode: C::encode, decode: C::decode, within: C::within }
    }

    /// Like [`Codec::ID`].
    pub fn id(&self) -> u8 {
        self.id
    }

    /// Like [`Codec::IS_COMPRESSED`].
    pub fn is_compressed(&self) -> bool {
        self.is_compressed
    }

    /// Like [`Codec::encode`]. A panic of the value's own code is also an error.
    pub fn encode(&self, value: &V, output: &mut dyn io::Write) -> Result<(), Error> {
        guard("encode a value", || (self.encode)(value, output))
    }

    /// Like [`Codec::decode`]. A panic of the value's own code is also an error.
    pub fn decode(&self, bytes: &[u8]) -> Result<V, Error> {
        guard("decode a value", || (self.decode)(bytes))
    }

    /// Like [`Codec::within`].
    pub fn within(&self, namespace: &Namespace) -> Namespace {
        (self.within)(namespace)
    }
}

impl<V> Clone for ErasedCodec<V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<V> Copy for ErasedCodec<V> {}

impl<V> fmt::Debug for ErasedCodec<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ErasedCodec(..)")
    }
}

/// The codec [rkyv], the default. It is fast, and its values can be read in place.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rkyv;

impl<V: CacheValue> Codec<V> for Rkyv {
    const ID: u8 = 1;

    fn encode(value: &V, output: &mut dyn io::Write) -> Result<(), Error> {
        archive(value, output)
    }

    fn decode(bytes: &[u8]) -> Result<V, Error> {
        // rkyv reads archived values in place, so the bytes must be aligned. An allocation with more than 16 takes longer, and
        // only values in a vector or a box may need more than the whole does.
        let decode = |bytes: &[u8]| rkyv::from_bytes::<V, rancor::Error>(bytes);
        let value = match align_of::<V::Archived>() {
            17.. => None,
            _ if bytes.as_ptr().addr().is_multiple_of(16) => decode(bytes).ok(),
            _ => decode(&aligned::<16>(bytes)).ok(),
        };
        let value = value.map_or_else(|| decode(&aligned::<ALIGNMENT>(bytes)), Ok);
        value.map_err(|error| Error::new(ErrorKind::Codec, "decode a value").because(error))
    }

    fn within(namespace: &Namespace) -> Namespace {
        within_rkyv::<V>(namespace)
    }
}

fn aligned<const N: usize>(bytes: &[u8]) -> AlignedVec<N> {
    let mut aligned = AlignedVec::with_capacity(bytes.len());
    aligned.extend_from_slice(bytes);
    aligned
}

/// The codec [MessagePack](rmp_serde), for types that support only serde.
#[cfg(feature = "serde")]
#[derive(Clone, Copy, Debug, Default)]
pub struct MessagePack;

/// A value for [`MessagePack`]: a type with `#[derive(serde::Serialize, serde::Deserialize)]`.
///
/// A type decides by itself what serde stores of it. A field with `#[serde(skip)]` comes back with its default. An
/// `#[serde(untagged)]` enum comes back as the first variant that fits: a `Big(5_i64)` may come back as a `Small(5_u8)`.
///
/// MessagePack cannot distinguish `Some(None)` and `Some(())` from `None`. A value with such an option, at any depth, is
/// returned and not stored, and one warning is logged.
#[cfg(feature = "serde")]
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be kept on disk by serde",
    label = "not serialisable by serde",
    note = "derive `serde::Serialize` and `serde::Deserialize` for it"
)]
pub trait SerdeValue: serde::Serialize + serde::de::DeserializeOwned + 'static {}

#[cfg(feature = "serde")]
impl<V: serde::Serialize + serde::de::DeserializeOwned + 'static> SerdeValue for V {}

#[cfg(feature = "serde")]
impl<V: SerdeValue> Codec<V> for MessagePack {
    const ID: u8 = 2;

    fn encode(value: &V, output: &mut dyn io::Write) -> Result<(), Error> {
        check_options(value)?;
        // With field names. By position, a type whose fields have changed could be decoded to a wrong value.
        rmp_serde::encode::write_named(output, value)
            .map_err(|error| Error::new(ErrorKind::Codec, "encode a value").because(error))
    }

    fn decode(bytes: &[u8]) -> Result<V, Error> {
        rmp_serde::from_slice(bytes).map_err(|error| Error::new(ErrorKind::Codec, "decode a value").because(error))
    }

    fn within(namespace: &Namespace) -> Namespace {
        let (name, size) = (type_name::<V>(), size_of::<V>());
        namespace.with("codec", "MessagePack, named").with("type", &name).with("size", &size)
    }
}

/// The codec of values that cannot be stored: it stores none. Attributes take it for such a result, so that their own error is
/// the only one.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Neither;

impl<V> Codec<V> for Neither {
    const ID: u8 = 0;

    fn encode(_: &V, _: &mut dyn io::Write) -> Result<(), Error> {
        Err(Error::new(ErrorKind::Codec, "encode a value"))
    }

    fn decode(_: &[u8]) -> Result<V, Error> {
        Err(Error::new(ErrorKind::Codec, "decode a value"))
    }

    fn within(namespace: &Namespace) -> Namespace {
        namespace.with("codec", "none")
    }
}
