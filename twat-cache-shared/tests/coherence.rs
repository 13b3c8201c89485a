//! What one process changes, all others see at their next call: in the database, and with memory in front of it.
#![cfg(unix)]

mod common;

use std::cell::{Cell, RefCell};
use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use common::truth::{AnyStore, Board, hot, step};
use common::{META, ask, numbers};
use tempfile::TempDir;
use twat_cache_core::testing::child::{Child, Task};
use twat_cache_core::testing::{in_four_threads, record_logs, volatile_dir, warnings, within};
use twat_cache_core::{Copied, LruStore, Near};
use twat_cache_shared::{Memo, scache};

/// A memo whose results say which process has computed them, and how many it has computed before.
type Signed = Memo<AnyStore, Box<dyn Fn(&u64) -> String>>;

fn signed(kind: &str, dir: &Path) -> Signed {
    let builder = scache("signed").dir(dir);
    let store: AnyStore = match kind {
        "near" => Box::new(Near::new(LruStore::<Copied<String>>::new(100), builder.build())),
        "near a fallback" => Box::new(Near::new(LruStore::<Copied<String>>::new(100), builder.with_memory())),
        _ => Box::new(builder.with_memory()),
    };
    let computed = Cell::new(0);
    Memo::new(
        store,
        Box::new(move |key: &u64| {
            computed.set(computed.get() + 1);
            format!("{key} by {} as {}", std::process::id(), computed.get())
        }),
    )
}

/// Follows orders, and reports the value that it has read.
fn obey(memo: &Signed, order: &str) -> String {
    let (verb, key) = order.split_once(' ').unwrap();
    let key = key.parse().unwrap();
    match verb {
        "call" => memo.call(&key),
        "refresh" => memo.refresh(&key),
        "insert" => {
            let value = (memo.function())(&key);
            memo.insert(&key, &value).map(|()| value).unwrap()
        }
        "peek" => memo.peek(&key).unwrap().unwrap_or_else(|| "nothing".to_owned()),
        "forget" => memo.forget(&key).unwrap().to_string(),
        "clear" => memo.clear().map(|()| "cleared".to_owned()).unwrap(),
        _ => unreachable!("no such order: {verb}"),
    }
}

#[test]
fn child_that_obeys() {
    let Some(mut task) = Task::given() else { return };
    let memo = signed(&task.value("KIND"), &task.dir);
    while let Some(order) = task.order() {
        task.say(obey(&memo, &order));
    }
}

/// Sends an order, and returns the answer.
type Orders<'a> = &'a dyn Fn(&str) -> String;

/// Two processes, each of which is asked for things: this one, and another. `before` is run before each that changes
/// something.
fn see_each_other(kind: &'static str, before: impl Fn(&Path) + Send + 'static) {
    let dir = volatile_dir();
    within(common::LIMIT, move || {
        let child = RefCell::new(Child::with("child_that_obeys", dir.path(), [("KIND", &kind)]));
        let memo = signed(kind, dir.path());
        let here = |order: &str| obey(&memo, order);
        let there = |order: &str| ask(&mut child.borrow_mut(), order);
        for round in 0..12_u64 {
            let key = round / 4;
            let (one, other): (Orders, Orders) = if round % 2 == 0 { (&here, &there) } else { (&there, &here) };
            let (one, other) =
                (|verb: &str| one(&format!("{verb} {key}")), |verb: &str| other(&format!("{verb} {key}")));
            let first = one("call");
            assert_eq!(other("call"), first);
            // How the other process reads next.
            for next in ["call", "peek"] {
                before(dir.path());
                for change in ["refresh", "insert"] {
                    let second = one(change);
                    assert_ne!(second, first);
                    assert_eq!(other(next), second, "after {change}, by {next}");
                    // By now, memory has it.
                    assert_eq!(other(next), second, "after {change}, by {next}");
                }
                before(dir.path());
                assert_eq!(one("forget"), "true");
                assert_eq!(other("peek"), "nothing");
                let third = one("call");
                assert_eq!(other(next), third, "after a new computation, by {next}");
                before(dir.path());
                assert_eq!(one("clear"), "cleared");
                let fourth = other(next);
                assert_ne!(fourth, third, "after a clear, by {next}");
                if next == "peek" {
                    assert_eq!(fourth, "nothing");
                } else {
                    assert_eq!(one(next), fourth);
                }
                one("call");
            }
        }
        drop(child.into_inner().finish());
        assert!(warnings(dir.path()).is_empty(), "{:#?}", warnings(dir.path()));
    });
}

#[test]
fn a_change_by_one_process_is_seen_by_the_next_call_of_another() {
    see_each_other("shared", |_| ());
}

#[test]
fn a_change_by_one_process_makes_copies_in_the_memory_of_another_invalid() {
    see_each_other("near", |_| ());
}

#[test]
fn a_change_by_one_process_makes_copies_in_front_of_a_fallback_invalid() {
    see_each_other("near a fallback", |_| ());
}

/// The counters tell processes of each other's changes. When they are lost, each has to find the same new ones.
#[test]
fn a_change_by_one_process_is_seen_after_the_counters_were_lost() {
    see_each_other("shared", |dir| fs::remove_file(dir.join("scache").join(META)).unwrap());
}

#[test]
fn a_change_by_one_process_is_seen_after_the_counters_were_moved_away() {
    see_each_other("shared", |dir| {
        let meta = dir.join("scache").join(META);
        fs::rename(&meta, meta.with_extension("away")).unwrap();
        // A process may use its open files for ten milliseconds without a look at them.
        thread::sleep(Duration::from_millis(20));
    });
}

/// Four threads do random operations on a few keys until the time is up, while others do.
#[test]
fn child_at_work() {
    let Some(task) = Task::given() else { return };
    let number = |name: &str| task.value(name).parse::<u64>().unwrap();
    let (place, max_bytes, is_near) = (number("PLACE"), number("MAX_BYTES"), number("NEAR") == 1);
    record_logs();
    let memo = common::truth::memo(hot(&task.dir, max_bytes), is_near);
    let board = Board::open(&task.dir);
    in_four_threads(place, 60, |random| {
        // The seeds of the threads follow each other.
        thread_local!(static PLACE: Cell<u64> = const { Cell::new(u64::MAX) });
        if PLACE.get() == u64::MAX {
            PLACE.set(random.0 % 10);
        }
        step(&memo, &board, place * 4 + PLACE.get(), random).unwrap();
    });
    assert!(warnings(&task.dir).is_empty(), "{:#?}", warnings(&task.dir));
}

fn work_together(dir: &TempDir, processes: u64, max_bytes: u64, is_near: impl Fn(u64) -> bool) {
    Board::open(dir.path());
    let start = |place: u64| {
        let near = u64::from(is_near(place));
        Child::with("child_at_work", dir.path(), [("PLACE", &place), ("MAX_BYTES", &max_bytes), ("NEAR", &near)])
    };
    let children: Vec<_> = (0..processes).map(start).collect();
    for child in children {
        child.finish();
    }
    assert_eq!(numbers(&dir.path().join("cache")), [1], "contention is no damage");
}

#[test]
fn two_processes_of_four_threads_get_no_stale_value() {
    work_together(&volatile_dir(), 2, 1 << 30, |_| false);
}

#[test]
fn four_processes_of_four_threads_get_no_stale_value() {
    work_together(&volatile_dir(), 4, 1 << 30, |_| false);
}

#[test]
fn four_processes_of_four_threads_with_memory_in_front_get_no_stale_value() {
    work_together(&volatile_dir(), 4, 1 << 30, |_| true);
}

#[test]
fn processes_that_evict_each_others_entries_get_no_stale_value() {
    work_together(&volatile_dir(), 3, 400 << 10, |place| place == 1);
}

#[test]
fn processes_on_a_disk_get_no_stale_value() {
    work_together(&tempfile::tempdir().unwrap(), 3, 1 << 30, |place| place == 2);
}

/// A stale copy in memory does not hide that another process has computed a new result.
#[test]
fn a_result_that_one_process_computes_anew_is_not_computed_by_another_that_has_a_stale_copy() {
    let dir = volatile_dir();
    let (fresh, stale) = (Duration::from_secs(60), Duration::from_secs(3600));
    let clock = twat_cache_shared::ManualClock::new();
    let near = |value: u64| {
        let store = scache("stale").dir(dir.path()).ttl(fresh).stale(stale).clock(clock.clock()).build();
        Memo::new(Near::new(LruStore::<Copied<u64>>::new(10).clock(clock.clock()), store), move |_: &u8| value)
    };
    let [one, other] = [near(1), near(2)];
    assert_eq!((one.call(&1), other.call(&1)), (1, 1));
    clock.advance(2 * fresh);
    assert_eq!(other.call(&1), 2);
    assert_eq!(one.call(&1), 2, "it has a stale copy");
}
