//! What the code that the attributes write is made of. Not for anybody else: it changes with them.

mod cell;
mod floats;
mod outcome;
mod part;
mod recorded;

pub use std::sync::OnceLock;

pub use cell::{MemoCell, place_of};
pub use floats::Floating;
pub use outcome::{NoResult, Outcome};
pub use part::{NoArgs, Part};
pub use recorded::Recorded;

pub use crate::*;

/// Tells of a type, where it is named in full, what else it is.
///
/// A constant of the type itself goes before one of a trait, so that `Probe::<T>::IS_RESULT` is the former if `T` is a
/// `Result`, by whatever name, and the latter if not.
#[derive(Debug)]
pub struct Probe<T: ?Sized>(std::marker::PhantomData<T>);

/// What a function is compiled for.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// The package.
    pub package: Option<&'static str>,
    /// A program or an example in it.
    pub program: Option<&'static str>,
}

/// What a persistent cache is called: the package, and the path of the function, which its companion has as well.
pub fn name_of<Companion>(target: Target) -> String {
    name(target, std::any::type_name::<Companion>())
}

/// The same of a method, which has no companion, from a closure inside of it: the path tells the type, and the trait.
pub fn name_around<Closure>(target: Target, _inside: &Closure) -> String {
    name(target, std::any::type_name::<Closure>())
}

fn name(Target { package, program }: Target, path: &str) -> String {
    let path = path.trim_end_matches("::{{closure}}");
    [package, program, Some(path)].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_and_the_program_of_a_package_have_names_of_their_own() {
        struct Companion;
        let library = Target { package: Some("package"), program: None };
        let program = Target { program: Some("package"), ..library };
        let [ours, theirs] = [library, program].map(name_of::<Companion>);
        assert!(ours.starts_with("package ") && ours.ends_with("::Companion"), "{ours}");
        assert_ne!(ours, theirs);
        assert!(!name_around(library, &|| ()).contains("closure"));
    }
}
