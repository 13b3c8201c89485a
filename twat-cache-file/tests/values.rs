//! Values of all kinds come back as they were, by value and by view; and those that cannot be stored are computed every time.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

use rkyv::rancor::{Fallible, Source};
use rkyv::{Archive, Deserialize, Serialize};
use twat_cache_core::testing::{Counter, record_logs, volatile_dir, warnings};
use twat_cache_file::persist::Shape;
use twat_cache_file::{CacheValue, KeyedStore, fcache};

/// How often it is computed, when two memos, the second opened after the first is dropped, ask for it twice each, and view
/// it as often.
#[expect(clippy::needless_pass_by_value, reason = "it reads better where it is called")]
fn computed<V>(name: &str, value: V) -> usize
where
    V: CacheValue + Clone + Send + Sync + PartialEq + Debug,
{
    let dir = volatile_dir();
    let computed = Counter::new();
    for _ in 0..2 {
        let memo = fcache(name).dir(dir.path()).wrap(|_: &u8| {
            computed.count();
            value.clone()
        });
        for _ in 0..2 {
            assert_eq!(memo.call(&1), value, "{name}");
        }
    }
    computed.get()
}

#[expect(clippy::needless_pass_by_value, reason = "it reads better where it is called")]
fn is_stored<V: CacheValue + Clone + Send + Sync + PartialEq + Debug>(name: &str, value: V) {
    let dir = volatile_dir();
    assert_eq!(computed(name, value.clone()), 1, "{name}");
    let memo = fcache(name).dir(dir.path()).wrap(|_: &u8| value.clone());
    for _ in 0..2 {
        assert_eq!(memo.view(&1).to_value().unwrap(), value, "{name}");
    }
}

#[derive(CacheValue, Clone, Debug, PartialEq)]
#[cache_value(crate = twat_cache_file)]
struct Index {
    title: String,
    by_word: HashMap<String, Vec<(u32, f32)>>,
    by_page: BTreeMap<u32, Page>,
    best: Option<Box<Page>>,
}

#[derive(CacheValue, Clone, Debug, PartialEq)]
#[cache_value(crate = twat_cache_file)]
enum Page {
    Empty,
    Text { lines: Vec<String>, read: bool },
    Picture([u8; 3], u128),
}

fn index(pages: u32) -> Index {
    let text = |n: u32| Page::Text { lines: vec![format!("page {n}"), String::new()], read: n.is_multiple_of(2) };
    let page = |n: u32| match n % 3 {
        0 => Page::Empty,
        1 => text(n),
        _ => Page::Picture([1, 2, 3], u128::MAX - u128::from(n)),
    };
    Index {
        title: "ß".repeat(1000),
        by_word: (0..pages).map(|n| (format!("word {n}"), vec![(n, 0.5); 3])).collect(),
        by_page: (0..pages).map(|n| (n, page(n))).collect(),
        best: Some(Box::new(text(1))),
    }
}

#[test]
fn values_of_many_types_come_back_as_they_were() {
    is_stored("unit", ());
    is_stored("nothing", None::<String>);
    is_stored("option", Some(None::<u8>));
    is_stored("empty", Vec::<u64>::new());
    is_stored("string", "ß".repeat(10_000));
    is_stored("large string", "鍵".repeat(100_000));
    is_stored("floats", vec![f64::INFINITY, -0.0, 1e-300]);
    is_stored("map", HashMap::from([(1_u8, "one".to_owned()), (2, "two".to_owned())]));
    is_stored("tuple", (u128::MAX, [1_u16; 5], Box::new(3_i8), 'x', true));
    is_stored("strings", (0..20_000).map(|n| n.to_string()).collect::<Vec<_>>());
    is_stored("small index", index(10));
    is_stored("large index", index(3000));
    is_stored("usize", 7_usize);
}

#[test]
fn a_view_is_aligned_to_sixteen_bytes_if_its_type_is() {
    let dir = volatile_dir();
    for len in [3_u64, 20_000] {
        let memo = fcache("name").dir(dir.path()).wrap(|len: &u64| (0..*len).map(u128::from).collect::<Vec<_>>());
        for _ in 0..2 {
            let view = memo.view(&len);
            assert_eq!(view.is_mapped(), len > 3);
            assert!(view.as_ptr().addr().is_multiple_of(16));
            assert!(view.iter().zip(0_u128..).all(|(found, expected)| *found == expected));
        }
    }
}

#[test]
fn a_large_index_is_mapped() {
    let dir = volatile_dir();
    let memo = fcache("index").dir(dir.path()).wrap(|pages: &u32| index(*pages));
    let view = memo.view(&3000);
    assert!(view.is_mapped());
    assert_eq!(view.title, "ß".repeat(1000));
    assert_eq!(view.by_word.get("word 2999").unwrap()[0].0, 2999);
    assert_eq!(view.by_page.len(), 3000);
}

#[test]
fn a_number_that_rkyv_would_cut_down_comes_back_whole() {
    // Both values and views, of which there are copies only.
    assert_eq!(computed("usize", 5_000_000_000_usize), 4);
    assert_eq!(computed("isize", -5_000_000_000_isize), 4);
    assert_eq!(computed("option", Some(1_usize << 40)), 4);
    assert_eq!(computed("vector", vec![1, 1_usize << 40]), 4);
    assert_eq!(computed("pair", (1_usize << 40, 1_usize)), 4);
    is_stored("u64", u64::MAX);
}

#[derive(CacheValue, Clone, Debug, PartialEq)]
#[cache_value(crate = twat_cache_file)]
#[rkyv(attr(repr(C, align(32))))]
#[repr(C, align(32))]
struct Aligned(u8);

#[derive(CacheValue, Clone, Debug, PartialEq)]
#[cache_value(crate = twat_cache_file)]
#[rkyv(attr(repr(C, align(64))))]
#[repr(C, align(64))]
struct TooAligned(u8);

#[test]
fn a_value_is_stored_if_rkyv_can_align_it() {
    is_stored("aligned", Aligned(7));
    is_stored("many", vec![Aligned(7); 10_000]);
    assert_eq!(computed("too aligned", TooAligned(7)), 4);
}

/// Fails to be archived, or panics, as often as it is told to; after some bytes have been written.
#[derive(Clone, Debug, PartialEq)]
enum Stubborn {
    Fails,
    Panics,
}

static TRIED: AtomicUsize = AtomicUsize::new(0);

impl Archive for Stubborn {
    type Archived = ();
    type Resolver = ();
    fn resolve(&self, (): (), _: rkyv::Place<()>) {}
}

impl<S: Fallible<Error: Source> + rkyv::ser::Writer + ?Sized> Serialize<S> for Stubborn {
    fn serialize(&self, serializer: &mut S) -> Result<(), S::Error> {
        TRIED.fetch_add(1, Ordering::Relaxed);
        serializer.write(&vec![7; 300_000])?;
        match self {
            Self::Fails => Err(S::Error::new(std::fmt::Error)),
            Self::Panics => panic!("as intended"),
        }
    }
}

impl<D: Fallible + ?Sized> Deserialize<Stubborn, D> for () {
    fn deserialize(&self, _: &mut D) -> Result<Stubborn, D::Error> {
        Ok(Stubborn::Fails)
    }
}

impl CacheValue for Stubborn {
    fn describe(shape: &mut Shape) {
        shape.word("Stubborn");
    }
}

#[test]
fn a_value_that_cannot_be_archived_is_returned_and_computed_every_time() {
    record_logs();
    for value in [Stubborn::Fails, Stubborn::Panics] {
        let dir = volatile_dir();
        let computed = Counter::new();
        let memo = fcache("stubborn").dir(dir.path()).wrap(|_: &u8| {
            computed.count();
            value.clone()
        });
        for n in 1..4 {
            assert_eq!(memo.call(&1), value);
            assert_eq!(computed.get(), n);
        }
        assert!(TRIED.load(Ordering::Relaxed) > 0);
        // The view fails with an error, and leaves no files behind.
        assert!(catch_unwind(AssertUnwindSafe(|| memo.view(&1))).is_err());
        assert_eq!(memo.call(&1), value);
        assert!(memo.len().is_ok_and(|len| len == 0));
        assert_eq!(std::fs::read_dir(memo.store().path().join("tmp")).unwrap().count(), 0);
        assert_eq!(memo.store().primary().get(&1_u8).unwrap(), None);
        assert_eq!(warnings(dir.path()).len(), 1, "{:#?}", warnings(dir.path()));
    }
}
