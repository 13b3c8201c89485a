//! Functions that cache in the store of this crate, alone and combined with other stores.

#![forbid(unsafe_code)]
#![deny(warnings, missing_docs, clippy::pedantic)]

use std::sync::atomic::{AtomicUsize, Ordering};

use own_store::Shelf;
use twat_cache_core::{Call, Error, ErrorKind, Expiry, Fallback, KeyedStore, LruStore, Memo, Store, Tiered};

fn main() -> Result<(), Error> {
    let computed = AtomicUsize::new(0);
    let repeat = Memo::new(shelf(2), |Call((text, times)): &Call<(&str, &usize)>| {
        computed.fetch_add(1, Ordering::Relaxed);
        text.repeat(**times)
    });
    for _ in 0..3 {
        assert_eq!(repeat.call(&Call(("ab", &2))), "abab");
    }
    assert_eq!(computed.load(Ordering::Relaxed), 1);
    assert_eq!(repeat.describe(), "a shelf for 2");

    // A small shelf in front of a larger one: an entry that the front evicts is found in the back.
    let tiers = Memo::new(Tiered::new(shelf(1), shelf(10)), |n: &u64| n.to_string());
    assert_eq!((tiers.call(&1), tiers.call(&2)), ("1".to_owned(), "2".to_owned()));
    assert_eq!((tiers.store().front().len()?, tiers.len()?), (1, 2));
    assert_eq!(tiers.peek(&1_u64)?.as_deref(), Some("1"));
    assert_eq!(tiers.describe(), "a shelf for 1 in front of a shelf for 10");

    // If the store fails, memory serves, and calls still succeed.
    let safe = Memo::new(Fallback::new(Broken, LruStore::new(10)), |n: &u64| -> Result<String, ()> {
        computed.fetch_add(1, Ordering::Relaxed);
        Ok(n.to_string())
    });
    for _ in 0..3 {
        assert_eq!(safe.try_call(&3), Ok("3".to_owned()));
    }
    assert_eq!(computed.load(Ordering::Relaxed), 2);
    assert!(safe.store().has_switched());

    // A store that is chosen at run time.
    let chosen: Box<dyn KeyedStore<str, Value = String>> = Box::new(Fallback::new(shelf(5), LruStore::new(5)));
    let upper = Memo::new(chosen, |text: &str| text.to_uppercase());
    assert_eq!((upper.call("ab"), upper.len()?), ("AB".to_owned(), 1));
    Ok(())
}

fn shelf(max_entries: usize) -> Shelf<String> {
    Shelf::new(max_entries, Expiry::default())
}

/// A store that always fails. It implements only the required methods.
struct Broken;

fn gone<T>() -> Result<T, Error> {
    Err(Error::new(ErrorKind::Unavailable, "find the shelf"))
}

impl Store for Broken {
    type Value = String;

    fn len(&self) -> Result<usize, Error> {
        gone()
    }

    fn clear(&self) -> Result<(), Error> {
        gone()
    }
}

impl KeyedStore<u64> for Broken {
    fn get(&self, _: &u64) -> Result<Option<String>, Error> {
        gone()
    }

    fn insert(&self, _: &u64, _: &String) -> Result<(), Error> {
        gone()
    }

    fn remove(&self, _: &u64) -> Result<bool, Error> {
        gone()
    }
}
