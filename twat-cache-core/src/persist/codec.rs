use std::fmt;

use rkyv::rancor;
use rkyv::util::AlignedVec;

use super::value::{RkyvValue, archive, within_rkyv};
use crate::store::guard;
use crate::{Error, ErrorKind, Namespace};

/// A way to turn values of type `V` into bytes and back.
///
/// Decoding checks what it reads: bytes that are not what `encode` wrote give an error, whatever they are.
pub trait Codec<V>: Copy + Send + Sync + 'static {
    /// What an entry's [`Header`](super::Header) calls this codec.
    const ID: u8;

    /// Appends the value to `bytes`, of which so far the length is a multiple of 16.
    fn encode(value: &V, bytes: &mut Vec<u8>) -> Result<(), Error>;

    /// The value that these bytes were encoded from.
    fn decode(bytes: &[u8]) -> Result<V, Error>;

    /// The namespace, within this one, of all that is encoded like this, from this type. What another type or another
    /// format has written is not even looked at.
    fn within(namespace: &Namespace) -> Namespace;
}

/// A codec, as a value without its type: so that it is chosen where a store is built, and not a parameter of the store.
pub struct ErasedCodec<V> {
    id: u8,
    encode: fn(&V, &mut Vec<u8>) -> Result<(), Error>,
    decode: fn(&[u8]) -> Result<V, Error>,
}

impl<V> ErasedCodec<V> {
    /// Those of a codec.
    pub fn of<C: Codec<V>>() -> Self {
        Self { id: C::ID, encode: C::encode, decode: C::decode }
    }

    /// As [`Codec::ID`].
    pub fn id(&self) -> u8 {
        self.id
    }

    /// As [`Codec::encode`]. A panic of the type's own code is an error, too.
    pub fn encode(&self, value: &V, bytes: &mut Vec<u8>) -> Result<(), Error> {
        guard("encode a value", || (self.encode)(value, bytes))
    }

    /// As [`Codec::decode`]. A panic of the type's own code is an error, too.
    pub fn decode(&self, bytes: &[u8]) -> Result<V, Error> {
        guard("decode a value", || (self.decode)(bytes))
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

/// [rkyv](rkyv), the default: fast to write, and readable in place.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rkyv;

impl<V: RkyvValue> Codec<V> for Rkyv {
    const ID: u8 = 1;

    fn encode(value: &V, bytes: &mut Vec<u8>) -> Result<(), Error> {
        archive(value, bytes)
    }

    fn decode(bytes: &[u8]) -> Result<V, Error> {
        // Archived values are read where they lie, so they must lie as their alignment wants it. 16 is the largest.
        let mut aligned = AlignedVec::<16>::with_capacity(bytes.len());
        aligned.extend_from_slice(bytes);
        rkyv::from_bytes::<V, rancor::Error>(&aligned)
            .map_err(|error| Error::new(ErrorKind::Codec, "decode a value").because(error))
    }

    fn within(namespace: &Namespace) -> Namespace {
        within_rkyv::<V>(namespace)
    }
}

/// [MessagePack](rmp_serde), for types that only have serde.
#[cfg(feature = "serde")]
#[derive(Clone, Copy, Debug, Default)]
pub struct MessagePack;

/// What a value needs to be kept by [`MessagePack`]: `#[derive(serde::Serialize, serde::Deserialize)]`.
///
/// MessagePack has one nothing: `Some(None)` and `Some(())` come back as `None`. Do not keep such types by it.
#[cfg(feature = "serde")]
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be kept on disk by serde",
    label = "not serialisable by serde",
    note = "derive `serde::Serialize` and `serde::Deserialize` for it"
)]
pub trait SerdeValue: serde::Serialize + serde::de::DeserializeOwned {}

#[cfg(feature = "serde")]
impl<V: serde::Serialize + serde::de::DeserializeOwned> SerdeValue for V {}

#[cfg(feature = "serde")]
impl<V: SerdeValue> Codec<V> for MessagePack {
    const ID: u8 = 2;

    fn encode(value: &V, bytes: &mut Vec<u8>) -> Result<(), Error> {
        // With the names of fields: a type that has gained one since is read wrongly by position, in the worst case.
        rmp_serde::encode::write_named(bytes, value)
            .map_err(|error| Error::new(ErrorKind::Codec, "encode a value").because(error))
    }

    fn decode(bytes: &[u8]) -> Result<V, Error> {
        rmp_serde::from_slice(bytes).map_err(|error| Error::new(ErrorKind::Codec, "decode a value").because(error))
    }

    fn within(namespace: &Namespace) -> Namespace {
        super::value::typed::<V>(&namespace.with("codec", "MessagePack, named"))
    }
}
