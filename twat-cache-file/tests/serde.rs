//! Types that implement only serde's traits, as MessagePack in files.
#![cfg(feature = "serde")]

mod common;

use std::collections::HashMap;
use std::fmt::{self, Debug};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use common::{entries_below, settle};
use serde::de::{DeserializeOwned, Error as _, Visitor};
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use twat_cache_core::testing::{Counter, assert_one_warning, block_on, record_logs, volatile_dir, warnings};
use twat_cache_file::{Store as _, Verify, fcache};

/// How often it is computed, when three memos in turn ask for it twice each.
fn computed<V: Clone + PartialEq + Debug + Serialize + DeserializeOwned + 'static>(dir: &Path, value: &V) -> usize {
    record_logs();
    let computed = Counter::new();
    for _ in 0..3 {
        let memo = fcache("name").dir(dir).serde().wrap(|_: &u8| {
            computed.count();
            value.clone()
        });
        for _ in 0..2 {
            assert_eq!(memo.call(&1), *value);
        }
    }
    computed.get()
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Report {
    path: PathBuf,
    at: SystemTime,
    took: Option<Duration>,
    by_name: HashMap<String, Vec<f64>>,
    pages: Vec<Page>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Page {
    Empty,
    Text { lines: Vec<String> },
    Number(u64),
}

fn report(pages: usize) -> Report {
    let page = |n: usize| match n % 3 {
        0 => Page::Empty,
        1 => Page::Text { lines: vec![format!("line {n}"); 3] },
        _ => Page::Number(n as u64),
    };
    Report {
        path: "/home/a.txt".into(),
        at: SystemTime::UNIX_EPOCH + Duration::from_secs(7),
        took: Some(Duration::from_millis(5)),
        by_name: HashMap::from([("one".into(), vec![0.5; pages])]),
        pages: (0..pages).map(page).collect(),
    }
}

#[test]
fn values_come_back_in_the_next_run_small_or_large() {
    for pages in [0, 10, 1000, 50_000] {
        let dir = volatile_dir();
        assert_eq!(computed(dir.path(), &report(pages)), 1, "{pages}");
        assert_eq!(warnings(dir.path()), [""; 0]);
    }
}

/// Says where it was decoded from.
#[derive(Clone, Debug, PartialEq)]
struct Bytes {
    len: usize,
    address: usize,
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&vec![7; self.len])
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Borrowed;

        impl Visitor<'_> for Borrowed {
            type Value = Bytes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Bytes, E> {
                Ok(Bytes { len: bytes.len(), address: bytes.as_ptr().addr() })
            }
        }

        deserializer.deserialize_bytes(Borrowed)
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_large_value_is_decoded_from_the_mapped_file() {
    let dir = volatile_dir();
    let memo = fcache("name").dir(dir.path()).serde().wrap(|len: &usize| Bytes { len: *len, address: 0 });
    let len = 4 << 20;
    memo.call(&len);
    let found = memo.call(&len);
    assert_eq!(found.len, len);
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let entry = memo.store().path_of(&len).unwrap();
    let map = maps.lines().find(|line| line.ends_with(entry.to_str().unwrap())).unwrap();
    let [start, end] = [0, 1].map(|nth| {
        let address = map.split([' ', '-']).nth(nth).unwrap();
        usize::from_str_radix(address, 16).unwrap()
    });
    assert!((start..end).contains(&found.address));
}

#[test]
fn codecs_share_no_entries() {
    let dir = volatile_dir();
    let builder = fcache("name").dir(dir.path());
    assert_eq!(builder.clone().wrap(|_: &u8| 1_u32).call(&1), 1);
    assert_eq!(builder.clone().serde().wrap(|_: &u8| 2_u32).call(&1), 2);
    // Nor do types.
    assert_eq!(builder.clone().serde().wrap(|_: &u8| 3_u64).call(&1), 3);
    assert_eq!(builder.clone().wrap(|_: &u8| 4_u32).call(&1), 1);
    assert_eq!(builder.serde().wrap(|_: &u8| 5_u32).call(&1), 2);
}

#[test]
fn async_functions_and_those_that_fail_have_values_by_serde() {
    let dir = volatile_dir();
    let computed = Counter::new();
    let builder = fcache("name").dir(dir.path()).serde();
    let memo = builder.clone().try_wrap_async(async |pages: &usize| match computed.count() {
        0 => Err("no"),
        _ => Ok(report(*pages)),
    });
    block_on(async {
        assert_eq!(memo.try_call_async(&9).await, Err("no"));
        for _ in 0..2 {
            assert_eq!(memo.try_call_async(&9).await, Ok(report(9)));
        }
    });
    assert_eq!(computed.get(), 2);
    let memo = builder.try_wrap(|_: &usize| Err::<Report, _>("no"));
    assert_eq!(memo.try_call(&9), Ok(report(9)));
    assert!(memo.forget(&9_usize).unwrap());
    assert_eq!(memo.try_call(&9), Err("no"));
}

#[test]
fn a_damaged_entry_is_computed_again() {
    for (pages, verify) in
        [10, 50_000].into_iter().flat_map(|pages| [(pages, Verify::Once), (pages, Verify::Structure)])
    {
        let dir = volatile_dir();
        let computed = Counter::new();
        let open = || {
            fcache("name").dir(dir.path()).verify(verify).serde().wrap(|_: &u8| {
                computed.count();
                report(pages)
            })
        };
        let memo = open();
        memo.call(&1);
        let path = memo.store().path_of(&1_u8).unwrap();
        drop(memo);
        let mut bytes = fs::read(&path).unwrap();
        // The only byte that MessagePack never uses.
        bytes[64] = 0xc1;
        fs::remove_file(&path).unwrap();
        fs::write(&path, bytes).unwrap();
        record_logs();
        for _ in 0..2 {
            let memo = open();
            assert_eq!(memo.call(&1), report(pages));
            assert_eq!(memo.call(&1), report(pages));
            assert_eq!(computed.get(), 2);
        }
        assert_eq!(warnings(dir.path()).len(), 1, "{:#?}", warnings(dir.path()));
    }
}

/// Cannot be encoded, or not decoded.
#[derive(Clone, Debug, PartialEq)]
enum Stubborn {
    Fails,
    Panics,
    FailsLater,
    PanicsLater,
}

impl Serialize for Stubborn {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Fails => Err(S::Error::custom("as intended")),
            Self::Panics => panic!("as intended"),
            Self::FailsLater => serializer.serialize_bool(false),
            Self::PanicsLater => serializer.serialize_bool(true),
        }
    }
}

impl<'de> Deserialize<'de> for Stubborn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        assert!(!bool::deserialize(deserializer)?, "as intended");
        Err(D::Error::custom("as intended"))
    }
}

#[test]
fn a_value_that_cannot_be_encoded_or_decoded_is_computed_every_time_with_one_warning() {
    for value in [Stubborn::Fails, Stubborn::Panics, Stubborn::FailsLater, Stubborn::PanicsLater] {
        let dir = volatile_dir();
        let computed = Counter::new();
        record_logs();
        let memo = fcache("name").dir(dir.path()).serde().wrap(|_: &u8| {
            computed.count();
            value.clone()
        });
        for n in 1..4 {
            assert_eq!(memo.call(&1), value);
            assert_eq!(computed.get(), n);
        }
        let is_stored = matches!(value, Stubborn::FailsLater | Stubborn::PanicsLater);
        assert_eq!(memo.len().unwrap(), usize::from(is_stored));
        assert_eq!(fs::read_dir(memo.store().path().join("tmp")).unwrap().count(), 0);
        assert_eq!(warnings(dir.path()).len(), 1, "{:#?}", warnings(dir.path()));
    }
}

#[test]
fn an_option_with_nothing_in_it_is_not_stored_and_one_warning_names_the_type() {
    let dir = volatile_dir();
    // Once a call.
    assert_eq!(computed(dir.path(), &vec![(1, Some(None::<u8>))]), 6);
    // Each memo warns once.
    assert_eq!(warnings(dir.path()).len(), 3);
    let other = volatile_dir();
    let memo = fcache("name").dir(other.path()).serde().wrap(|_: &u8| Some(()));
    (0..3).for_each(|_| assert_eq!(memo.call(&1), Some(())));
    assert_one_warning(other.path(), &["Option<()>", "the result is returned but not stored"]);
    assert_eq!(computed(volatile_dir().path(), &vec![(1, Some(2)), (3, None)]), 1);
}

#[test]
fn memory_serves_where_no_file_can_be_written() {
    let dir = volatile_dir();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    // In each run.
    assert_eq!(computed(&file, &report(50_000)), 3);
    assert_eq!(warnings(&file).len(), 3);
}

#[test]
fn the_limit_holds_and_a_larger_value_leaves_nothing_behind() {
    let dir = volatile_dir();
    let memo = fcache("name").dir(dir.path()).max_bytes(1 << 20).serde().wrap(|len: &usize| "x".repeat(*len));
    for len in (0..100_000).step_by(1000) {
        assert_eq!(memo.call(&len).len(), len);
    }
    settle(memo.store().path());
    let (entries, bytes) = entries_below(memo.store().path());
    assert!(bytes <= 1 << 20);
    assert_eq!(memo.store().evictions(), 100 - entries as u64);
    assert_eq!(memo.call(&(2 << 20)).len(), 2 << 20);
    assert_eq!(entries_below(memo.store().path()), (entries, bytes));
    assert_eq!(warnings(dir.path()), [""; 0]);
}
