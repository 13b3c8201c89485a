//! What the code that the attributes write is made of. It changes with them, so nobody else may use it.

mod cell;
mod exact;
mod outcome;
mod part;
mod recorded;

use std::marker::PhantomData;
pub use std::option::Option;
pub use std::sync::OnceLock;

pub use cell::{MemoCell, instance_of};
pub use outcome::Outcome;
pub use part::{Kept, Key};
pub use recorded::Recorded;

#[cfg(feature = "ucache")]
pub use crate::ucache::{UnifiedStore, ucache};
pub use twat_cache_core::{Args, Call, Memo};
#[cfg(feature = "disk")]
pub use twat_cache_disk::{DiskFallback, bcache};
#[cfg(feature = "file")]
pub use twat_cache_file::{FileFallback, View, fcache};
#[cfg(feature = "mem")]
pub use twat_cache_mem::{MemStore, mcache};

use twat_cache_core::Namespace;

/// The result of a function of a companion.
pub type Result<T> = std::result::Result<T, crate::Error>;

/// Answers questions about a type.
///
/// The compiler chooses the answer where the code is written, also for a type that is a parameter there. It takes the first that
/// it finds: what `Probe<T>` itself has, what it has of a trait, what `&Probe<T>` has.
#[derive(Debug)]
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

/// The answers about a type that has no others.
pub trait Nothing {
    /// It is no `Result`.
    const RESULT: bool = false;
    /// Its `Eq` and `Hash` compare it exactly, or it has none.
    const EXACT: bool = false;
    /// It cannot be a key.
    const ARGS: bool = false;
}

impl<T: ?Sized> Nothing for Probe<T> {}

/// What code needs that asks about types, by names that nobody else has.
pub mod by_type {
    pub use super::outcome::{NoResult as _, OwnError as _};
    pub use super::part::{Hashes as _, IsArgs as _, NoArgs as _};
    pub use super::{Nothing as _, Probe as __Is, probe as __is};
}

/// The name of a persistent cache: the package and the program, and the path of the function, which is that of its companion.
pub fn name_of<Companion: ?Sized>(target: &str, ordinal: usize) -> String {
    name(target, ordinal, std::any::type_name::<Companion>())
}

/// The same for a method. It has no companion, so this is the path of a closure in it, which tells the type and the trait.
pub fn name_around<Closure>(target: &str, ordinal: usize, _inside: &Closure) -> String {
    let path = std::any::type_name::<Closure>();
    let name = name(target, ordinal, path.trim_end_matches("::{{closure}}"));
    if !path.contains('<') {
        return name;
    }
    // The names of types in the path leave out blocks, and all types of an `impl` have one ordinal.
    format!("{name} {}", Namespace::from_secret([0; 16]).digest(&typeid::of::<Closure>()))
}

/// Paths leave out blocks, so the ordinal tells functions of one path apart.
fn name(target: &str, ordinal: usize, path: &str) -> String {
    if ordinal == 0 { format!("{target}{path}") } else { format!("{target}{path} #{ordinal}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_the_target_the_path_and_the_ordinal() {
        struct Companion;
        let path = format!("{}::a_name_tells_the_target_the_path_and_the_ordinal", module_path!());
        assert_eq!(name_of::<Companion>("package ", 0), format!("package {path}::Companion"));
        assert_eq!(name_around("package program ", 2, &|| ()), format!("package program {path} #2"));
    }
}
