//! A generic `impl`, and a default method of a trait, are functions of each type: types never share.

use std::fmt::Debug;
use std::hash::Hash;
use std::marker::PhantomData;
use std::path::PathBuf;

use twat_cache::{bcache, fcache, mcache, rcache, scache, ucache};
use twat_cache_core::testing::PATIENCE;

fn dir() -> PathBuf {
    crate::dir("generics")
}

trait Named: Clone + Eq + Hash + Send + Sync + 'static {
    const NAME: &'static str;
}

/// Types that have the same hash, `Debug` text and layout.
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

    #[scache(dir = dir())]
    fn shared(&self, n: u32) -> String {
        format!("{}{n}", T::NAME)
    }

    #[fcache(dir = dir())]
    fn in_a_file(&self, n: u32) -> String {
        format!("{}{n}", T::NAME)
    }

    #[rcache(server = crate::server(), timeout = PATIENCE)]
    fn remote(&self, n: u32) -> String {
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
    fn all<T: Named>(wrapper: &Wrapper<T>) -> [String; 10] {
        [
            Wrapper::<T>::associated(1),
            wrapper.method(1),
            wrapper.skipped(1),
            wrapper.keyed(1),
            wrapper.on_disk(1),
            wrapper.shared(1),
            wrapper.in_a_file(1),
            wrapper.remote(1),
            Wrapper::<T>::wherever(1),
            futures_lite::future::block_on(Wrapper::<T>::eventually(1)),
        ]
    }
    for _ in 0..2 {
        assert_eq!(all(&Wrapper::<One>::THIS), [const { "one1" }; 10]);
        assert_eq!(all(&Wrapper::<Other>::THIS), [const { "other1" }; 10]);
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
fn const_parameters_keep_types_apart() {
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

/// Results and arguments whose types have the parameters of the `impl` in them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Of<T>(T);

impl<T: Clone + Debug + Eq + Hash + Send + Sync + 'static> Of<T> {
    #[mcache]
    fn option(&self, n: usize) -> Option<T> {
        (n > 0).then(|| self.0.clone())
    }

    #[mcache]
    fn itself(&self) -> Self {
        self.clone()
    }

    #[mcache]
    fn parameter(&self) -> T {
        self.0.clone()
    }

    #[mcache]
    fn result(&self, n: usize) -> Result<T, String> {
        if n == 0 { Err(format!("none of {:?}", self.0)) } else { Ok(self.0.clone()) }
    }

    #[mcache]
    fn error(&self, n: usize) -> Result<usize, T> {
        if n == 0 { Err(self.0.clone()) } else { Ok(n) }
    }

    #[mcache(skip(self))]
    fn reference(&self, other: &T, owned: T, list: &[T]) -> (T, usize) {
        assert_eq!(*other, owned);
        (owned, list.len())
    }

    #[mcache]
    fn nested(self, inside: (T, Option<Vec<T>>)) -> Vec<(T, Option<Vec<T>>)> {
        vec![inside]
    }

    #[mcache]
    async fn eventually(&self, other: &T) -> Result<(T, T), Of<T>> {
        futures_lite::future::yield_now().await;
        Ok((self.0.clone(), other.clone()))
    }
}

#[test]
fn types_of_arguments_and_results_may_have_parameters() {
    fn all<T: Clone + Debug + Eq + Hash + Send + Sync + 'static>(of: &T, other: &T) {
        let this = Of(of.clone());
        for _ in 0..2 {
            assert_eq!((this.option(0), this.option(1)), (None, Some(of.clone())));
            assert_eq!((this.itself(), this.parameter()), (this.clone(), of.clone()));
            assert_eq!((this.result(0).is_err(), this.result(1)), (true, Ok(of.clone())));
            assert_eq!((this.error(0), this.error(1)), (Err(of.clone()), Ok(1)));
            assert_eq!(this.reference(other, other.clone(), std::slice::from_ref(of)), (other.clone(), 1));
            assert_eq!(this.clone().nested((other.clone(), None)), [(other.clone(), None)]);
            let eventually = futures_lite::future::block_on(this.eventually(other));
            assert_eq!(eventually, Ok((of.clone(), other.clone())));
        }
    }
    all(&1_u8, &2);
    all(&String::from("one"), &String::from("other"));
    // An error is not cached. A value whose type parameter only looks like a `Result` is cached.
    all(&Some(1), &None);
}

struct Array<const N: usize>;

impl<const N: usize> Array<N> {
    #[mcache]
    fn filled(with: u8) -> [u8; N]
    where
        Self: Sized,
    {
        [with; N]
    }

    #[bcache(dir = dir(), skip(self))]
    fn repeated(&self, array: &[u8; N]) -> Vec<u8> {
        array.repeat(2)
    }
}

#[test]
fn the_length_of_an_array_may_be_a_parameter() {
    assert_eq!((Array::<2>::filled(1), Array::<3>::filled(1)), ([1; 2], [1; 3]));
    assert_eq!((Array::<2>.repeated(&[1, 2]), Array::<1>.repeated(&[1])), (vec![1, 2, 1, 2], vec![1, 1]));
}

trait Doubled: Clone + Eq + Hash + Send + Sync + 'static {
    type Twice: Clone + Send + Sync + 'static;

    fn twice(&self) -> Self::Twice;

    #[mcache]
    fn doubled(&self) -> Self::Twice {
        self.twice()
    }

    #[mcache]
    fn perhaps(self, n: u32) -> Option<Self> {
        (n > 0).then_some(self)
    }
}

impl Doubled for u8 {
    type Twice = u16;

    fn twice(&self) -> u16 {
        u16::from(*self) * 2
    }
}

impl Doubled for String {
    type Twice = Result<Self, ()>;

    fn twice(&self) -> Result<Self, ()> {
        Ok(self.repeat(2))
    }
}

#[test]
fn a_default_method_may_return_an_associated_type() {
    for _ in 0..2 {
        assert_eq!((200_u8.doubled(), String::from("ab").doubled()), (400, Ok("abab".into())));
        assert_eq!((1_u8.perhaps(0), String::from("a").perhaps(1)), (None, Some("a".into())));
    }
}

#[test]
fn two_types_of_the_same_name_share_no_memo() {
    trait Named {
        const NAME: &str;
    }
    struct Of<T>(PhantomData<T>);
    impl<T: Named> Of<T>
    where
        T: Sized,
    {
        #[mcache]
        fn name(n: u32) -> String {
            format!("{}{n}", T::NAME)
        }
    }
    let one = {
        struct Local;
        impl Named for Local {
            const NAME: &str = "one";
        }
        Of::<Local>::name(1)
    };
    let other = {
        struct Local;
        impl Named for Local {
            const NAME: &str = "other";
        }
        Of::<Local>::name(1)
    };
    assert_eq!((one, other), ("one1".into(), "other1".into()));
}
