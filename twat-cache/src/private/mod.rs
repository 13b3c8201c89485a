//! What the code that the attributes write is made of. Not for anybody else: it changes with them.

mod cell;
mod exact;
mod outcome;
mod part;
mod recorded;

use std::fmt;
use std::marker::PhantomData;
pub use std::option::Option;
pub use std::sync::OnceLock;

pub use cell::{MemoCell, place_of};
pub use exact::Exact;
pub use outcome::Outcome;
pub use part::{Kept, Key};
pub use recorded::{Recorded, Recorder};

#[cfg(feature = "ucache")]
pub use crate::ucache::{UnifiedStore, ucache};
pub use twat_cache_core::{Args, Call, Memo};
#[cfg(feature = "disk")]
pub use twat_cache_disk::{DiskFallback, bcache};
#[cfg(feature = "file")]
pub use twat_cache_file::{FileFallback, View, fcache};
#[cfg(feature = "mem")]
pub use twat_cache_mem::{MemStore, mcache};

use twat_cache_core::{Error, Namespace};

/// What the controls give that may fail.
pub type Answer<T> = Result<T, Error>;

/// A copy, by `Clone`, whatever else is called so where the code is written.
#[inline]
pub fn clone<T: Clone>(value: &T) -> T {
    value.clone()
}

/// Tells of a type, where it is named in full, what else it is.
///
/// What the compiler finds first is right: what `Probe<T>` itself has, then what it has of a trait, then what `&Probe<T>` has.
/// This is decided where the code is written, also of types that are parameters there.
pub struct Probe<T: ?Sized>(PhantomData<fn(&T)>);

/// Asks about a type.
#[inline]
pub fn probe<T: ?Sized>() -> Probe<T> {
    Probe(PhantomData)
}

/// Asks about the type of a value.
#[inline]
pub fn probe_of<T: ?Sized>(_value: &T) -> Probe<T> {
    Probe(PhantomData)
}

impl<T: ?Sized> fmt::Debug for Probe<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Probe")
    }
}

/// What a [`Probe`] says of a type that has nothing to say itself.
pub trait Nothing {
    /// It is no `Result`.
    const RESULT: bool = false;
    /// It is told apart by `Eq` and `Hash`, if at all.
    const EXACT: bool = false;
    /// It is no key by itself.
    const ARGS: bool = false;
}

impl<T: ?Sized> Nothing for Probe<T> {}

/// What it takes to ask, by names that nobody else has.
pub mod by_type {
    pub use super::outcome::{NoResult as _, OwnError as _};
    pub use super::part::{Hashes as _, IsArgs as _, NoArgs as _};
    pub use super::{Nothing as _, Probe as __Is, probe as __is};
}

/// What a function is compiled for.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// The package.
    pub package: Option<&'static str>,
    /// A program or an example in it.
    pub program: Option<&'static str>,
}

/// What a persistent cache is called: the package, and the path of the function, which its companion has as well.
pub fn name_of<Companion: ?Sized>(target: Target, ordinal: usize) -> String {
    name(target, ordinal, std::any::type_name::<Companion>())
}

/// The same of a method, which has no companion, from a closure inside of it: the path tells the type, and the trait.
pub fn name_around<Closure>(target: Target, ordinal: usize, _inside: &Closure) -> String {
    let path = std::any::type_name::<Closure>();
    // The names of types in it leave out blocks, and there is one ordinal for all types.
    let types = path.contains('<').then(|| Namespace::from_secret([0; 16]).digest(&typeid::of::<Closure>()));
    let name = name(target, ordinal, path);
    types.map_or(name.clone(), |types| format!("{name} {types}"))
}

/// A path leaves out blocks: the ordinal tells apart what may have one path.
fn name(Target { package, program }: Target, ordinal: usize, path: &str) -> String {
    let path = path.trim_end_matches("::{{closure}}");
    let ordinal = (ordinal > 0).then(|| format!("#{ordinal}"));
    [package, program, Some(path), ordinal.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_and_the_program_of_a_package_have_names_of_their_own() {
        struct Companion;
        let library = Target { package: Some("package"), program: None };
        let program = Target { program: Some("package"), ..library };
        let [ours, theirs] = [library, program].map(|target| name_of::<Companion>(target, 0));
        assert!(ours.starts_with("package ") && ours.ends_with("::Companion"), "{ours}");
        assert_ne!(ours, theirs);
        assert!(!name_around(library, 0, &|| ()).contains("closure"));
    }
}
