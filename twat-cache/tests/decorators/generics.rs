//! A generic `impl`, and a default method of a trait, are functions of each type: types never share.

use std::hash::Hash;
use std::marker::PhantomData;
use std::path::PathBuf;

use twat_cache::{bcache, fcache, mcache, ucache};

fn dir() -> PathBuf {
    crate::dir("generics")
}

trait Named: Clone + Eq + Hash + Send + Sync + 'static {
    const NAME: &'static str;
}

/// Types that hash, and print, and are laid out alike.
#[derive(Clone, PartialEq, Eq, Hash)]
struct One;
#[derive(Clone, PartialEq, Eq, Hash)]
struct Other;

impl Named for One {
    const NAME: &'static str = "one";
}

impl Named for Other {
    const NAME: &'static str = "other";
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Wrapper<T>(PhantomData<T>);

impl<T: Named> Wrapper<T> {
    const THIS: Self = Self(PhantomData);

    #[mcache]
    fn associated(n: u32) -> String {
        format!("{}{n}", T::NAME)
    }

    #[mcache]
    fn method(&self, n: u32) -> String {
        format!("{}{n}", T::NAME)
    }

    #[mcache(skip(self))]
    fn skipped(&self, n: u32) -> String {
        format!("{}{n}", T::NAME)
    }

    #[mcache(key = n)]
    fn keyed(&self, n: u32) -> String {
        format!("{}{n}", T::NAME)
    }

    #[bcache(dir = dir())]
    fn on_disk(&self, n: u32) -> String {
        format!("{}{n}", T::NAME)
    }

    #[fcache(dir = dir())]
    fn in_a_file(&self, n: u32) -> String {
        format!("{}{n}", T::NAME)
    }

    #[ucache(dir = dir())]
    fn wherever(n: u32) -> String {
        format!("{}{n}", T::NAME)
    }

    #[mcache]
    async fn eventually(n: u32) -> String {
        format!("{}{n}", T::NAME)
    }
}

#[test]
fn a_generic_impl_keeps_types_apart() {
    fn all<T: Named>(wrapper: &Wrapper<T>) -> [String; 8] {
        [
            Wrapper::<T>::associated(1),
            wrapper.method(1),
            wrapper.skipped(1),
            wrapper.keyed(1),
            wrapper.on_disk(1),
            wrapper.in_a_file(1),
            Wrapper::<T>::wherever(1),
            futures_lite::future::block_on(Wrapper::<T>::eventually(1)),
        ]
    }
    for _ in 0..2 {
        assert_eq!(all(&Wrapper::<One>::THIS), [const { "one1" }; 8]);
        assert_eq!(all(&Wrapper::<Other>::THIS), [const { "other1" }; 8]);
    }
}

struct Matrix<const N: usize>;

impl<const N: usize> Matrix<N> {
    #[mcache]
    fn size(times: usize) -> usize {
        N * N * times
    }

    #[bcache(dir = dir(), skip(self))]
    fn size_on_disk(&self, times: usize) -> usize {
        N * N * times
    }
}

#[test]
fn numbers_as_parameters_keep_types_apart() {
    assert_eq!((Matrix::<2>::size(1), Matrix::<3>::size(1), Matrix::<2>::size(1)), (4, 9, 4));
    assert_eq!((Matrix::<2>.size_on_disk(1), Matrix::<3>.size_on_disk(1)), (4, 9));
}

trait Shape {
    fn sides() -> u32;

    #[mcache]
    fn total(count: u32) -> u32 {
        Self::sides() * count
    }

    #[bcache(dir = dir(), skip(self))]
    fn total_on_disk(&self, count: u32) -> u32 {
        Self::sides() * count
    }
}

struct Triangle;
struct Square;

impl Shape for Triangle {
    fn sides() -> u32 {
        3
    }
}

impl Shape for Square {
    fn sides() -> u32 {
        4
    }
}

#[test]
fn a_default_method_keeps_types_apart() {
    assert_eq!((Triangle::total(2), Square::total(2), Triangle::total(2)), (6, 8, 6));
    assert_eq!((Triangle.total_on_disk(2), Square.total_on_disk(2)), (6, 8));
}

#[derive(Clone, Copy)]
struct Borrowing<'a>(&'a str);

impl<'a> Borrowing<'a> {
    #[mcache(key = self.0)]
    fn length(&self) -> usize {
        self.0.len()
    }

    #[mcache(skip(self))]
    fn other(self, text: &'a str) -> usize {
        text.len()
    }
}

impl Borrowing<'_> {
    #[mcache]
    fn associated(text: &str) -> usize {
        text.len()
    }
}

#[test]
fn a_type_with_a_lifetime_may_say_what_its_key_is() {
    let text = String::from("text");
    let borrowing = Borrowing(&text);
    assert_eq!((borrowing.length(), borrowing.other(&text), Borrowing::associated(&text)), (4, 4, 4));
    assert_eq!(Borrowing("longer").length(), 6);
}
