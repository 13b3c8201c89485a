//! What the code that the attributes write is made of. It changes with them, so nobody else may use it.

mod cell;
#[cfg(any(feature = "disk", feature = "shared", feature = "file", feature = "remote", feature = "ucache"))]
mod codec;
mod depends;
mod exact;
mod outcome;
mod part;
mod recorded;
mod rules;
#[cfg(feature = "file")]
mod view;

pub use std::marker::PhantomData;
pub use std::option::Option;
pub use std::sync::OnceLock;

pub use cell::{MemoCell, instance_of};
#[cfg(any(feature = "disk", feature = "shared", feature = "file", feature = "remote", feature = "ucache"))]
pub use codec::{Encoded, Encodes, Storable, StorableBySerde};
pub use depends::{Dependencies, Function, dependencies};
pub use outcome::Outcome;
pub use part::{Kept, Key};
pub use recorded::Recorded;
pub use rules::{evicted, owned_of};
#[cfg(feature = "file")]
pub use view::Views;

#[cfg(feature = "ucache")]
pub use crate::ucache::{UnifiedStore, ucache};
#[cfg(any(feature = "disk", feature = "shared", feature = "file", feature = "remote", feature = "ucache"))]
pub use twat_cache_core::persist::CacheValue;
#[cfg(all(
    feature = "serde",
    any(feature = "disk", feature = "shared", feature = "file", feature = "remote", feature = "ucache")
))]
pub use twat_cache_core::persist::SerdeValue;
pub use twat_cache_core::{Args, Call, Memo, Ruled};
#[cfg(feature = "disk")]
pub use twat_cache_disk::{DiskFallback, bcache};
#[cfg(feature = "file")]
pub use twat_cache_file::{FileFallback, View, fcache};
#[cfg(feature = "mem")]
pub use twat_cache_mem::{MemStore, mcache};
#[cfg(feature = "remote")]
pub use twat_cache_remote::{NearStore, Standby, rcache};
#[cfg(feature = "shared")]
pub use twat_cache_shared::{SharedFallback, scache};

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
    /// rkyv cannot store it.
    const CACHE_VALUE: bool = false;
    /// serde cannot store it.
    const SERDE: bool = false;
}

impl<T: ?Sized> Nothing for Probe<T> {}

/// What code needs that asks about types, by names that nobody else has.
pub mod by_type {
    #[cfg(all(
        feature = "serde",
        any(feature = "disk", feature = "shared", feature = "file", feature = "remote", feature = "ucache")
    ))]
    pub use super::codec::BySerde as _;
    #[cfg(any(feature = "disk", feature = "shared", feature = "file", feature = "remote", feature = "ucache"))]
    pub use super::codec::{Encodes as _, NoCodec as _};
    #[cfg(any(feature = "disk", feature = "shared", feature = "file", feature = "remote", feature = "ucache"))]
    pub use super::depends::HasShape as _;
    pub use super::depends::NoDependency as _;
    pub use super::outcome::{NoResult as _, OwnError as _};
    pub use super::part::{Hashes as _, IsArgs as _, NoArgs as _};
    pub use super::rules::ItselfStored as _;
    pub use super::{Nothing as _, Probe as __Is, probe as __is};
}

/// The name of a persistent cache: the package and the program, and the path of the function, which is that of its companion.
pub fn name_of<Companion: ?Sized>(target: &str, ordinal: usize) -> String {
    name(target, ordinal, std::any::type_name::<Companion>())
}

/// The same for a function without a companion. This is the path of a closure in it, which tells the types of this instance.
pub fn name_around<Closure>(target: &str, ordinal: usize, inside: &Closure) -> String {
    name_of_instance(target, ordinal, path_around(inside), inside)
}

/// The same for the method of this name beside the function that the closure is in.
pub fn name_beside<Closure>(target: &str, ordinal: usize, method: &str, inside: &Closure) -> String {
    let parent = path_around(inside).rsplit_once("::").map_or("", |(parent, _)| parent);
    name_of_instance(target, ordinal, &format!("{parent}::{method}"), inside)
}

/// A name that is given, for a function that may have several instances. They share no results, so it tells their types.
pub fn name_given<Closure>(name: impl Into<String>, inside: &Closure) -> String {
    let (name, path) = (name.into(), path_around(inside));
    path.find('<')
        .map_or_else(|| name.clone(), |start| with_types(&format!("{name} {}", &path[start..]), &path[start..], inside))
}

/// The path of the function that a closure is in.
fn path_around<Closure>(_inside: &Closure) -> &'static str {
    std::any::type_name::<Closure>().trim_end_matches("::{{closure}}")
}

fn name_of_instance<Closure>(target: &str, ordinal: usize, path: &str, inside: &Closure) -> String {
    let name = name(target, ordinal, path);
    path.find('<').map_or_else(|| name.clone(), |start| with_types(&name, &path[start..], inside))
}

/// A name with the names of types in it. If other types may have these names, it gets a number.
fn with_types<Closure>(name: &str, types: &str, _inside: &Closure) -> String {
    if is_unique(types) {
        return name.to_owned();
    }
    // This number changes with the compiler.
    format!("{name} {}", Namespace::from_secret([0; 16]).digest(&typeid::of::<Closure>()))
}

/// Whether no other types have these names. Names leave out blocks, and all instances have one ordinal. Only the standard library
/// has no types in blocks that anybody sees.
fn is_unique(names: &str) -> bool {
    let is_part = |sign: char| sign.is_alphanumeric() || matches!(sign, '_' | ':' | '{' | '}' | '#');
    let mut names = names.split(|sign| !is_part(sign)).map(|name| name.strip_prefix("::").unwrap_or(name));
    names.all(|name| !name.contains("::") || ["core::", "alloc::", "std::"].iter().any(|known| name.starts_with(known)))
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

    #[test]
    fn only_names_of_the_standard_library_and_of_primitive_types_are_unique() {
        for unique in ["<u32>", "<3>", "<[core::option::Option<&str>; 2], dyn core::fmt::Debug>", "<()>::method"] {
            assert!(is_unique(unique), "{unique}");
        }
        for other in ["<a::Type>", "<alloc::vec::Vec<a::Type>>", "<a::b::{{closure}}>", "<u32 as a::Trait>::method"] {
            assert!(!is_unique(other), "{other}");
        }
    }
}
