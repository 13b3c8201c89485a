//! Stores that answer tasks later.

use std::borrow::Cow;
use std::cell::Cell;

use twat_cache_core::testing::{Counter, Late, block_on, join_all, record_logs, yield_once};
use twat_cache_core::{Answer, Copied, Error, ErrorKind, Fallback, KeyedStore, LruStore, Memo, Near, Store, Tiered};

fn late() -> Late<LruStore<u64>> {
    Late::new(LruStore::new(100))
}

#[test]
fn a_thread_gets_its_answers_at_once() {
    let memo = Memo::new(late(), |n: &u64| n * 2);
    assert_eq!((memo.call(&1), memo.call(&1), memo.refresh(&1)), (2, 2, 2));
    memo.insert(&2, &5).unwrap();
    assert!(memo.forget(&1).unwrap() && memo.peek(&2).unwrap() == Some(5));
    memo.clear().unwrap();
    assert_eq!((memo.len().unwrap(), memo.store().answers()), (0, 0));
}

#[test]
fn a_task_awaits_every_answer() {
    let computed = Counter::new();
    let memo = Memo::new_async(late(), async |n: &u64| {
        computed.count();
        n * 2
    });
    block_on(async {
        let answers = || memo.store().answers();
        assert_eq!(memo.call_async(&1).await, 2);
        let before = answers();
        assert_eq!(memo.call_async(&1).await, 2);
        assert_eq!((answers(), computed.get()), (before + 1, 1), "a hit is one answer");
        assert_eq!(memo.peek_async(&1).await.unwrap(), Some(2));
        memo.insert_async(&1, &7).await.unwrap();
        assert_eq!((memo.call_async(&1).await, memo.refresh_async(&1).await), (7, 2));
        assert_eq!(memo.len_async().await.unwrap(), 1);
        assert!(memo.forget_async(&1).await.unwrap() && !memo.forget_async(&1).await.unwrap());
        assert_eq!(memo.call_async(&1).await, 2);
        memo.clear_async().await.unwrap();
        assert_eq!(memo.len_async().await.unwrap(), 0);
        assert!(answers() > 12);
    });
}

#[test]
fn tasks_of_one_thread_take_turns_while_the_store_answers() {
    let (running, most) = (Cell::new(0), Cell::new(0));
    let memo = Memo::new_async(late(), async |n: &u64| {
        running.set(running.get() + 1);
        most.set(most.get().max(running.get()));
        yield_once().await;
        running.set(running.get() - 1);
        n * 2
    });
    let keys: Vec<u64> = (0..10).collect();
    let all = block_on(join_all(keys.iter().map(|key| Box::pin(memo.call_async(key)))));
    assert_eq!(all, keys.iter().map(|key| key * 2).collect::<Vec<_>>());
    assert_eq!(most.get(), 10, "none waited for the answers of another");
}

#[test]
fn an_entry_that_the_back_finds_later_fills_the_front() {
    let tiers = Tiered::new(LruStore::new(10), late());
    let near = Near::new(LruStore::<Copied<u64>>::new(10), late());
    tiers.back().inner().insert(&1, &10).unwrap();
    near.back().inner().insert(&1, &10).unwrap();
    block_on(async {
        for _ in 0..2 {
            assert_eq!(tiers.get_async(&1).await.unwrap(), Some(10));
            assert_eq!(near.get_async(&1).await.unwrap(), Some(10));
        }
        assert_eq!((tiers.back().answers(), near.back().answers()), (1, 1));
        assert!(tiers.remove_async(&1).await.unwrap() && near.remove_async(&1).await.unwrap());
        assert_eq!((tiers.get_async(&1).await.unwrap(), near.get_async(&1).await.unwrap()), (None, None));
    });
}

/// A store whose answers come later, and are these.
struct Fails(fn() -> Error);

impl Fails {
    fn later<T: Send>(&self) -> Answer<'_, T> {
        Answer::later(async {
            yield_once().await;
            Err((self.0)())
        })
    }
}

impl Store for Fails {
    type Value = u64;
    fn len(&self) -> Result<usize, Error> {
        Ok(0)
    }
    fn clear(&self) -> Result<(), Error> {
        Ok(())
    }
}

impl<K: ?Sized> KeyedStore<K> for Fails {
    fn get(&self, _: &K) -> Result<Option<u64>, Error> {
        Ok(None)
    }
    fn insert(&self, _: &K, _: &u64) -> Result<(), Error> {
        Ok(())
    }
    fn remove(&self, _: &K) -> Result<bool, Error> {
        Ok(false)
    }
    fn get_async<'a>(&'a self, _: &K) -> Answer<'a, Option<u64>> {
        self.later()
    }
    fn insert_begun_async<'a>(
        &'a self,
        _: &K,
        _: &u64,
        _: Option<std::time::Duration>,
        _: twat_cache_core::Ticket,
    ) -> Answer<'a, bool> {
        self.later()
    }
}

#[test]
fn an_error_or_a_panic_that_comes_later_does_not_reach_the_caller() {
    let logs = record_logs();
    let broken: fn() -> Error = || Error::new(ErrorKind::Io, "ask the store that fails later");
    let panics: fn() -> Error = || panic!("the store panics");
    for fails in [broken, panics] {
        let memo = Memo::new_async(Fails(fails), async |n: &u64| n * 2);
        let with_memory = Memo::new_async(Fallback::new(Fails(fails), LruStore::new(10)), async |n: &u64| n * 2);
        block_on(async {
            assert_eq!((memo.call_async(&1).await, memo.refresh_async(&1).await), (2, 2));
            assert_eq!((with_memory.call_async(&1).await, with_memory.call_async(&1).await), (2, 2));
            assert!(memo.peek_async(&1).await.is_err());
        });
    }
    // One of the memo, and one of the fallback.
    assert_eq!(logs.warnings("ask the store that fails later").len(), 2);
}

#[test]
fn futures_are_send_if_the_arguments_are() {
    fn send<T: Send>(future: T) -> T {
        future
    }
    let memo =
        Memo::new_async(Tiered::new(LruStore::new(10), late()), async |text: &Cow<'static, str>| text.len() as u64);
    let text = Cow::Borrowed("four");
    assert_eq!(block_on(send(memo.call_async(&text))), 4);
    assert_eq!(block_on(send(memo.refresh_async(&text))), 4);
    assert!(block_on(send(memo.forget_async(&text))).unwrap());
}
