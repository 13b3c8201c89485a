//! A store of your own: `cargo run --example own_store`.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use twat_cache::Memo;
use twat_cache::store::{Error, KeyedStore, Store};

/// Keeps everything, in order.
struct Shelf(Mutex<BTreeMap<usize, String>>);

impl Shelf {
    fn books(&self) -> MutexGuard<'_, BTreeMap<usize, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[rustfmt::skip]
impl Store for Shelf {
    type Value = String;
    fn len(&self) -> Result<usize, Error> { Ok(self.books().len()) }
    fn clear(&self) -> Result<(), Error> { self.books().clear(); Ok(()) }
}

#[rustfmt::skip]
impl KeyedStore<usize> for Shelf {
    fn get(&self, key: &usize) -> Result<Option<String>, Error> { Ok(self.books().get(key).cloned()) }
    fn insert(&self, key: &usize, value: &String) -> Result<(), Error> {
        self.books().insert(*key, value.clone());
        Ok(())
    }
    fn remove(&self, key: &usize) -> Result<bool, Error> { Ok(self.books().remove(key).is_some()) }
}

fn main() {
    // The memo does the rest. However many threads ask for a key, one of them computes.
    let roman = Memo::new(Shelf(Mutex::default()), |n: &usize| "I".repeat(*n));
    println!("{} {} {}", roman.call(&3), roman.call(&1), roman.call(&3));
    println!("on the shelf: {:?}", roman.store().books());
}
