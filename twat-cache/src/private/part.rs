use std::ffi::{OsStr, OsString};
use std::hash::Hash;
use std::path::{Path, PathBuf};

use super::exact::{Exact, Yes};
use super::{Probe, Recorded, Recorder};
use crate::Args;

/// What is kept of an argument in the key of an entry. The parameters say which argument it is, for the compiler does not
/// let one type be more than one of them.
pub trait Kept<const IS_EXACT: bool, const IS_ARGS: bool> {
    /// The type.
    type Owned;
}

/// What has floats or paths inside is recorded, to the last bit.
impl<T: Exact<Inexact = Yes> + ?Sized, const IS_ARGS: bool> Kept<true, IS_ARGS> for T {
    type Owned = Recorded;
}

impl<T: Exact<Inexact = Yes> + ?Sized> Probe<T> {
    /// It is told apart to the last bit.
    pub const EXACT: bool = true;

    /// The part of a key that this argument is.
    #[inline]
    pub fn part(self, argument: &T) -> Recorded {
        Recorded::exactly(argument)
    }
}

/// A path is the text that it was made of.
macro_rules! paths {
    ($($path:ty),+) => {
        $(
            impl<const IS_ARGS: bool> Kept<true, IS_ARGS> for $path {
                type Owned = OsString;
            }

            #[allow(clippy::ptr_arg, reason = "it is the type that is asked about")]
            impl Probe<$path> {
                /// It is told apart to the last bit.
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

/// What is a key by itself is that key.
impl<T: Args + ?Sized> Kept<false, true> for T {
    type Owned = T::Owned;
}

impl<T: Args + ?Sized> Probe<T> {
    /// It is a key by itself.
    pub const ARGS: bool = true;
}

/// For what is a key by itself.
pub trait IsArgs<T: ?Sized>: Sized {
    /// The part of a key that this argument is.
    #[inline]
    fn part(self, argument: &T) -> &T {
        argument
    }
}

impl<T: Args + ?Sized> IsArgs<T> for Probe<T> {}

impl<T: Exact + ?Sized> Probe<T> {
    /// Records it as a part of a key that is given.
    #[inline]
    pub fn record(self, value: &T, to: &mut Recorder) {
        value.record(to);
    }
}

/// For what only `Hash` tells apart, where a key is given.
pub trait Hashes<T: ?Sized>: Sized {
    /// Records it as a part of a key.
    #[inline]
    fn record(self, value: &T, to: &mut Recorder)
    where
        T: Hash,
    {
        value.hash(to);
    }
}

impl<T: ?Sized> Hashes<T> for &Probe<T> {}

/// What can be no key has a type for it all the same, so that the only error is where the key is made.
impl<T: ?Sized> Kept<false, false> for T {
    type Owned = ();
}

/// For what can be no key.
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

/// What is said of a type that can be no key. No type has this trait.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be part of a cache's key",
    label = "cannot be a cache key",
    note = "arguments need `Hash + Eq + Clone`, and no borrows inside: `#[derive(Clone, PartialEq, Eq, Hash)]`",
    note = "`f32` and `f64` will do, also in slices, vectors and options, and in tuples with numbers, texts and paths",
    note = "leave an argument out of the key by `skip(…)`, or say what the key is by `key = (…)`, which only needs `Hash`"
)]
pub trait Key {}
