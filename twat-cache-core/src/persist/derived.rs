//! What the code that `#[derive(CacheValue)]` writes is made of. It changes with it, so nobody else may use it.

use std::fmt;
use std::marker::PhantomData;

pub use rkyv;

pub use super::{CacheValue, Shape, Whole};

/// The type itself, if it is as its derive needs it.
///
/// The derive writes the types of fields like this. If a type is not as it should be, the constant that says so is an error,
/// and the compiler does not tell any other error about a type that is made of it. Otherwise the reader would get thirty.
pub trait Checked<const IS_FINE: bool> {
    /// The type itself.
    type Type;
}

impl<T> Checked<true> for T {
    type Type = T;
}

/// Compiles if `V` is a [`CacheValue`].
pub const fn is_value<V: CacheValue>() -> bool {
    true
}

/// Compiles if rkyv can archive `V`.
pub const fn is_archived<V: rkyv::Archive>() -> bool {
    true
}

/// Describes a type if it is a [`CacheValue`]. The derive cannot know that of a field that has another form on disk.
///
/// The compiler takes the method of the type itself if there is one, and else that of [`AskNothing`].
pub struct Ask<T>(PhantomData<fn(&T)>);

impl<T> Ask<T> {
    /// A question about this type.
    pub const NEW: Self = Self(PhantomData);
}

impl<T: CacheValue> Ask<T> {
    /// Adds the shape of the type.
    pub fn describe(self, shape: &mut Shape) {
        shape.part::<T>();
    }
}

/// The answer about a type that is no [`CacheValue`].
pub trait AskNothing: Sized {
    /// Adds nothing.
    fn describe(self, _: &mut Shape) {}
}

impl<T> AskNothing for Ask<T> {}

impl<T> fmt::Debug for Ask<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ask")
    }
}
