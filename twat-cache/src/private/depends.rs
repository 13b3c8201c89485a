use std::any::TypeId;
use std::hash::Hash;

#[cfg(any(feature = "disk", feature = "shared", feature = "file", feature = "remote", feature = "ucache"))]
use twat_cache_core::persist::{CacheValue, Shape};

use super::{Probe, Recorded};

/// A decorated function. Its companion has this trait.
pub trait Function: 'static {
    /// The fingerprint of its source.
    const FINGERPRINT: u128;

    /// Adds what its results depend on: its version, and what it states itself.
    fn describe(to: &mut Dependencies) {
        to.add(&Self::FINGERPRINT);
    }
}

/// What the results of a function depend on besides its own source. It is a part of the version.
#[derive(Debug, Default)]
pub struct Dependencies {
    /// The functions that are in it. Functions may depend on each other.
    seen: Vec<TypeId>,
    recorded: Recorded,
}

impl Dependencies {
    /// Adds a version, or the description of a type.
    pub fn add(&mut self, part: &(impl Hash + ?Sized)) {
        part.hash(&mut self.recorded);
    }
}

/// Collects what a function depends on.
pub fn dependencies(describe: impl FnOnce(&mut Dependencies)) -> Recorded {
    let mut dependencies = Dependencies::default();
    describe(&mut dependencies);
    dependencies.recorded
}

impl<F: Function> Probe<F> {
    /// Adds a function and what it depends on.
    pub fn depend(self, to: &mut Dependencies) {
        let function = TypeId::of::<F>();
        if let Some(number) = to.seen.iter().position(|seen| *seen == function) {
            to.add(&number);
        } else {
            to.seen.push(function);
            F::describe(to);
        }
    }
}

/// A type of values, whose shape is known.
#[cfg(any(feature = "disk", feature = "shared", feature = "file", feature = "remote", feature = "ucache"))]
pub trait HasShape<V>: Sized {
    /// Adds the shape of the type.
    fn depend(self, to: &mut Dependencies)
    where
        V: CacheValue,
    {
        to.add(Shape::of::<V>().as_str());
    }
}

#[cfg(any(feature = "disk", feature = "shared", feature = "file", feature = "remote", feature = "ucache"))]
impl<V: CacheValue> HasShape<V> for Probe<V> {}

/// Neither a function nor a type of values.
pub trait NoDependency<T: ?Sized>: Sized {
    /// Does not compile.
    fn depend(self, _to: &mut Dependencies)
    where
        T: Described,
    {
    }
}

impl<T: ?Sized> NoDependency<T> for &Probe<T> {}

/// The error for what nothing can depend on. No type has this trait.
#[diagnostic::on_unimplemented(
    message = "nothing can depend on `{Self}`",
    label = "neither a decorated function nor a `CacheValue`",
    note = "`depends(…)` takes functions that have an attribute of this crate, by the path of their companion, and types that are \
            `CacheValue`"
)]
pub trait Described {}
