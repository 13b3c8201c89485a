//! What the code that the attributes write is made of. Not for anybody else: it changes with them.

mod cell;
mod floats;
mod outcome;
mod part;

pub use std::sync::LazyLock;

pub use cell::{MemoCell, place_of};
pub use floats::Floating;
pub use outcome::{NoResult, Outcome};
pub use part::{NoArgs, Part};

pub use crate::*;

/// Tells of a type, where it is named in full, what else it is.
///
/// A constant of the type itself goes before one of a trait, so that `Probe::<T>::IS_RESULT` is the former if `T` is a
/// `Result`, by whatever name, and the latter if not.
#[derive(Debug)]
pub struct Probe<T: ?Sized>(std::marker::PhantomData<T>);

/// What a persistent cache is called: the package, and the path of the function, which its companion has as well.
pub fn name_of<Companion>(package: Option<&str>) -> String {
    name(package, std::any::type_name::<Companion>())
}

/// The same of a method, which has no companion, from a closure inside of it: the path tells the type, and the trait.
pub fn name_around<Closure>(package: Option<&str>, _inside: &Closure) -> String {
    name(package, std::any::type_name::<Closure>())
}

fn name(package: Option<&str>, path: &str) -> String {
    format!("{} {}", package.unwrap_or_default(), path.trim_end_matches("::{{closure}}"))
}
