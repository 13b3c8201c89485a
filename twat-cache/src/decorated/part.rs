use std::hash::{Hash, Hasher};

use super::Probe;
use super::floats::{Floating, Floats, Owned};
use crate::{Args, hash_part};

/// An argument, as a part of a key: as it is, or, with floats in it, as one that can be compared.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be part of a cache's key",
    label = "cannot be a cache key",
    note = "arguments need `Hash + Eq + Clone` and no borrows inside; `f32` and `f64` will do, also in slices, vectors and options, and in tuples with numbers and texts",
    note = "leave an argument out of the key by `skip(…)`, or say what the key is by `key = (…)`, which only needs `Hash`"
)]
pub trait Part<const IS_ARGS: bool> {
    /// What is kept in the key of an entry.
    type Owned: Hash + Eq + Clone + Send + Sync + 'static;
    /// What is looked up.
    type Lookup<'a>: Args<Owned = Self::Owned>
    where
        Self: 'a;

    /// The argument as what is looked up.
    fn part(&self) -> Self::Lookup<'_>;
}

/// An argument that can be part of a key as it is.
#[derive(Debug)]
pub struct Plain<'a, T: ?Sized>(&'a T);

impl<T: Args + ?Sized> Hash for Plain<'_, T> {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        hash_part(self.0, state);
    }
}

impl<T: Args + ?Sized> Args for Plain<'_, T> {
    type Owned = T::Owned;

    #[inline]
    fn matches(&self, owned: &T::Owned) -> bool {
        self.0.matches(owned)
    }

    #[inline]
    fn to_key(&self) -> T::Owned {
        self.0.to_key()
    }
}

impl<T: Args + ?Sized> Part<true> for T {
    type Owned = T::Owned;
    type Lookup<'a>
        = Plain<'a, T>
    where
        T: 'a;

    #[inline]
    fn part(&self) -> Plain<'_, T> {
        Plain(self)
    }
}

impl<T: Floating + ?Sized> Part<false> for T {
    type Owned = Owned<T::Owned>;
    type Lookup<'a>
        = Floats<'a, T>
    where
        T: 'a;

    #[inline]
    fn part(&self) -> Floats<'_, T> {
        Floats(self)
    }
}

impl<T: Args + ?Sized> Probe<T> {
    /// It can be part of a key as it is.
    pub const IS_ARGS: bool = true;
}

/// For what cannot be part of a key as it is.
pub trait NoArgs {
    /// It cannot.
    const IS_ARGS: bool = false;
}

impl<T: ?Sized> NoArgs for Probe<T> {}
