use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ffi::{OsStr, OsString};
use std::hash::{Hash, Hasher as _};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::recorded::Recorded;

/// A type whose values can be recorded exactly.
///
/// A function can tell 0.0 from -0.0, and `a/b` from `a//b`. `Eq` and `Hash` of `std` cannot, or do not exist.
pub trait Exact {
    /// Whether `Eq` and `Hash` of this type are inexact.
    type Inexact: Inexact;

    /// Records all that a function can tell of this value.
    fn record(&self, to: &mut Recorded);
}

/// Records this value exactly.
#[inline]
pub(super) fn recorded<T: Exact + ?Sized>(value: &T) -> Recorded {
    let mut recorded = Recorded::default();
    value.record(&mut recorded);
    recorded
}

/// An answer about a type.
pub trait Inexact {
    /// The answer about a container of this type and of what `Rest` is about.
    type And<Rest: Inexact>: Inexact;
}

/// `Eq` and `Hash` are exact.
#[derive(Debug)]
pub struct No;
/// They are not, but the bytes of a path are.
#[derive(Debug)]
pub struct ItsBytes;
/// They are not.
#[derive(Debug)]
pub struct Yes;

impl Inexact for No {
    type And<Rest: Inexact> = Rest;
}

impl Inexact for ItsBytes {
    type And<Rest: Inexact> = Yes;
}

impl Inexact for Yes {
    type And<Rest: Inexact> = Yes;
}

/// Implements [`Exact`] for types: `[parameters] types => whether they are inexact, how to record one`.
macro_rules! exact {
    (@ [$($parameters:tt)*] $exact:ty => $inexact:ty, |$this:ident, $to:ident| $record:expr) => {
        impl<$($parameters)*> Exact for $exact {
            type Inexact = $inexact;

            #[inline]
            fn record(&self, $to: &mut Recorded) {
                let $this = self;
                $record;
            }
        }
    };
    ($($parameters:tt $($exact:ty),+ => $inexact:ty, |$this:ident, $to:ident| $record:expr;)+) => {
        $($(exact!(@ $parameters $exact => $inexact, |$this, $to| $record);)+)+
    };
}

/// The answer about a container of these types.
type Among<T, Rest = No> = <<T as Exact>::Inexact as Inexact>::And<Rest>;

exact! {
    [] f32, f64 => Yes, |float, to| float.to_bits().hash(to);
    [] Path, PathBuf => ItsBytes, |path, to| path.as_os_str().hash(to);
    [] u8, u16, u32, u64, u128, usize, i8, i16, i32, i64, i128, isize, bool, char, () => No, |value, to| value.hash(to);
    [] str, String, OsStr, OsString, Duration, SystemTime => No, |value, to| value.hash(to);
    [T: Exact + ?Sized] &T, Box<T>, Rc<T>, Arc<T> => Among<T>, |pointer, to| (**pointer).record(to);
    [T: Exact + ToOwned + ?Sized] Cow<'_, T> => Among<T>, |cow, to| (**cow).record(to);
    [T: Exact] [T] => Among<T>, |slice, to| record_parts(slice.iter(), to);
    [T: Exact] Vec<T> => Among<T>, |vector, to| vector[..].record(to);
    [T: Exact, const N: usize] [T; N] => Among<T>, |array, to| array[..].record(to);
    [T: Exact] Option<T>, VecDeque<T>, BTreeSet<T> => Among<T>, |parts, to| record_parts(parts.iter(), to);
    [K: Exact, V: Exact] BTreeMap<K, V> => Among<K, Among<V>>, |parts, to| record_parts(parts.iter(), to);
}

/// Records how many parts there are, and each of them.
fn record_parts<T: Exact>(parts: impl ExactSizeIterator<Item = T>, to: &mut Recorded) {
    to.write_usize(parts.len());
    parts.for_each(|part| part.record(to));
}

macro_rules! tuples {
    () => {};
    ($first:ident $($rest:ident)*) => {
        #[allow(non_snake_case, reason = "a type parameter's name is its value's")]
        impl<$first: Exact, $($rest: Exact),*> Exact for ($first, $($rest,)*) {
            type Inexact = tuples!(@ $first $($rest)*);

            #[inline]
            fn record(&self, to: &mut Recorded) {
                let ($first, $($rest,)*) = self;
                $first.record(to);
                $($rest.record(to);)*
            }
        }

        tuples!($($rest)*);
    };
    (@) => { No };
    (@ $first:ident $($rest:ident)*) => { Among<$first, tuples!(@ $($rest)*)> };
}

tuples!(A B C D E F G H I J K L);

#[cfg(test)]
mod tests {
    use super::super::{Probe, by_type::*, probe};
    use super::*;

    fn same<T: Exact + ?Sized>(one: &T, other: &T) -> bool {
        recorded(one) == recorded(other)
    }

    #[test]
    fn floats_are_their_bits_at_any_depth() {
        let other_nan = f64::from_bits(f64::NAN.to_bits() ^ 1);
        assert!(same(&f64::NAN, &f64::NAN) && same(&1.5_f32, &1.5));
        assert!(!same(&0.0, &-0.0) && !same(&f64::NAN, &other_nan) && !same(&f64::NAN, &-f64::NAN));
        assert!(!same(&[0.0][..], &[-0.0]) && !same(&[1.0][..], &[1.0, 2.0]));
        assert!(!same(&Some(0.0), &Some(-0.0)) && !same(&Some(0.0), &None) && same(&None::<f32>, &None));
        assert!(!same(&(1_u32, 0.0, true), &(1, -0.0, true)) && !same(&(1_u32, 0.0), &(2, 0.0)));
        assert!(!same(&vec![Some((Box::new(0.0_f32), "x"))], &vec![Some((Box::new(-0.0), "x"))]));
        assert!(!same(&BTreeMap::from([(1, 0.0)]), &BTreeMap::from([(1, -0.0)])));
    }

    #[test]
    fn paths_are_their_bytes_at_any_depth() {
        let paths = ["a/b", "a//b", "a/b/", "/a/b", "a/./b"].map(Path::new);
        for (index, one) in paths.iter().enumerate() {
            for other in &paths[index + 1..] {
                assert!(!same(*one, *other) && same::<&Path>(one, &&*one.to_path_buf()));
                assert!(!same(&vec![(one.to_path_buf(), 1)], &vec![(other.to_path_buf(), 1)]));
                assert!(!same(&Some(Cow::Borrowed(*one)), &Some(Cow::Borrowed(*other))));
            }
        }
    }

    #[test]
    fn parts_do_not_run_together() {
        assert!(!same(&("a", "bc"), &("ab", "c")));
        assert!(!same(&vec![vec![1.0], vec![]], &vec![vec![], vec![1.0]]));
        assert!(!same(&vec![OsStr::new("a"), OsStr::new("bc")], &vec![OsStr::new("ab"), OsStr::new("c")]));
    }

    #[test]
    fn only_what_has_floats_or_paths_inside_is_recorded() {
        let _: &str = probe::<str>().part("text");
        let _: &(u8, Option<Vec<u8>>) = probe::<(u8, Option<Vec<u8>>)>().part(&(1, Some(vec![2])));
        let _: &OsStr = probe::<Path>().part(Path::new("a"));
        let _: Recorded = probe::<(u8, f32)>().part(&(1, 0.5));
        let _: Recorded = probe::<[Option<PathBuf>]>().part(&[Some(PathBuf::new())]);
        const { assert!(Probe::<[(u8, f32)]>::EXACT && Probe::<Box<Path>>::EXACT) };
        const { assert!(!Probe::<(u8, String)>::EXACT && Probe::<(u8, String)>::ARGS) };
    }
}
