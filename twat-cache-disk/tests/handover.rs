//! A process starts while its predecessor still has the database: what it computes meanwhile is stored when the predecessor has
//! ended.
#![cfg(unix)]

mod common;

use std::path::Path;
use std::time::Duration;

use common::{Numbers, call_all, computed_anew, memo, value};
use twat_cache_core::testing::child::{Child, Task};
use twat_cache_core::testing::{record_logs, until, warnings};
use twat_cache_disk::{DiskBuilder, DiskStore, ErrorKind, KeyedStore as _, ManualClock, Memo, Store as _, bcache};

/// Calls all keys, says how many were computed, and does what it is told until it is told to end.
#[test]
fn child_that_calls() {
    let Some(mut task) = Task::given() else { return };
    let (memo, computed) = memo(&task.dir);
    while let Some(order) = task.order() {
        let (order, keys) = order.split_once(' ').unwrap();
        let (begin, end) = keys.split_once("..").unwrap();
        let keys = begin.parse().unwrap()..end.parse().unwrap();
        match order {
            "call" => call_all(&memo, keys),
            "refresh" => keys.for_each(|key| assert_eq!(memo.refresh(&key), value(key))),
            // Until the database is open. Each attempt is a call.
            "open" => until_open(&memo),
            _ => unreachable!("{order}"),
        }
        task.say(computed.get());
    }
    assert!(warnings(&task.dir).len() <= 1);
}

fn until_open(memo: &Numbers) {
    until("the database is open", || memo.store().primary().open().is_ok());
}

struct Process(Child);

impl Process {
    fn start(dir: &Path) -> Self {
        Self(Child::start("child_that_calls", dir))
    }

    /// How many keys it has computed so far, when it has done this.
    fn after(&mut self, order: &str) -> u64 {
        self.0.tell(order);
        self.0.hear_number()
    }
}

#[test]
fn what_a_successor_computes_beside_its_predecessor_is_stored_afterwards() {
    let dir = tempfile::tempdir().unwrap();
    let mut predecessor = Process::start(dir.path());
    assert_eq!(predecessor.after("call 0..10"), 10);
    let mut successor = Process::start(dir.path());
    assert_eq!(successor.after("call 5..30"), 25, "it does not have the database");
    predecessor.0.finish();
    // None of the keys is called again.
    assert_eq!(successor.after("open 0..0"), 25);
    successor.0.kill();
    assert_eq!(computed_anew(dir.path(), 0..30), 0);
}

#[test]
fn a_rolling_restart_keeps_all_that_any_generation_has_computed() {
    let dir = tempfile::tempdir().unwrap();
    let mut predecessor = Process::start(dir.path());
    assert_eq!(predecessor.after("call 0..10"), 10);
    for generation in 1..=4 {
        let mut successor = Process::start(dir.path());
        assert_eq!(successor.after(&format!("call {generation}0..{generation}5")), 5);
        predecessor.0.finish();
        successor.after("open 0..0");
        // All that was computed before it, and by itself.
        assert_eq!(successor.after(&format!("call 0..{generation}5")), 5);
        assert_eq!(successor.after(&format!("call {generation}5..{}0", generation + 1)), 10);
        predecessor = successor;
    }
    predecessor.0.finish();
    assert_eq!(computed_anew(dir.path(), 0..50), 0);
}

/// A memo of numbers beside a process that has the database with this order done, and that process.
fn beside(dir: &Path, order: &str) -> (Process, Memo<twat_cache_disk::DiskFallback<u64>, impl Fn(&u64) -> u64>) {
    let mut predecessor = Process::start(dir);
    predecessor.after(order);
    record_logs();
    (predecessor, bcache("squares").dir(dir).wrap(|n: &u64| n * n))
}

fn store(dir: &Path) -> DiskStore<u64> {
    bcache("squares").dir(dir).build()
}

#[test]
fn what_is_forgotten_beside_a_predecessor_is_not_stored() {
    let dir = tempfile::tempdir().unwrap();
    let (predecessor, memo) = beside(dir.path(), "call 0..1");
    (0..5).for_each(|n| assert_eq!(memo.call(&n), n * n));
    assert_eq!(memo.forget(&3).unwrap_err().kind(), ErrorKind::Locked);
    predecessor.0.finish();
    until("the database is open", || memo.store().primary().open().is_ok());
    let stored = |n: u64| store(dir.path()).get(&n).unwrap();
    assert_eq!([1, 2, 3, 4].map(stored), [Some(1), Some(4), None, Some(16)]);
    // What is computed from now on is stored.
    assert_eq!(memo.call(&3), 9);
    assert_eq!(stored(3), Some(9));
}

#[test]
fn what_is_cleared_beside_a_predecessor_is_not_stored() {
    let dir = tempfile::tempdir().unwrap();
    let (predecessor, memo) = beside(dir.path(), "call 0..1");
    (0..5).for_each(|n| assert_eq!(memo.call(&n), n * n));
    assert_eq!(memo.clear().unwrap_err().kind(), ErrorKind::Locked);
    predecessor.0.finish();
    until("the database is open", || memo.store().primary().open().is_ok());
    assert_eq!(store(dir.path()).len().unwrap(), 0);
}

#[test]
fn a_computation_that_began_before_something_was_forgotten_is_not_stored() {
    let dir = tempfile::tempdir().unwrap();
    let (predecessor, memo) = beside(dir.path(), "call 0..1");
    let store = memo.store().primary();
    let [before_both, before_one] = [(); 2].map(|()| {
        let ticket = store.begin(&7_u64);
        assert!(store.remove(&8_u64).is_err());
        ticket
    });
    assert!(!store.insert_begun(&7_u64, &1, None, before_both).unwrap());
    let after = store.begin(&7_u64);
    predecessor.0.finish();
    until("the database is open", || store.open().is_ok());
    assert!(!store.insert_begun(&7_u64, &2, None, before_one).unwrap());
    assert_eq!(store.get(&7_u64).unwrap(), None);
    assert!(store.insert_begun(&7_u64, &3, None, after).unwrap());
    assert_eq!(store.get(&7_u64).unwrap(), Some(3));
}

#[test]
fn of_two_results_of_a_key_the_predecessors_stays_and_a_refresh_leaves_neither() {
    let dir = tempfile::tempdir().unwrap();
    let mut predecessor = Process::start(dir.path());
    predecessor.after("call 0..10");
    let mut successor = Process::start(dir.path());
    assert_eq!(successor.after("call 0..12"), 12);
    assert_eq!(successor.after("refresh 3..5"), 14);
    predecessor.0.finish();
    successor.after("open 0..0");
    successor.0.finish();
    let (memo, _) = memo(dir.path());
    let found: Vec<u64> = (0..12).filter(|key| memo.peek(key).unwrap().is_some()).collect();
    assert_eq!(found, [0, 1, 2, 5, 6, 7, 8, 9, 10, 11]);
}

#[test]
fn what_waits_keeps_its_deadline() {
    let dir = tempfile::tempdir().unwrap();
    let (predecessor, _) = beside(dir.path(), "call 0..1");
    let hand = ManualClock::new();
    let builder: DiskBuilder = bcache("squares").dir(dir.path()).ttl(Duration::from_secs(60)).clock(hand.clock());
    let store: DiskStore<u64> = builder.build();
    assert!(store.insert(&1_u64, &1).is_err());
    hand.advance(Duration::from_secs(30));
    assert!(store.insert(&2_u64, &4).is_err());
    assert!(store.insert_with_ttl(&3_u64, &9, Some(Duration::from_secs(10))).is_err());
    assert!(store.insert_with_ttl(&4_u64, &16, Some(Duration::ZERO)).is_err());
    hand.advance(Duration::from_secs(20));
    predecessor.0.finish();
    until("the database is open", || store.open().is_ok());
    assert_eq!([1_u64, 2, 3, 4].map(|n| store.get(&n).unwrap()), [Some(1), Some(4), None, None]);
    hand.advance(Duration::from_secs(10));
    assert_eq!([1_u64, 2].map(|n| store.get(&n).unwrap()), [None, Some(4)]);
}

#[test]
fn many_results_do_not_all_wait() {
    let dir = tempfile::tempdir().unwrap();
    let (predecessor, _) = beside(dir.path(), "call 0..1");
    let [many, small] = [("many", 1 << 20), ("small", 1_000)]
        .map(|(name, limit)| bcache(name).dir(dir.path()).max_bytes(limit).build::<u64>());
    (0..2000_u64).for_each(|n| assert!(many.insert(&n, &n).is_err()));
    (0..2000_u64).for_each(|n| assert!(small.insert(&n, &n).is_err()));
    predecessor.0.finish();
    until("the database is open", || many.open().is_ok() && small.open().is_ok());
    let stored = |store: &DiskStore<u64>| (0..2000_u64).filter(|n| store.get(n).unwrap() == Some(*n)).count();
    assert_eq!(stored(&many), 1024);
    assert!((5..=20).contains(&stored(&small)), "{}", stored(&small));
    assert!(many.get(&1999_u64).unwrap().is_some(), "the last one has not given way");
}

#[test]
fn after_any_number_of_results_those_of_earlier_processes_are_still_there() {
    let dir = tempfile::tempdir().unwrap();
    (0..10).for_each(|n| store(dir.path()).insert(&n, &(n * n)).unwrap());
    let (predecessor, memo) = beside(dir.path(), "call 0..1");
    // More than a `Fallback` remembers single keys of.
    (5..70_000).for_each(|n| assert_eq!(memo.call(&n), n * n));
    predecessor.0.finish();
    until("the database is open", || memo.store().primary().open().is_ok());
    assert_eq!(memo.call(&70_000), 4_900_000_000);
    let stored = store(dir.path());
    assert!((0..10).all(|n| stored.get(&n).unwrap() == Some(n * n)));
    assert!(stored.len().unwrap() > 1_000);
}
