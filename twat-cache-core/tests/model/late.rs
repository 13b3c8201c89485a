//! A store that answers later: nothing is locked while it stores a result.

use std::sync::Arc;

use shuttle::future;
use shuttle::sync::atomic::{AtomicBool, Ordering};
use twat_cache_core::{Answer, Error, KeyedStore, Memo, Store, Ticket};

use crate::{Map, World, explore, must_find};

/// A store that knows nothing of tickets, and whether it has begun to store something.
struct Late(Map, AtomicBool);

impl Late {
    fn new() -> Self {
        Self(Map::new(), AtomicBool::new(false))
    }

    fn later<'a, T>(&'a self, answer: impl FnOnce(&'a Map) -> Result<T, Error> + Send + 'a) -> Answer<'a, T> {
        Answer::later(async move {
            future::yield_now().await;
            answer(&self.0)
        })
    }
}

impl Store for Late {
    type Value = u64;
    fn len(&self) -> Result<usize, Error> {
        self.0.len()
    }
    fn clear(&self) -> Result<(), Error> {
        self.0.clear()
    }
}

impl KeyedStore<u64> for Late {
    fn get(&self, key: &u64) -> Result<Option<u64>, Error> {
        self.0.get(key)
    }
    fn insert(&self, key: &u64, value: &u64) -> Result<(), Error> {
        self.0.insert(key, value)
    }
    fn remove(&self, key: &u64) -> Result<bool, Error> {
        self.0.remove(key)
    }
    fn get_async<'a>(&'a self, key: &u64) -> Answer<'a, Option<u64>> {
        let key = *key;
        self.later(move |map| map.get(&key))
    }
    fn insert_begun_async<'a>(
        &'a self,
        key: &u64,
        value: &u64,
        _: Option<std::time::Duration>,
        _: Ticket,
    ) -> Answer<'a, bool> {
        let (key, value) = (*key, *value);
        self.1.store(true, Ordering::SeqCst);
        self.later(move |map| map.insert(&key, &value).map(|()| true))
    }
    fn remove_async<'a>(&'a self, key: &u64) -> Answer<'a, bool> {
        let key = *key;
        self.later(move |map| map.remove(&key))
    }
}

/// One task calls. While its result is being stored, another changes the world and makes the memo forget.
fn nothing_that_was_forgotten_stays(is_refresh: bool) {
    let world = World::default();
    let seen = world.clone();
    let function = async move |_: &u64| seen.load(Ordering::SeqCst) as u64;
    let memo = Arc::new(Memo::new_async(Late::new(), function));
    let calling = {
        let memo = memo.clone();
        future::spawn(async move { memo.call_async(&1).await })
    };
    future::block_on(async {
        while !memo.store().1.load(Ordering::SeqCst) {
            future::yield_now().await;
        }
        world.store(1, Ordering::SeqCst);
        if is_refresh {
            assert_eq!(memo.refresh_async(&1).await, 1);
        } else {
            memo.forget_async(&1).await.unwrap();
        }
        calling.await.unwrap();
        assert_eq!(memo.call_async(&1).await, 1);
    });
}

#[test]
fn what_was_forgotten_while_it_was_stored_does_not_stay() {
    explore(|| nothing_that_was_forgotten_stays(false));
    explore(|| nothing_that_was_forgotten_stays(true));
    must_find("keeps what was forgotten while it was stored", || nothing_that_was_forgotten_stays(false));
}
