//! Stores whose entries others change: `Near` in front of one, and `Fallback` around one.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use twat_cache_core::testing::{Counter, record_logs};
use twat_cache_core::{Copied, Error, ErrorKind, Fallback, KeyedStore, LruStore, Memo, Near, Stamp, Store, Ticket};

/// A store as a process sees it that shares it with others.
struct Shared {
    entries: LruStore<u64>,
    generation: AtomicU64,
    /// Nothing can be written.
    is_full: AtomicBool,
    /// Nothing is known about changes.
    is_away: AtomicBool,
    operations: Counter,
}

impl Shared {
    fn new() -> Self {
        Self {
            entries: LruStore::new(100),
            generation: AtomicU64::new(1),
            is_full: AtomicBool::new(false),
            is_away: AtomicBool::new(false),
            operations: Counter::default(),
        }
    }

    /// Another process removes an entry.
    fn forget_elsewhere(&self, key: u64) {
        self.entries.remove(&key).unwrap();
        self.generation.fetch_add(1, Ordering::SeqCst);
    }

    fn check(&self) -> Result<(), Error> {
        if self.is_full.load(Ordering::SeqCst) { Err(Error::new(ErrorKind::Full, "write an entry")) } else { Ok(()) }
    }
}

impl Store for Shared {
    type Value = u64;
    fn len(&self) -> Result<usize, Error> {
        self.entries.len()
    }
    fn clear(&self) -> Result<(), Error> {
        self.generation.fetch_add(1, Ordering::SeqCst);
        self.entries.clear()
    }
    fn is_shared(&self) -> bool {
        true
    }
    fn is_current(&self, stamp: Stamp) -> bool {
        stamp.generation == self.generation.load(Ordering::SeqCst)
    }
}

impl KeyedStore<u64> for Shared {
    fn get(&self, key: &u64) -> Result<Option<u64>, Error> {
        self.operations.count();
        self.entries.get(key)
    }
    fn insert(&self, key: &u64, value: &u64) -> Result<(), Error> {
        self.check()?;
        self.entries.insert(key, value)?;
        self.generation.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
    fn insert_begun(&self, key: &u64, value: &u64, _: Option<Duration>, _: Ticket) -> Result<bool, Error> {
        self.check()?;
        self.entries.insert(key, value).map(|()| true)
    }
    fn remove(&self, key: &u64) -> Result<bool, Error> {
        self.generation.fetch_add(1, Ordering::SeqCst);
        self.entries.remove(key)
    }
    fn begin(&self, _: &u64) -> Ticket {
        Ticket { number: self.generation.load(Ordering::SeqCst), is_refresh: false }
    }
    fn is_outdated(&self, _: &u64, ticket: Ticket) -> bool {
        ticket.number != self.generation.load(Ordering::SeqCst)
    }
    fn stamp(&self, _: &u64) -> Option<Stamp> {
        let stamp = Stamp { stripe: 0, generation: self.generation.load(Ordering::SeqCst) };
        Some(stamp).filter(|_| !self.is_away.load(Ordering::SeqCst))
    }
}

fn near() -> Near<LruStore<Copied<u64>>, Shared> {
    Near::new(LruStore::new(100), Shared::new())
}

#[test]
fn a_copy_is_returned_until_another_process_changes_the_entry() {
    let near = near();
    near.back().entries.insert(&1_u64, &10).unwrap();
    assert_eq!(near.get(&1).unwrap(), Some(10));
    let asked = near.back().operations.get();
    assert_eq!(near.get(&1).unwrap(), Some(10));
    assert_eq!(near.back().operations.get(), asked, "the front has a copy");
    near.back().forget_elsewhere(1);
    assert_eq!(near.get(&1).unwrap(), None);
}

#[test]
fn a_result_is_copied_when_it_is_stored_and_a_refreshed_one_when_it_is_read() {
    let memo = Memo::new(near(), |key: &u64| key + 1);
    let back = memo.store().back();
    assert_eq!((memo.call(&1), memo.store().front().len().unwrap()), (2, 1));
    let asked = back.operations.get();
    assert_eq!((memo.call(&1), back.operations.get()), (2, asked));
    assert_eq!(memo.refresh(&1), 2);
    assert_eq!((memo.call(&1), back.operations.get()), (2, asked + 1), "its stamp is that of a lookup");
    assert_eq!((memo.call(&1), back.operations.get()), (2, asked + 1));
}

#[test]
fn while_the_back_cannot_tell_what_has_changed_the_front_is_not_used() {
    let near = near();
    near.back().entries.insert(&1_u64, &10).unwrap();
    near.back().is_away.store(true, Ordering::SeqCst);
    for asked in 1..4 {
        assert_eq!(near.get(&1).unwrap(), Some(10));
        assert_eq!(near.back().operations.get(), asked);
    }
    assert_eq!(near.front().len().unwrap(), 0);
}

#[test]
fn what_a_near_cache_removes_is_removed_in_both() {
    let near = near();
    near.insert(&1, &10).unwrap();
    assert_eq!(near.get(&1).unwrap(), Some(10));
    assert!(near.remove(&1).unwrap());
    assert_eq!((near.get(&1).unwrap(), near.front().len().unwrap(), near.back().len().unwrap()), (None, 0, 0));
    // A copy that is left is not an entry.
    near.insert(&2, &20).unwrap();
    assert_eq!(near.get(&2).unwrap(), Some(20));
    near.back().forget_elsewhere(2);
    assert!(!near.remove(&2).unwrap());
}

/// A store that takes nothing, with memory beside it.
fn full() -> Fallback<Shared, LruStore<u64>> {
    record_logs();
    let store = Fallback::new(Shared::new(), LruStore::new(100));
    store.primary().is_full.store(true, Ordering::SeqCst);
    store
}

#[test]
fn a_result_that_a_shared_store_does_not_take_is_returned_from_memory_until_another_process_forgets_it() {
    let now = AtomicU64::new(0);
    let memo = Memo::new(full(), |_: &u64| now.load(Ordering::SeqCst));
    assert_eq!(memo.call(&1), 0);
    now.store(1, Ordering::SeqCst);
    assert_eq!(memo.call(&1), 0, "memory has it");
    memo.store().primary().forget_elsewhere(1);
    assert_eq!(memo.call(&1), 1);
    assert_eq!(memo.call(&1), 1);
}

#[test]
fn a_result_that_another_process_forgets_during_its_computation_is_not_returned_again() {
    let (store, computed) = (full(), Counter::new());
    let memo = Memo::new(&store, |key: &u64| {
        computed.count();
        if computed.get() == 1 {
            store.primary().forget_elsewhere(*key);
        }
        computed.get() as u64
    });
    assert_eq!([memo.call(&1), memo.call(&1), memo.call(&1)], [1, 2, 2]);
}

#[test]
fn a_result_is_returned_from_memory_as_long_as_the_shared_store_has_no_answer() {
    let now = AtomicU64::new(0);
    let memo = Memo::new(full(), |_: &u64| now.load(Ordering::SeqCst));
    memo.store().primary().is_away.store(true, Ordering::SeqCst);
    assert_eq!(memo.call(&1), 0);
    now.store(1, Ordering::SeqCst);
    // It answers that there is no entry, and cannot tell whether there was one meanwhile.
    assert_eq!(memo.call(&1), 1);
}

/// A store that others share. At first it finds nothing.
struct Blind {
    entries: LruStore<u64>,
    finds_nothing: AtomicBool,
    /// Another process has changed something since any computation began.
    is_changed: bool,
    begun: OnceLock<()>,
    may_go_on: OnceLock<()>,
}

impl Store for Blind {
    type Value = u64;
    fn len(&self) -> Result<usize, Error> {
        self.entries.len()
    }
    fn clear(&self) -> Result<(), Error> {
        self.entries.clear()
    }
    fn is_shared(&self) -> bool {
        true
    }
}

impl KeyedStore<u64> for Blind {
    fn get(&self, key: &u64) -> Result<Option<u64>, Error> {
        if self.finds_nothing.load(Ordering::SeqCst) { Ok(None) } else { self.entries.get(key) }
    }
    fn insert(&self, key: &u64, value: &u64) -> Result<(), Error> {
        self.entries.insert(key, value)
    }
    fn remove(&self, key: &u64) -> Result<bool, Error> {
        self.entries.remove(key)
    }
    fn begin(&self, _: &u64) -> Ticket {
        // The first one waits.
        if self.begun.set(()).is_ok() {
            self.may_go_on.wait();
        }
        Ticket::default()
    }
    fn insert_begun(&self, key: &u64, value: &u64, _: Option<Duration>, ticket: Ticket) -> Result<bool, Error> {
        if self.is_changed && !ticket.is_refresh { Ok(false) } else { self.insert(key, value).map(|()| true) }
    }
}

/// What is there after a value was inserted during which a later result was computed, and this happened in another process.
fn after_an_insert(is_changed: bool, elsewhere: impl FnOnce(&LruStore<u64>)) -> Option<u64> {
    let store = Blind {
        entries: LruStore::new(10),
        finds_nothing: AtomicBool::new(true),
        is_changed,
        begun: OnceLock::new(),
        may_go_on: OnceLock::new(),
    };
    store.entries.insert(&1_u64, &0).unwrap();
    let memo = Memo::new(&store, |_: &u64| 2);
    std::thread::scope(|scope| {
        let insert = scope.spawn(|| memo.insert(&1, &1));
        store.begun.wait();
        assert_eq!(memo.call(&1), 2);
        elsewhere(&store.entries);
        store.may_go_on.set(()).unwrap();
        insert.join().unwrap().unwrap();
    });
    store.finds_nothing.store(false, Ordering::SeqCst);
    memo.peek(&1).unwrap()
}

#[test]
fn an_inserted_value_leaves_nothing_older_whatever_became_of_a_later_result() {
    assert_eq!(after_an_insert(true, |_| ()), Some(1), "the later result was outdated");
    let replaced = after_an_insert(false, |entries| entries.insert(&1_u64, &0).unwrap());
    assert_eq!(replaced, None, "another process has replaced the later result by an older one");
}
