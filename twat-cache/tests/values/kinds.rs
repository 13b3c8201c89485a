//! Types of all kinds can have the derive, and their values come back.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Debug;
use std::hash::Hash;
use std::marker::PhantomData;
use std::path::PathBuf;
use std::sync::Arc;

use twat_cache::rkyv::with::{AsString, Skip};
use twat_cache::store::persist::Shape;
use twat_cache::{CacheValue, fcache, rkyv};
use twat_cache_core::testing::volatile_dir;

use crate::comes_back;

#[derive(CacheValue, Clone, Debug, PartialEq)]
struct Named {
    text: String,
    numbers: [f32; 2],
    tuple: (bool, char, Option<u128>),
}

#[derive(CacheValue, Clone, Debug, PartialEq)]
struct Tuple(u8, Named, Unit, Braces);

#[derive(CacheValue, Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Unit;

#[derive(CacheValue, Clone, Debug, PartialEq)]
struct Braces {}

fn named() -> Named {
    Named { text: "ß".repeat(100), numbers: [0.5, f32::INFINITY], tuple: (true, 'x', Some(u128::MAX)) }
}

#[test]
fn structs_of_all_kinds_come_back() {
    comes_back(&Tuple(1, named(), Unit, Braces {}));
}

#[derive(CacheValue, Clone, Debug, PartialEq)]
#[rkyv(attr(repr(C, align(32))))]
#[repr(C, align(32))]
struct Aligned(u8);

#[test]
fn values_inside_others_may_be_aligned_more_than_these() {
    // Memory may be aligned more than it has to be.
    for n in 0..20 {
        comes_back(&vec![Aligned(n); usize::from(n) + 1]);
    }
}

#[derive(CacheValue, Clone, Debug, PartialEq)]
enum Shapes {
    Nothing,
    Empty {},
    One(Box<Named>),
    Two(u8, Vec<Unit>),
    Named { of: Arc<str>, and: HashMap<String, Code> },
}

#[derive(CacheValue, Clone, Copy, Debug, PartialEq)]
enum Code {
    Ok = 200,
    NotFound = 404,
    Never = -1,
}

/// rkyv's derives write such types themselves.
#[derive(CacheValue, Clone, Copy, Debug, PartialEq)]
pub(crate) enum Tag {
    Tag,
    Variant(VariantTag),
}

#[derive(CacheValue, Clone, Copy, Debug, PartialEq)]
pub(crate) enum VariantTag {
    Tag { n: u8 },
}

#[test]
fn enums_of_all_kinds_come_back() {
    let and = HashMap::from([("a".to_owned(), Code::NotFound), ("b".to_owned(), Code::Never)]);
    let shapes = vec![
        Shapes::Nothing,
        Shapes::Empty {},
        Shapes::One(Box::new(named())),
        Shapes::Two(1, vec![Unit; 3]),
        Shapes::Named { of: "of".into(), and },
    ];
    comes_back(&(shapes, Code::Ok, [Tag::Tag, Tag::Variant(VariantTag::Tag { n: 1 })]));
}

#[derive(CacheValue, Clone, Debug, PartialEq)]
struct Generic<T, const N: usize = 2, U = u8>
where
    T: Clone,
{
    first: Vec<T>,
    second: [U; N],
    marker: PhantomData<fn(&T)>,
}

#[derive(CacheValue, Clone, Debug, PartialEq)]
struct Map<K: Hash + Eq, V> {
    map: HashMap<K, Vec<V>>,
    ordered: BTreeMap<u8, V>,
}

trait Unlike {
    type Other;
}

impl Unlike for u8 {
    type Other = String;
}

#[derive(CacheValue, Clone, Debug, PartialEq)]
struct Associated<T: Unlike> {
    other: T::Other,
    others: Vec<<T as Unlike>::Other>,
}

#[derive(CacheValue, Clone, Debug, PartialEq)]
enum Either<L, R> {
    Left(L),
    Right { right: R, inner: Generic<u8> },
}

#[test]
fn generic_types_come_back() {
    let generic = Generic { first: vec![1_u64], second: [1, 2], marker: PhantomData };
    comes_back(&(generic, Generic { first: vec![named()], second: [Unit; 3], marker: PhantomData }));
    comes_back(&Map { map: HashMap::from([(String::new(), vec![1_u8])]), ordered: BTreeMap::from([(1, 2)]) });
    comes_back(&Associated::<u8> { other: "a".to_owned(), others: vec!["b".to_owned()] });
    let inner = Generic { first: vec![3], second: [4, 5], marker: PhantomData };
    comes_back(&[Either::Left(Unit), Either::Right { right: named(), inner }]);
}

#[test]
fn types_in_functions_and_names_that_are_keywords_come_back() {
    #[derive(CacheValue, Clone, Debug, PartialEq)]
    struct Inner {
        r#type: u8,
        r#fn: r#Loop,
    }

    #[derive(CacheValue, Clone, Debug, PartialEq)]
    enum r#Loop {
        #[allow(non_camel_case_types, reason = "it is a keyword")]
        r#while,
    }

    comes_back(&Inner { r#type: 1, r#fn: Loop::r#while });
    assert_eq!(Shape::of::<Inner>(), "struct Inner{type:u8,fn:enum Loop{while,},}");
}

/// Its documentation, and attributes of other derives.
#[derive(CacheValue, Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
#[repr(C)]
struct Attributes {
    /// Documentation of a field.
    #[serde(default)]
    first_field: u8,
    #[cfg(not(test))]
    gone: NoSuchType,
    #[cfg(test)]
    there: u16,
}

#[derive(CacheValue, Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(transparent)]
struct Transparent(u32);

#[derive(CacheValue, Clone, Debug, PartialEq)]
#[repr(u8)]
enum Represented {
    One(u16) = 10,
    Other { n: u8 } = 5,
}

#[test]
fn attributes_of_others_do_not_matter() {
    comes_back(&Attributes { first_field: 1, there: 2 });
    comes_back(&[Represented::One(1), Represented::Other { n: 2 }]);
    comes_back(&vec![Transparent(1); 3]);
}

#[derive(CacheValue, Clone, Debug, PartialEq)]
#[rkyv(derive(Debug, PartialEq, Eq, PartialOrd, Ord, Hash), compare(PartialEq))]
pub(crate) struct Key {
    name: String,
    number: Option<u32>,
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.name.hash(state);
        self.number.hash(state);
    }
}

/// A type of another crate, which has rkyv's traits alone.
#[derive(rkyv::Archive, rkyv::Serialize, rkyv::Deserialize, Clone, Debug, PartialEq)]
#[rkyv(crate = rkyv, derive(Debug))]
struct Foreign(u8);

#[derive(CacheValue, Clone, Debug, PartialEq)]
#[rkyv(archived = OnDisk, derive(Debug))]
struct Forms {
    #[rkyv(with = AsString)]
    path: PathBuf,
    #[rkyv(with = Skip)]
    skipped: Vec<fn()>,
    #[cache_value(opaque = "v1")]
    foreign: Foreign,
    keys: HashSet<Key>,
}

#[test]
fn attributes_for_rkyv_are_passed_on() {
    let key = Key { name: "a".to_owned(), number: Some(1) };
    let keys = HashSet::from([key.clone()]);
    let forms = Forms { path: "a/b".into(), skipped: Vec::new(), foreign: Foreign(1), keys };
    comes_back(&forms);
    let dir = volatile_dir();
    let memo = fcache("forms").dir(dir.path()).wrap(|_: &u8| forms.clone());
    let view = memo.view(&1);
    let on_disk: &OnDisk = &view;
    assert_eq!(on_disk.path, "a/b");
    let found: Vec<&ArchivedKey> = on_disk.keys.iter().collect();
    assert_eq!(*found[0], key);
    assert!(format!("{on_disk:?}").contains("name: \"a\""));
}

#[test]
fn the_archived_form_of_an_enum_can_be_matched() {
    let dir = volatile_dir();
    let memo = fcache("tags").dir(dir.path()).wrap(|n: &u8| VariantTag::Tag { n: *n });
    let ArchivedVariantTag::Tag { n } = &*memo.view(&7);
    assert_eq!(*n, 7);
}

#[test]
fn rows_of_plain_numbers_are_copied_at_once() {
    #[derive(CacheValue, Clone, Debug, PartialEq)]
    struct Point {
        x: u32,
        y: f32,
    }

    assert!(cfg!(target_endian = "big") || <Point as rkyv::Archive>::COPY_OPTIMIZATION.is_enabled());
    comes_back(&vec![Point { x: 1, y: 0.5 }; 1000]);
}
