//! Values in rkyv's archived form.

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

/// A serializer to any writer. The writer is a trait object, so that all writers need the same bound on values.
type Archiver<'a> = HighSerializer<IoWriter<&'a mut (dyn io::Write + 'a)>, ArenaHandle<'a>, rancor::Error>;

/// A value that rkyv can store: a type with `#[derive(rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]`.
///
/// Numbers, strings, tuples, options, vectors and maps of such types implement it, too.
///
/// rkyv stores only 32 bits of a `usize` or `isize`. A larger number is detected and not stored if it is the value
/// itself, or in an `Option`, a `Vec` or a pair. Inside other types it is not detected. Use `u64` or `i64` there.
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

// The compiler reports this trait as missing, instead of the traits in the bounds.
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

/// Writes the archived form of a value, with the root at the end. Positions in it are relative to the first byte
/// written.
///
/// A panic of the value's own code is also an error.
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

/// Returns the length of a value's archived form in bytes, or `None` if it exceeds `limit`. This takes the time of
/// [`archive`], because it archives the value and counts the bytes.
///
/// ```
/// use twat_cache_core::persist::archived_len;
///
/// assert_eq!(archived_len(&vec![1_u64; 100], 1000)?, Some(808));
/// assert_eq!(archived_len(&vec![1_u64; 1000], 1000)?, None);
/// # Ok::<(), twat_cache_core::Error>(())
/// ```
pub fn archived_len<V: RkyvValue>(value: &V, limit: u64) -> Result<Option<u64>, Error> {
    let mut counter = ByteCounter { bytes: 0, limit };
    match archive(value, &mut counter) {
        _ if counter.bytes > limit => Ok(None),
        archived => archived.map(|()| Some(counter.bytes)),
    }
}

/// Counts bytes, and fails above the limit, so that archiving stops early.
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

/// Adds a type to a namespace: its name, size and alignment.
pub(super) fn with_type<V>(namespace: &Namespace) -> Namespace {
    namespace.with("type", type_name::<V>()).with("size", &size_of::<V>()).with("alignment", &align_of::<V>())
}

/// Returns the namespace within `namespace` for values of this type in rkyv's form.
pub fn within_rkyv<V: Archive>(namespace: &Namespace) -> Namespace {
    // Features of rkyv change the format for a whole build. These types depend on them.
    let format = (type_name::<ArchivedU64>(), align_of::<ArchivedU64>(), size_of::<ArchivedUsize>());
    with_type::<V>(&namespace.with("codec", "rkyv 0.8").with("format", &format))
        .with("archived size", &size_of::<V::Archived>())
        .with("archived alignment", &align_of::<V::Archived>())
}

/// Returns an error for a `usize` or `isize` that rkyv would silently truncate to 32 bits.
fn check_width(value: &dyn Any) -> Result<(), Error> {
    if exceeds_32_bits(value) {
        let why = "rkyv stores 32 bits of a `usize`, and this one needs more; use `u64`";
        return Err(Error::new(ErrorKind::Codec, "archive a value").because(why));
    }
    Ok(())
}

/// Checks common return types. A number inside an arbitrary type cannot be found.
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
