use std::fmt;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};

use rkyv::{Archive, rancor};
use twat_cache_core::persist::{CacheValue, Rkyv};
use twat_cache_core::{Error, ErrorKind};

use crate::map::Checked;
#[cfg(target_endian = "little")]
use crate::map::{Native, as_native};
use crate::measure::in_memory;

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
pub struct View<V: Archive>(pub(crate) Checked<V::Archived>);

impl<V: CacheValue> View<V> {
    /// A view of a copy of this value, in memory. An error if the value cannot be archived.
    pub fn new(value: &V) -> Result<Self, Error> {
        let view = in_memory::<V, Rkyv>(value, u64::MAX)?;
        view.ok_or_else(|| Error::new(ErrorKind::Codec, "archive a value"))
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

/// Views whose numbers are a slice of `T` as they are.
#[cfg(target_endian = "little")]
macro_rules! as_native {
    ($($(#[$doc:meta])+ [$($parameters:tt)*] $type:ty;)+) => {
        $(
            impl<T: Archive<Archived: Native<T>>, $($parameters)*> View<$type> {
                $(#[$doc])+
                #[inline]
                pub fn as_native(&self) -> &[T] {
                    as_native(&self[..])
                }
            }
        )+
    };
}

#[cfg(target_endian = "little")]
as_native! {
    /// Returns the numbers as a slice, without a copy. `T` is an integer or a float, and no `usize` or `isize`.
    ///
    /// So other libraries can read them, such as `ndarray` by `ArrayView1::from(view.as_native())`.
    ///
    /// This method exists on little-endian machines, unless a build enables features of rkyv that change its format.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let dir = dir.path();
    /// use twat_cache_file::fcache;
    ///
    /// let waves = fcache("waves").dir(dir).wrap(|n: &u32| (0..*n).map(|i| f64::from(i).sin()).collect::<Vec<f64>>());
    /// let view = waves.view(&100_000);
    /// let numbers: &[f64] = view.as_native();
    /// assert_eq!(numbers[1], 1_f64.sin());
    /// ```
    [] Vec<T>;
    /// Returns the numbers as a slice, see [`View::<Vec<T>>::as_native`](View#method.as_native).
    [] Box<[T]>;
    /// Returns the numbers as a slice, see [`View::<Vec<T>>::as_native`](View#method.as_native).
    [const N: usize] [T; N];
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
