//! Values in rkyv's archived form.

use std::any::type_name;
use std::io;

use rkyv::api::high::{HighDeserializer, HighSerializer, HighValidator};
use rkyv::api::serialize_using;
use rkyv::bytecheck::CheckBytes;
use rkyv::primitive::{ArchivedI64, ArchivedU64, ArchivedUsize};
use rkyv::rancor::{self, Fallible, Source};
use rkyv::ser::Serializer;
use rkyv::ser::allocator::ArenaHandle;
use rkyv::ser::sharing::Share;
use rkyv::ser::writer::IoWriter;
use rkyv::util::with_arena;
use rkyv::with::{ArchiveWith, DeserializeWith, SerializeWith};
use rkyv::{Archive, Deserialize, Place, Serialize};

use super::Shape;
use crate::store::guard;
use crate::{Error, ErrorKind, Namespace};

/// A serializer to any writer. The writer is a trait object, so that all writers need the same bound on values.
type Archiver<'a> = HighSerializer<IoWriter<&'a mut (dyn io::Write + 'a)>, ArenaHandle<'a>, rancor::Error>;

/// A value that rkyv can store, and whose [shape](Shape) is known: numbers, texts, the collections of the standard
/// library, tuples of up to twelve such values, and types with `#[derive(CacheValue)]`.
///
/// The shape is a part of the namespace in which values are stored. So a value that was stored before its type was edited
/// is not found, and it is found again when the edit is undone.
///
/// rkyv stores 32 bits of a `usize` or `isize`. The derive stores 64 bits of a field of such a type. Anywhere else, a value
/// with a larger number is returned and not stored, and one warning is logged.
///
/// The format holds values of up to 2 GiB, and texts of up to 1 GiB. A larger one is returned and not stored, too.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be kept on disk as it is",
    label = "not a `CacheValue`",
    note = "derive `twat_cache::CacheValue` for it; rkyv's own derives are not enough, and not needed",
    note = "or, for a type with serde's derives, use `.serde()`, or the option `serde` of attributes"
)]
pub trait CacheValue:
    Archive<
        Archived: for<'a> CheckBytes<HighValidator<'a, rancor::Error>>
                      + Deserialize<Self, HighDeserializer<rancor::Error>>
                      + Send
                      + Sync,
    > + for<'a> Serialize<Archiver<'a>>
    + Sized
    + 'static
{
    /// Adds the shape of this type: all that its archived form depends on. `#[derive(CacheValue)]` writes this.
    fn describe(shape: &mut Shape);

    /// Returns whether rkyv can store this value as it is. By default it can. Types that contain a `usize`, an `isize`, or
    /// other values ask these.
    #[inline]
    fn fits(&self) -> bool {
        true
    }
}

/// Stores 64 bits of a `usize` or `isize`, for `#[rkyv(with = Whole)]`. `#[derive(CacheValue)]` does so by itself.
#[derive(Clone, Copy, Debug)]
pub struct Whole;

macro_rules! whole {
    ($($number:ty => $stored:ty, $archived:ty;)+) => {
        $(
            impl ArchiveWith<$number> for Whole {
                type Archived = $archived;
                type Resolver = ();

                #[inline]
                fn resolve_with(number: &$number, (): (), out: Place<$archived>) {
                    (*number as $stored).resolve((), out);
                }
            }

            impl<S: Fallible + ?Sized> SerializeWith<$number, S> for Whole {
                fn serialize_with(_: &$number, _: &mut S) -> Result<(), S::Error> {
                    Ok(())
                }
            }

            impl<D: Fallible<Error: Source> + ?Sized> DeserializeWith<$archived, $number, D> for Whole {
                fn deserialize_with(stored: &$archived, _: &mut D) -> Result<$number, D::Error> {
                    <$number>::try_from(stored.to_native()).map_err(Source::new)
                }
            }
        )+
    };
}

whole! {
    usize => u64, ArchivedU64;
    isize => i64, ArchivedI64;
}

/// Writes the archived form of a value, with the root at the end. Positions in it are relative to the first byte
/// written.
///
/// A panic of the value's own code is also an error.
pub fn archive<V: CacheValue>(value: &V, output: &mut dyn io::Write) -> Result<(), Error> {
    const ATTEMPT: &str = "archive a value";
    guard(ATTEMPT, || {
        if !value.fits() {
            let why = "it has a `usize` of more than 32 bits, of which rkyv stores 32, or a range that is used up";
            return Err(Error::new(ErrorKind::Codec, ATTEMPT).because(why));
        }
        if align_of::<V::Archived>() > ALIGNMENT {
            let why = format!("its archived form is aligned to more than {ALIGNMENT} bytes");
            return Err(Error::new(ErrorKind::Codec, ATTEMPT).because(why));
        }
        let mut output = Limited { output, left: LONGEST };
        let archived = with_arena(|arena| {
            let mut serializer =
                Serializer::new(IoWriter::new(&mut output as &mut dyn io::Write), arena.acquire(), Share::new());
            serialize_using::<_, rancor::Error>(value, &mut serializer)
        });
        archived.map(drop).map_err(|error| Error::new(ErrorKind::Codec, ATTEMPT).because(error))
    })
}

/// The largest alignment of an archived value, in bytes. rkyv panics if it has to pad by more.
pub(super) const ALIGNMENT: usize = 32;

/// rkyv panics if the distance between two parts of a value has more than 31 bits. The distance may exceed the length so
/// far by the size of one element, which rkyv makes on the stack before it writes it.
const LONGEST: u64 = (2 << 30) - (16 << 20);

/// A writer that takes no more than rkyv can point to.
struct Limited<'a> {
    output: &'a mut dyn io::Write,
    left: u64,
}

impl io::Write for Limited<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let too_long = || io::Error::new(io::ErrorKind::FileTooLarge, "rkyv holds values of up to 2 GiB");
        self.left = self.left.checked_sub(bytes.len() as u64).ok_or_else(too_long)?;
        let written = self.output.write(bytes)?;
        self.left += (bytes.len() - written) as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }
}

/// Returns the namespace within `namespace` for values of this type in rkyv's form.
pub fn within_rkyv<V: CacheValue>(namespace: &Namespace) -> Namespace {
    // Features of rkyv change the format for a whole build. These types depend on them.
    let format = (type_name::<ArchivedU64>(), align_of::<ArchivedU64>(), size_of::<ArchivedUsize>());
    namespace.with("codec", "rkyv 0.8").with("format", &format).with("shape", &Shape::of::<V>())
}
