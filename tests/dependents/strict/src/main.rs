//! Attributes in a crate with strict lints: the code that they write must not cause a warning.

#![forbid(unsafe_code)]
#![deny(
    warnings,
    missing_docs,
    unreachable_pub,
    missing_debug_implementations,
    unused_qualifications,
    clippy::all,
    clippy::pedantic
)]

use std::collections::HashMap;
use std::env;
use std::hash::Hash;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use renamed::rkyv::with::AsString;
use renamed::{Backend, CacheValue, bcache, fcache, mcache, ucache};

static COMPUTED: AtomicU32 = AtomicU32::new(0);

/// Lengths.
///
/// # Errors
///
/// If the text is empty.
#[bcache(crate = renamed)]
pub fn length(text: &str, name: String, path: &Path, parts: &[u8]) -> Result<usize, String> {
    COMPUTED.fetch_add(1, Ordering::Relaxed);
    let extra = name.len() + path.as_os_str().len() + parts.len();
    drop(name);
    if text.is_empty() { Err("empty".into()) } else { Ok(text.len() + extra) }
}

#[fcache(crate = renamed)]
async fn waves(n: u32, (a, b): (u32, u32)) -> Vec<f64> {
    COMPUTED.fetch_add(1, Ordering::Relaxed);
    std::future::ready(()).await;
    (0..n + a + b).map(f64::from).collect()
}

/// A thing.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Thing {
    /// Its size.
    pub size: u64,
}

impl Thing {
    /// Makes a thing. The result is cached.
    #[must_use]
    #[mcache(crate = renamed)]
    pub fn new(size: u64) -> Self {
        Self { size }
    }

    /// The size, doubled if `by` is above 1.
    #[must_use]
    #[ucache(crate = renamed, backend = Backend::Memory)]
    pub fn times(&self, by: f64) -> u64 {
        if by > 1.0 { self.size * 2 } else { self.size }
    }

    /// The sum of the sizes.
    #[must_use]
    #[mcache(crate = renamed)]
    pub fn with(self, mut others: Vec<u64>) -> u64 {
        others.push(self.size);
        others.into_iter().sum()
    }

    /// A sum, which needs no `self`.
    #[must_use]
    #[mcache(crate = renamed)]
    pub fn sum(a: u64, b: u64) -> u64 {
        a + b
    }

    #[mcache(crate = renamed, skip(self, log))]
    async fn logged(&self, log: &mut Vec<String>, key: &str) -> Option<String> {
        std::future::ready(()).await;
        log.push(key.into());
        Some(key.to_owned())
    }
}

#[mcache(crate = renamed, key = (thing.size, &thing.size))]
fn keyed(thing: &Thing) -> u64 {
    thing.size
}

#[mcache(crate = renamed, patience = Duration::from_secs(1), companion = halves)]
fn half(number: f64, (place, count): (&'static Path, Option<u32>)) -> Option<f64> {
    (count? > 0 && place.is_relative()).then_some(number / 2.0)
}

/// A wrapper of any type.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Of<T>(pub T);

impl<T: Clone + Eq + Hash + Send + Sync + 'static> Of<T> {
    /// A clone of the wrapped value.
    ///
    /// # Errors
    ///
    /// If `other` and `last` differ.
    #[mcache(crate = renamed)]
    pub async fn get(&self, other: &T, last: T) -> Result<T, String> {
        std::future::ready(()).await;
        if *other == last { Ok(self.0.clone()) } else { Err("other".into()) }
    }
}

/// A value with public and private fields.
#[derive(CacheValue, Clone, Debug, PartialEq)]
#[cache_value(crate = renamed)]
#[rkyv(derive(Debug), compare(PartialEq))]
pub struct Address {
    /// The street.
    pub street: String,
    number: Option<u32>,
}

/// A value of all kinds of variants.
#[derive(CacheValue, Clone, Debug, Default, PartialEq)]
#[cache_value(crate = renamed)]
#[rkyv(derive(Debug))]
pub enum Letter {
    /// Without fields.
    #[default]
    Lost,
    /// With a field.
    Returned(Address),
    /// With names.
    Sent {
        /// Where to.
        to: Address,
        /// What is in it.
        with: Vec<Letter>,
        /// Its weight.
        grams: usize,
    },
}

/// A generic value, and a private type in it.
#[derive(CacheValue, Clone, Debug, PartialEq)]
#[cache_value(crate = renamed)]
pub struct Shelf<K: Eq + Hash, V = Letter, const N: usize = 2> {
    /// By their names.
    pub by_name: HashMap<K, Slot<V>>,
    inside: Vec<Hidden<V>>,
    next: Option<Box<Self>>,
    size: [u8; N],
}

/// A slot.
#[derive(CacheValue, Clone, Debug, PartialEq)]
#[cache_value(crate = renamed)]
pub struct Slot<V>(pub Option<V>, u8);

#[derive(CacheValue, Clone, Debug, PartialEq)]
#[cache_value(crate = renamed)]
struct Hidden<V> {
    value: V,
    #[rkyv(with = AsString)]
    path: PathBuf,
    #[cache_value(opaque = "v1")]
    kind: Kind,
}

#[derive(CacheValue, Clone, Copy, Debug, PartialEq)]
#[cache_value(crate = renamed)]
#[allow(non_camel_case_types)]
enum Kind {
    kg = 1000,
    g = 1,
}

/// Packs a letter.
#[must_use]
#[bcache(crate = renamed)]
pub fn packed(street: &str) -> Shelf<String> {
    COMPUTED.fetch_add(1, Ordering::Relaxed);
    let to = Address { street: street.to_owned(), number: None };
    let letter = Letter::Sent { to: to.clone(), with: vec![Letter::Returned(to), Letter::Lost], grams: usize::MAX };
    let hidden = |kind| Hidden { value: letter.clone(), path: street.into(), kind };
    Shelf {
        by_name: HashMap::from([("a".to_owned(), Slot(Some(letter.clone()), 1))]),
        inside: vec![hidden(Kind::kg), hidden(Kind::g)],
        next: None,
        size: [1, 2],
    }
}

fn main() -> Result<(), renamed::Error> {
    #[derive(CacheValue, Clone, Debug, PartialEq)]
    #[cache_value(crate = renamed)]
    enum Local {
        Named { n: u8 },
    }

    #[fcache(crate = renamed)]
    fn in_block(n: u8) -> Local {
        COMPUTED.fetch_add(1, Ordering::Relaxed);
        Local::Named { n }
    }

    #[mcache(crate = renamed)]
    fn nested<'a>(text: &'a str, number: f64) -> usize {
        let whole: &'a str = text;
        whole.len() + usize::from(number > 1.0)
    }

    let run = env::args().nth(1).unwrap_or_default();
    let thing = Thing::new(3);
    let mut log = Vec::new();
    for _ in 0..2 {
        assert_eq!(length("text", "name".into(), Path::new("a/b"), &[1]), Ok(12));
        assert!(length("", String::new(), Path::new(""), &[]).is_err());
        assert_eq!((thing.times(2.0), thing.clone().with(vec![1]), Thing::sum(1, 2)), (6, 4, 3));
        assert_eq!((keyed(&thing), nested("a", 2.0)), (3, 2));
        let packed = packed("street");
        assert_eq!((packed.inside[1].path.as_path(), packed.size, packed.next), (Path::new("street"), [1, 2], None));
        let Letter::Sent { grams, with, .. } = &packed.inside[0].value else { panic!("it was sent") };
        assert_eq!((*grams, with.len()), (usize::MAX, 2));
        assert_eq!(in_block(3), Local::Named { n: 3 });
        futures_lite::future::block_on(async {
            assert_eq!(waves(3, (1, 2)).await.len(), 6);
            assert_eq!(waves::view(3, (1, 2)).await.len(), 6);
            assert_eq!((Of(1).get(&2, 2).await, Of(1).get(&2, 3).await), (Ok(1), Err("other".into())));
            assert_eq!(thing.logged(&mut log, "key").await.as_deref(), Some("key"));
        });
    }
    assert_eq!(log, ["key"]);
    assert_eq!((half(3.0, (Path::new("a"), Some(1))), halves::len()?), (Some(1.5), 1));
    assert_eq!(length::len()?, 1);
    // Each run computes the two errors. Only the first run computes the four results that are stored on disk.
    let computed = COMPUTED.load(Ordering::Relaxed);
    assert_eq!(computed, if run == "second" { 2 } else { 6 }, "in the run `{run}`");
    Ok(())
}
