use std::ffi::{OsStr, OsString};
use std::hash::Hash;
use std::path::{Path, PathBuf};

use super::exact::{Exact, Yes};
use super::recorded::Recorded;
use super::{Probe, exact};
use crate::Args;

/// The part of an entry's key that is stored for an argument. The parameters tell which `impl` it is, because the compiler does
/// not let two of them overlap.
pub trait Kept<const IS_EXACT: bool, const IS_ARGS: bool> {
    /// Its type.
    type Owned;
}

/// An argument with floats or paths inside is recorded exactly.
impl<T: Exact<Inexact = Yes> + ?Sized, const IS_ARGS: bool> Kept<true, IS_ARGS> for T {
    type Owned = Recorded;
}

impl<T: Exact<Inexact = Yes> + ?Sized> Probe<T> {
    /// It is compared exactly.
    pub const EXACT: bool = true;

    /// The part of a key that this argument is.
    #[inline]
    pub fn part(self, argument: &T) -> Recorded {
        exact::recorded(argument)
    }
}

/// A path is its bytes.
macro_rules! paths {
    ($($path:ty),+) => {
        $(
            impl<const IS_ARGS: bool> Kept<true, IS_ARGS> for $path {
                type Owned = OsString;
            }

            #[allow(clippy::ptr_arg, reason = "the question is about this type")]
            impl Probe<$path> {
                /// It is compared exactly.
                pub const EXACT: bool = true;

                /// The part of a key that this argument is.
                #[inline]
                pub fn part(self, argument: &$path) -> &OsStr {
                    argument.as_os_str()
                }
            }
        )+
    };
}

paths!(Path, PathBuf);

/// Other arguments are parts as they are.
impl<T: Args + ?Sized> Kept<false, true> for T {
    type Owned = T::Owned;
}

impl<T: Args + ?Sized> Probe<T> {
    /// It can be a key.
    pub const ARGS: bool = true;
}

/// An argument that can be a key.
pub trait IsArgs<T: ?Sized>: Sized {
    /// The part of a key that this argument is.
    #[inline]
    fn part(self, argument: &T) -> &T {
        argument
    }
}

impl<T: Args + ?Sized> IsArgs<T> for Probe<T> {}

/// An argument that cannot be a key has a type all the same. So the only error is where the key is made.
impl<T: ?Sized> Kept<false, false> for T {
    type Owned = ();
}

/// An argument that cannot be a key.
pub trait NoArgs<T: ?Sized>: Sized {
    /// Does not compile.
    fn part(self, _argument: &T) -> &'static ()
    where
        T: Key,
    {
        &()
    }
}

impl<T: ?Sized> NoArgs<T> for &Probe<T> {}

/// The error for a type that cannot be a key. No type has this trait.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be part of a cache's key",
    label = "cannot be a cache key",
    note = "arguments need `Hash + Eq + Clone`, and no borrows inside: `#[derive(Clone, PartialEq, Eq, Hash)]`",
    note = "`f32` and `f64` are keys as well, also in slices, vectors and options, and in tuples with numbers, texts and paths",
    note = "leave an argument out of the key by `skip(…)`, or give the key by `key = (…)`, which only needs `Hash`"
)]
pub trait Key {}

impl<T: Exact + ?Sized> Probe<T> {
    /// Records a part of a key that the option `key` gives.
    #[inline]
    pub fn record(self, value: &T, to: &mut Recorded) {
        value.record(to);
    }
}

/// A part of a key that the option `key` gives, of a type of the user's.
pub trait Hashes<T: ?Sized>: Sized {
    /// Records what it hashes.
    #[inline]
    fn record(self, value: &T, to: &mut Recorded)
    where
        T: Hash,
    {
        value.hash(to);
    }
}

impl<T: ?Sized> Hashes<T> for &Probe<T> {}
