use std::fmt;
use std::io;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};

use rkyv::util::AlignedVec;
use rkyv::{Archive, rancor};
use twat_cache_core::persist::{self, CacheValue};
use twat_cache_core::{Error, ErrorKind};

use crate::map::{ALIGNMENT, Bytes, Checked};

/// A result in its archived form, in a mapped file or in memory.
///
/// It derefs to the archived form of the value. For a `Vec<f64>`, that is indexed, iterated and sliced like a vector of `f64`.
/// To clone a view copies nothing. It does not change, whatever happens to the entry and its cache.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// # let dir = dir.path();
/// use twat_cache_file::{View, fcache};
///
/// let squares = fcache("squares").dir(dir).wrap(|n: &u32| (0..*n).map(|i| f64::from(i * i)).collect::<Vec<f64>>());
/// let view: View<Vec<f64>> = squares.view(&1000);
/// drop(squares);
/// assert_eq!(view[12], 144.0);
/// assert_eq!(view.to_value()?.len(), 1000);
/// # Ok::<(), twat_cache_file::Error>(())
/// ```
// With this bound, a view is `Send` and `Sync` exactly if the archived value is.
pub struct View<V: Archive>(Checked<V::Archived>);

impl<V: CacheValue> View<V> {
    /// A view of a copy of this value, in memory. An error if the value cannot be archived.
    pub fn new(value: &V) -> Result<Self, Error> {
        let mut bytes = AlignedVec::new();
        bytes.resize(ALIGNMENT, 0);
        archive(value, &mut bytes)?;
        Self::check(Bytes::Owned(bytes))
    }

    /// The value itself: a copy.
    pub fn to_value(&self) -> Result<V, Error> {
        let attempt = "make a value of its archived form";
        // If the type's own code panics, the function is not to blame, and may not even have run.
        let made = catch_unwind(AssertUnwindSafe(|| rkyv::deserialize::<V, rancor::Error>(self.0.get())));
        match made {
            Ok(made) => made.map_err(|error| Error::new(ErrorKind::Codec, attempt).because(error)),
            Err(_) => Err(Error::new(ErrorKind::Panicked, attempt)),
        }
    }

    pub(crate) fn check(bytes: Bytes) -> Result<Self, Error> {
        let attempt = "validate an entry";
        let checked = catch_unwind(AssertUnwindSafe(|| Checked::new(bytes)));
        let checked = checked.map_err(|_| Error::new(ErrorKind::Panicked, attempt))?;
        checked.map(Self).map_err(|error| Error::new(ErrorKind::Corrupt, attempt).because(error))
    }
}

/// Writes the archived form of a value. It can be viewed if it is written behind a header.
pub(crate) fn archive<V: CacheValue>(value: &V, output: &mut dyn io::Write) -> Result<(), Error> {
    if align_of::<V::Archived>() > ALIGNMENT {
        let why = "its archived form is aligned to more than 64 bytes";
        return Err(Error::new(ErrorKind::Codec, "archive a value").because(why));
    }
    persist::archive(value, output)
}

impl<V: Archive> View<V> {
    /// Whether it is mapped from a file. If not, it is a copy in this process's memory.
    pub fn is_mapped(&self) -> bool {
        self.0.bytes().is_mapped()
    }

    /// The bytes of the archived value. They are aligned to 64, and their root is at the end, as in rkyv.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.bytes().payload()
    }
}

impl<V: Archive> Deref for View<V> {
    type Target = V::Archived;

    #[inline]
    fn deref(&self) -> &V::Archived {
        self.0.get()
    }
}

impl<V: Archive> Clone for View<V> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<V: Archive<Archived: fmt::Debug>> fmt::Debug for View<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}
