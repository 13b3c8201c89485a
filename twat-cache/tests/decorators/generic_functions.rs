//! Generic functions: each instance has a cache of its own.

use std::fmt::{Debug, Display};
use std::hash::Hash;
use std::marker::PhantomData;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::OnceLock;

use futures_lite::future::block_on;
use twat_cache::{bcache, fcache, mcache, scache, ucache};
use twat_cache_core::testing::Counter;
use twat_cache_core::testing::child::{Child, Task};

fn dir() -> PathBuf {
    crate::dir("generic functions")
}

static COMPUTED: [Counter; 4] = [const { Counter::new() }; 4];

#[mcache]
fn parse<T: FromStr>(s: &str) -> Result<T, T::Err> {
    COMPUTED[0].count();
    s.parse()
}

/// What calls it with a parameter has the same bounds.
fn sum<T: FromStr + Copy + std::ops::Add<Output = T> + Send + Sync + 'static>(s: &str) -> Option<T> {
    let n = parse::<T>(s).ok()?;
    Some(n + n)
}

#[test]
fn each_type_has_a_cache_of_its_own() {
    for _ in 0..2 {
        assert_eq!((parse::<u32>("3"), parse::<String>("3"), parse::<f32>("3")), (Ok(3), Ok("3".into()), Ok(3.0)));
    }
    assert_eq!(COMPUTED[0].get(), 3);
    assert!(parse::<u32>("x").is_err() && parse::<bool>("x").is_err());
    assert_eq!((sum::<u32>("3"), COMPUTED[0].get()), (Some(6), 5));
}

/// A parameter that is only in arguments.
#[mcache]
fn show<T: Display>(value: T, list: &[T], (other, _): (T, u8)) -> String {
    COMPUTED[1].count();
    format!("{value} {other} {}", list.len())
}

/// One that may have no size.
#[mcache]
fn length<S: AsRef<str> + ?Sized, T>(text: &S, _: PhantomData<T>) -> usize
where
    T: Debug + ?Sized,
{
    text.as_ref().len()
}

/// One that is in neither.
#[mcache(skip(f))]
fn apply<F: Fn(u32) -> u32>(f: F, n: u32) -> u32 {
    COMPUTED[2].count();
    f(n)
}

#[mcache(key = list.len())]
fn collect<'a, I: IntoIterator<Item = &'a str>, const N: usize>(list: &[u8; N], items: I) -> Vec<String> {
    items.into_iter().map(String::from).take(list.len()).collect()
}

#[mcache]
fn items<I>(items: Vec<I::Item>) -> Option<<I as Iterator>::Item>
where
    I: Iterator,
{
    items.into_iter().next()
}

#[mcache]
async fn eventually<T: Clone, const N: usize>(of: [T; N]) -> Result<[T; N], std::io::Error> {
    futures_lite::future::yield_now().await;
    Ok(of)
}

/// It calls itself.
#[mcache]
fn power<const BASE: u64, T>(exponent: T) -> u64
where
    T: std::ops::Sub<Output = T> + From<u8> + PartialEq,
{
    if exponent == T::from(0) { 1 } else { BASE * power::<BASE, T>(exponent - T::from(1)) }
}

#[test]
fn parameters_may_be_anywhere() {
    for _ in 0..2 {
        assert_eq!((show(1_u8, &[1, 2], (3, 0)), show(1_u16, &[], (3, 0))), ("1 3 2".into(), "1 3 0".into()));
        assert_eq!(show("a".to_owned(), &[], ("b".into(), 0)), "a b 0");
        assert_eq!((length::<_, u8>("abc", PhantomData), length::<_, u8>(&String::from("ab"), PhantomData)), (3, 2));
        let three = 3;
        assert_eq!((apply(|n| n + 1, 1), apply(|n| n + three, 1)), (2, 4));
        assert_eq!(
            (collect(&[0; 1], ["a", "b"]), collect(&[0; 2], ["a", "b"])),
            (vec!["a".into()], vec!["a".into(), "b".into()])
        );
        assert_eq!(items::<std::ops::Range<u8>>(vec![3]), Some(3));
        assert_eq!((block_on(eventually([1, 2])).unwrap(), block_on(eventually(["a"])).unwrap()), ([1, 2], ["a"]));
        assert_eq!((power::<2, u64>(40), power::<3, u32>(3)), (1 << 40, 27));
    }
    assert_eq!((COMPUTED[1].get(), COMPUTED[2].get()), (3, 2));
}

struct Of<T>(T);

impl<T: Clone + Eq + Hash + Send + Sync + 'static> Of<T> {
    #[mcache(key = self.0)]
    fn pair<U: From<u8>>(&self, n: u8) -> (T, U) {
        (self.0.clone(), n.into())
    }

    #[mcache]
    fn both<U>(one: &T, other: U) -> (T, U) {
        (one.clone(), other)
    }
}

#[test]
fn methods_may_be_generic() {
    for _ in 0..2 {
        assert_eq!(
            (Of('a').pair::<u16>(1), Of('b').pair::<u16>(1), Of('a').pair::<f64>(1)),
            (('a', 1), ('b', 1), ('a', 1.0))
        );
        assert_eq!((Of::both(&'a', 1_u8), Of::both(&'a', "a")), (('a', 1), ('a', "a")));
    }
}

/// The case of a generic `impl` with a parameter in the result.
#[derive(Clone, PartialEq, Eq, Hash)]
struct W<T>(T);

impl<T: Clone + Hash + Eq + Send + Sync + 'static> W<T> {
    #[twat_cache::mcache]
    fn get(&self, n: usize) -> Option<T> {
        (n > 0).then(|| self.0.clone())
    }
}

#[test]
fn a_result_in_a_generic_impl_may_have_its_parameter() {
    assert_eq!((W(1_u8).get(1), W("a").get(1), W(1_u8).get(0)), (Some(1), Some("a"), None));
}

trait Number: Copy + 'static {
    const NAME: &str = "number";
}

impl Number for u8 {}
impl Number for u16 {}

/// Where a child process keeps its results.
static OF_THE_TASK: OnceLock<PathBuf> = OnceLock::new();

macro_rules! persistent {
    ($($name:ident: $attribute:ident;)+) => {
        $(
            mod $name {
                use super::*;

                fn dir() -> PathBuf {
                    OF_THE_TASK.get().map_or_else(super::dir, Clone::clone)
                }

                #[$attribute(dir = dir())]
                pub(super) fn parse<T: FromStr>(s: &str) -> Result<Vec<T>, T::Err> {
                    COMPUTED[3].count();
                    s.split(' ').map(str::parse).collect()
                }

                #[$attribute(dir = dir(), serde)]
                pub(super) async fn parse_by_serde<T: FromStr, const N: usize>(s: &str) -> Result<(T, PathBuf), T::Err> {
                    COMPUTED[3].count();
                    Ok((s.parse()?, PathBuf::from(N.to_string())))
                }

                #[$attribute(dir = dir())]
                pub(super) fn name<T: Number>(n: u8) -> String {
                    COMPUTED[3].count();
                    format!("{} {n} {}", T::NAME, size_of::<T>())
                }
            }
        )+
    };
}

persistent! {
    on_disk: bcache;
    shared: scache;
    in_files: fcache;
    wherever: ucache;
}

macro_rules! call_all {
    ($($name:ident)+) => {
        $(
            assert_eq!(($name::parse("1 2"), $name::parse("1 2")), (Ok(vec![1_u8, 2]), Ok(vec![String::from("1"), "2".into()])));
            assert_eq!($name::parse::<u16>("1 2"), Ok(vec![1, 2]));
            let parsed = [$name::parse_by_serde::<u8, 1>("7"), $name::parse_by_serde::<u8, 1>("7")].map(block_on);
            assert_eq!(parsed, [const { "1" }; 2].map(|n| Ok((7, n.into()))));
            assert_eq!(block_on($name::parse_by_serde::<u8, 2>("7")), Ok((7, "2".into())));
            assert_eq!(($name::name::<u8>(1), $name::name::<u16>(1)), ("number 1 1".into(), "number 1 2".into()));
        )+
    };
}

#[test]
fn another_process_finds_the_results_of_each_instance() {
    const NAME: &str = "generic_functions::another_process_finds_the_results_of_each_instance";
    if let Some(task) = Task::given() {
        OF_THE_TASK.get_or_init(|| task.dir.clone());
        for _ in 0..2 {
            call_all!(on_disk shared in_files wherever);
        }
        task.say(COMPUTED[3].get());
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(Child::start(NAME, dir.path()).finish(), ["28"]);
    assert_eq!(Child::start(NAME, dir.path()).finish(), ["0"]);
}

#[bcache(dir = dir(), name = "given to generic functions")]
fn named<T: Number>(n: u8) -> String {
    format!("{} {n} {}", T::NAME, size_of::<T>())
}

struct Measure<T>(PhantomData<T>);

impl<T: Number> Measure<T> {
    #[fcache(dir = dir(), name = "given in generic impls")]
    fn size(n: u8) -> String {
        format!("{} {n} {}", T::NAME, size_of::<T>())
    }

    #[ucache(dir = dir(), name = "given to methods in generic impls", skip(self))]
    fn size_of_one(&self, n: u8) -> String {
        format!("{} {n} {}", T::NAME, size_of::<T>())
    }
}

trait HasSize: Number {
    #[bcache(dir = dir(), name = "given in traits")]
    fn size(n: u8) -> String {
        format!("{} {n} {}", Self::NAME, size_of::<Self>())
    }
}

impl<T: Number> HasSize for T {}

#[test]
fn instances_of_one_name_that_is_given_share_nothing() {
    for _ in 0..2 {
        assert_eq!((named::<u8>(1), named::<u16>(1)), ("number 1 1".into(), "number 1 2".into()));
        assert_eq!((Measure::<u8>::size(1), Measure::<u16>::size(1)), ("number 1 1".into(), "number 1 2".into()));
        let (one, other) = (Measure(PhantomData::<u8>), Measure(PhantomData::<u16>));
        assert_eq!((one.size_of_one(1), other.size_of_one(1)), ("number 1 1".into(), "number 1 2".into()));
        assert_eq!((<u8 as HasSize>::size(1), <u16 as HasSize>::size(1)), ("number 1 1".into(), "number 1 2".into()));
    }
}

#[test]
fn types_of_the_same_name_in_two_blocks_share_nothing() {
    let one = {
        #[derive(Clone, Copy)]
        struct Local;
        impl Number for Local {
            const NAME: &str = "one";
        }
        on_disk::name::<Local>(1)
    };
    let other = {
        #[derive(Clone, Copy)]
        struct Local;
        impl Number for Local {
            const NAME: &str = "other";
        }
        on_disk::name::<Local>(1)
    };
    assert_eq!((&*one, &*other), ("one 1 0", "other 1 0"));
}
