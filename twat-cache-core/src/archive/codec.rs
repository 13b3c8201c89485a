use std::any::{Any, type_name};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use rkyv::api::high::{HighDeserializer, HighSerializer, HighValidator, to_bytes_in};
use rkyv::bytecheck::CheckBytes;
use rkyv::primitive::{ArchivedU64, ArchivedUsize};
use rkyv::rancor;
use rkyv::ser::allocator::ArenaHandle;
use rkyv::util::AlignedVec;
use rkyv::{Archive, Deserialize, Serialize};

use crate::key::Namespace;
use crate::{Error, ErrorKind};

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
pub struct Functions<V> {
    id: u8,
    encode: fn(&V, &mut Vec<u8>) -> Result<(), Error>,
    decode: fn(&[u8]) -> Result<V, Error>,
}

impl<V> Functions<V> {
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

/// The function has computed its result by now, and must not lose it to a panic in here.
fn guard<T>(attempt: &'static str, work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(Error::new(ErrorKind::Panicked, attempt)))
}

impl<V> Clone for Functions<V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<V> Copy for Functions<V> {}

impl<V> fmt::Debug for Functions<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Functions(..)")
    }
}

/// [rkyv](rkyv), the default: fast to write, and readable in place.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rkyv;

/// What a value needs to be kept by [`Rkyv`]: `#[derive(rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]`.
///
/// Implemented for all types that have it, among them numbers, strings, tuples, options, vectors and maps of such.
///
/// rkyv keeps 32 bits of `usize` and `isize`. One that has more and is returned as it is, in an `Option`, a `Vec` or a pair
/// is found out and not kept; for one inside another type use `u64` or `i64`, or `.serde()`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be kept on disk as it is",
    label = "not serialisable by rkyv",
    note = "derive `rkyv::Archive`, `rkyv::Serialize` and `rkyv::Deserialize` for it",
    note = "or, for a type that only has serde, use `.serde()` on the builder"
)]
pub trait RkyvValue:
    Archive<
        Archived: for<'a> CheckBytes<HighValidator<'a, rancor::Error>>
                      + Deserialize<Self, HighDeserializer<rancor::Error>>,
    > + for<'a> Serialize<HighSerializer<Vec<u8>, ArenaHandle<'a>, rancor::Error>>
    + Sized
    + 'static
{
}

impl<V> RkyvValue for V where
    V: Archive<
            Archived: for<'a> CheckBytes<HighValidator<'a, rancor::Error>>
                          + Deserialize<Self, HighDeserializer<rancor::Error>>,
        > + for<'a> Serialize<HighSerializer<Vec<u8>, ArenaHandle<'a>, rancor::Error>>
        + 'static
{
}

impl<V: RkyvValue> Codec<V> for Rkyv {
    const ID: u8 = 1;

    fn encode(value: &V, bytes: &mut Vec<u8>) -> Result<(), Error> {
        check_width(value)?;
        let encoded = to_bytes_in::<_, rancor::Error>(value, std::mem::take(bytes));
        *bytes = encoded.map_err(|error| Error::new(ErrorKind::Codec, "encode a value").because(error))?;
        Ok(())
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

/// The namespace, within this one, of all that rkyv archives from this type.
pub fn within_rkyv<V: Archive>(namespace: &Namespace) -> Namespace {
    // rkyv has features that change the format for a whole build; these types show which are on.
    let format = (type_name::<ArchivedU64>(), align_of::<ArchivedU64>(), size_of::<ArchivedUsize>());
    typed::<V>(&namespace.with("codec", "rkyv 0.8").with("format", &format))
        .with("archived size", &size_of::<V::Archived>())
        .with("archived alignment", &align_of::<V::Archived>())
}

/// An error if the value is, or plainly contains, a `usize` that rkyv would cut down to 32 bits without a word.
pub fn check_width(value: &dyn Any) -> Result<(), Error> {
    if exceeds_32_bits(value) {
        let why = "rkyv keeps 32 bits of a `usize`, and this one has more; `u64` has room";
        return Err(Error::new(ErrorKind::Codec, "encode a value").because(why));
    }
    Ok(())
}

/// There is no way to find one inside an arbitrary type; what is checked is what functions like to return.
fn exceeds_32_bits(value: &dyn Any) -> bool {
    let unsigned = |number: &usize| u32::try_from(*number).is_err();
    let signed = |number: &isize| i32::try_from(*number).is_err();
    macro_rules! any_of {
        ($($pattern:pat, $type:ty => $exceeds:expr;)+) => {
            $(if let Some($pattern) = value.downcast_ref::<$type>() { return $exceeds; })+
        };
    }
    any_of! {
        number, usize => unsigned(number);
        number, isize => signed(number);
        number, Option<usize> => number.as_ref().is_some_and(unsigned);
        number, Option<isize> => number.as_ref().is_some_and(signed);
        numbers, Vec<usize> => numbers.iter().any(unsigned);
        numbers, Vec<isize> => numbers.iter().any(signed);
        (one, other), (usize, usize) => unsigned(one) || unsigned(other);
        pairs, Vec<(usize, usize)> => pairs.iter().any(|(one, other)| unsigned(one) || unsigned(other));
    }
    false
}

/// As much as there is to know about a type.
fn typed<V>(namespace: &Namespace) -> Namespace {
    namespace.with("type", type_name::<V>()).with("size", &size_of::<V>()).with("alignment", &align_of::<V>())
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
        typed::<V>(&namespace.with("codec", "MessagePack, named"))
    }
}
