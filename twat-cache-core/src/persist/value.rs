//! Values as rkyv archives them.

use std::any::{Any, type_name};
use std::io;

use rkyv::api::high::{HighDeserializer, HighSerializer, HighValidator};
use rkyv::api::serialize_using;
use rkyv::bytecheck::CheckBytes;
use rkyv::primitive::{ArchivedU64, ArchivedUsize};
use rkyv::rancor;
use rkyv::ser::Serializer;
use rkyv::ser::allocator::ArenaHandle;
use rkyv::ser::sharing::Share;
use rkyv::ser::writer::IoWriter;
use rkyv::util::with_arena;
use rkyv::{Archive, Deserialize, Serialize};

use crate::store::guard;
use crate::{Error, ErrorKind, Namespace};

/// Writes what it is given to anything that takes bytes. One type for all of them, so that there is one bound on values.
type Archiver<'a> = HighSerializer<IoWriter<&'a mut (dyn io::Write + 'a)>, ArenaHandle<'a>, rancor::Error>;

/// What a value needs to outlive the process: `#[derive(rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]`.
///
/// Implemented for all types that have it, among them numbers, strings, tuples, options, vectors and maps of such.
///
/// rkyv keeps 32 bits of `usize` and `isize`. One that has more and is returned as it is, in an `Option`, a `Vec` or a pair
/// is found out and not kept; for one inside another type use `u64` or `i64`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be kept on disk as it is",
    label = "not serialisable by rkyv",
    note = "derive `rkyv::Archive`, `rkyv::Serialize` and `rkyv::Deserialize` for it",
    note = "or, for a type that only has serde, use `bcache` with `.serde()`, or `#[bcache(serde)]`"
)]
pub trait RkyvValue:
    Archive<
        Archived: for<'a> CheckBytes<HighValidator<'a, rancor::Error>>
                      + Deserialize<Self, HighDeserializer<rancor::Error>>
                      + Send
                      + Sync,
    > + for<'a> Serialize<Archiver<'a>>
    + Sized
    + 'static
{
}

// What is missing is said of this trait, not of what it is made of.
#[diagnostic::do_not_recommend]
impl<V> RkyvValue for V where
    V: Archive<
            Archived: for<'a> CheckBytes<HighValidator<'a, rancor::Error>>
                          + Deserialize<Self, HighDeserializer<rancor::Error>>
                          + Send
                          + Sync,
        > + for<'a> Serialize<Archiver<'a>>
        + 'static
{
}

/// Writes the archived form of a value, its root last. Positions in it count from what is written first.
///
/// A panic of the value's own code is an error, too.
pub fn archive<V: RkyvValue>(value: &V, output: &mut dyn io::Write) -> Result<(), Error> {
    const ATTEMPT: &str = "archive a value";
    check_width(value)?;
    guard(ATTEMPT, || {
        with_arena(|arena| {
            let mut serializer =
                Serializer::new(IoWriter::new(&mut *output as &mut dyn io::Write), arena.acquire(), Share::new());
            serialize_using::<_, rancor::Error>(value, &mut serializer)
        })
        .map_err(|error| Error::new(ErrorKind::Codec, ATTEMPT).because(error))
    })?;
    Ok(())
}

/// How many bytes the archived form of a value has; `None` if they are more than `limit`. Takes the time of archiving it,
/// without the writing.
///
/// ```
/// use twat_cache_core::persist::archived_len;
///
/// assert_eq!(archived_len(&vec![1_u64; 100], 1000)?, Some(808));
/// assert_eq!(archived_len(&vec![1_u64; 1000], 1000)?, None);
/// # Ok::<(), twat_cache_core::Error>(())
/// ```
pub fn archived_len<V: RkyvValue>(value: &V, limit: u64) -> Result<Option<u64>, Error> {
    let mut count = Count { bytes: 0, limit };
    match archive(value, &mut count) {
        _ if count.bytes > limit => Ok(None),
        archived => archived.map(|()| Some(count.bytes)),
    }
}

/// Counts bytes, and takes no more once there are too many.
struct Count {
    bytes: u64,
    limit: u64,
}

impl io::Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes = self.bytes.saturating_add(bytes.len() as u64);
        if self.bytes > self.limit { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes.len()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// As much as there is to know about a type.
pub(super) fn typed<V>(namespace: &Namespace) -> Namespace {
    namespace.with("type", type_name::<V>()).with("size", &size_of::<V>()).with("alignment", &align_of::<V>())
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
fn check_width(value: &dyn Any) -> Result<(), Error> {
    if exceeds_32_bits(value) {
        let why = "rkyv keeps 32 bits of a `usize`, and this one has more; `u64` has room";
        return Err(Error::new(ErrorKind::Codec, "archive a value").because(why));
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
