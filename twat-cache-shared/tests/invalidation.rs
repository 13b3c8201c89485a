//! A result that another process computes is not stored if its entry is removed, cleared or replaced here since that process
//! began to compute it.
#![cfg(target_os = "linux")]

mod common;

use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use common::{LIMIT, META, ask, database, start};
use twat_cache_core::testing::child::{Child, Task};
use twat_cache_core::testing::{volatile_dir, within};
use twat_cache_core::{Copied, LruStore, Near, Ticket};
use twat_cache_shared::{
    KeyedStore as _, ManualClock, Memo, SharedBuilder, SharedFallback, SharedStore, Store, scache,
};

fn cache(dir: &Path) -> SharedBuilder {
    scache("told").dir(dir)
}

/// A computation that reports its start, and returns the next order as its result.
#[test]
fn child_that_computes_what_it_is_told() {
    let Some(mut task) = Task::given() else { return };
    let dir = task.dir.clone();
    let order = task.order().unwrap();
    let task = Mutex::new(task);
    let memo = cache(&dir).wrap(|_: &u64| {
        let mut task = task.lock().unwrap();
        task.say("begun");
        task.order().unwrap()
    });
    let value = match order.split_once(' ').unwrap() {
        ("call", key) => memo.call(&key.parse().unwrap()),
        (_, key) => memo.refresh(&key.parse().unwrap()),
    };
    task.lock().unwrap().say(value);
}

/// A process that has begun to compute.
fn begun(dir: &Path, order: &str) -> Child {
    let mut child = Child::start("child_that_computes_what_it_is_told", dir);
    assert_eq!(ask(&mut child, order), "begun");
    child
}

/// It gets its own result, stored or not.
fn end(mut child: Child, value: &str) {
    child.tell(value);
    assert_eq!(child.finish(), [value]);
}

type Texts = Memo<SharedFallback<String>, fn(&u64) -> String>;

#[expect(clippy::trivially_copy_pass_by_ref, reason = "a memo's function takes its key so")]
fn new(_: &u64) -> String {
    String::from("new")
}

fn memo(dir: &Path) -> Texts {
    cache(dir).wrap(new as fn(&u64) -> String)
}

/// An operation after which no call may return a result that was computed before.
type Change = (&'static str, fn(&Texts), Option<&'static str>);

const CHANGES: [Change; 4] = [
    ("forget", |memo| assert!(memo.forget(&1).is_ok()), None),
    ("clear", |memo| memo.clear().unwrap(), None),
    ("refresh", |memo| assert_eq!(memo.refresh(&1), "new"), Some("new")),
    ("insert", |memo| memo.insert(&1, &"new".to_owned()).unwrap(), Some("new")),
];

#[test]
fn a_computation_that_another_process_began_before_a_change_is_not_stored() {
    within(LIMIT, || {
        for (change, make, is_there) in CHANGES {
            for order in ["call 1", "refresh 1"] {
                let dir = volatile_dir();
                let memo = memo(dir.path());
                let child = begun(dir.path(), order);
                make(&memo);
                assert_eq!(memo.peek(&1).unwrap().as_deref(), is_there, "{change} during {order}");
                end(child, "old");
                assert_eq!(memo.peek(&1).unwrap().as_deref(), is_there, "{change} during {order}");
                assert_eq!(memo.call(&1), "new", "{change} during {order}");
            }
        }
    });
}

#[test]
fn a_computation_that_another_process_began_after_a_change_is_stored() {
    within(LIMIT, || {
        for (change, make, _) in CHANGES {
            for order in ["call 1", "refresh 1"] {
                let dir = volatile_dir();
                let memo = memo(dir.path());
                make(&memo);
                if order == "call 1" {
                    memo.forget(&1).unwrap();
                }
                end(begun(dir.path(), order), "newer");
                assert_eq!(memo.call(&1), "newer", "{order} after {change}");
            }
        }
    });
}

#[test]
fn of_two_refreshes_in_two_processes_the_result_of_the_later_one_stays() {
    within(LIMIT, || {
        for is_first_done_first in [true, false] {
            let dir = volatile_dir();
            let (first, second) = (begun(dir.path(), "refresh 1"), begun(dir.path(), "refresh 1"));
            if is_first_done_first {
                end(first, "first");
                assert_eq!(memo(dir.path()).call(&1), "first");
                end(second, "second");
            } else {
                end(second, "second");
                end(first, "first");
            }
            assert_eq!(memo(dir.path()).call(&1), "second", "the first done first: {is_first_done_first}");
        }
    });
}

/// The store of another process, which does what it is told.
#[test]
fn child_with_a_store() {
    let Some(mut task) = Task::given() else { return };
    let store = open(&task.dir);
    task.say("ready");
    while let Some(order) = task.order() {
        match &*order {
            "forget" => drop(store.remove(&1_u64).unwrap()),
            "clear" => store.clear().unwrap(),
            "refresh" => {
                let ticket = Ticket { is_refresh: true, ..store.begin(&1_u64) };
                assert!(store.insert_begun(&1_u64, &"there".to_owned(), None, ticket).unwrap());
            }
            "store" => {
                let ticket = store.begin(&1_u64);
                assert!(store.insert_begun(&1_u64, &"there".to_owned(), None, ticket).unwrap());
            }
            _ => {}
        }
        task.say(store.get(&1_u64).unwrap().unwrap_or_default());
    }
}

fn open(dir: &Path) -> SharedStore<String> {
    cache(dir).open().unwrap()
}

fn insert(store: &SharedStore<String>, value: &str, ticket: Ticket) -> bool {
    store.insert_begun(&1_u64, &value.to_owned(), None, ticket).unwrap()
}

/// What a process that is about to store a result may find in another state than when it last looked.
type Loss = (&'static str, fn(&Path));

const LOSSES: [Loss; 4] = [
    ("the counters are removed", |dir| fs::remove_file(dir.join("scache").join(META)).unwrap()),
    ("the counters are moved", |dir| {
        let meta = dir.join("scache").join(META);
        fs::rename(&meta, meta.with_extension("away")).unwrap();
    }),
    ("the database is removed", |dir| fs::remove_dir_all(database(dir)).unwrap()),
    ("all is moved", |dir| fs::rename(dir.join("scache"), dir.join("away")).unwrap()),
];

/// At once, before this process looks at its files again.
#[test]
fn a_result_from_before_a_change_is_not_stored_after_files_were_lost() {
    within(LIMIT, || {
        for (loss, lose) in LOSSES {
            for change in ["forget", "clear", "refresh"] {
                let dir = volatile_dir();
                let here = open(dir.path());
                assert!(insert(&here, "old", here.begin(&1_u64)));
                let mut there = start("child_with_a_store", dir.path());
                assert_eq!(ask(&mut there, "look"), "old");
                let ticket = here.begin(&1_u64);
                here.get(&1_u64).unwrap();
                lose(dir.path());
                // It opens what is there now.
                let mut new = start("child_with_a_store", dir.path());
                let after = if change == "refresh" { "there" } else { "" };
                assert_eq!(ask(&mut new, change), after);
                assert!(!insert(&here, "old", ticket), "{change} after {loss}");
                // What was moved may be used for ten milliseconds.
                thread::sleep(Duration::from_millis(20));
                for child in [&mut there, &mut new] {
                    assert_eq!(ask(child, "look"), after, "{change} after {loss}");
                }
                assert_eq!(here.get(&1_u64).unwrap().unwrap_or_default(), after, "{change} after {loss}");
                assert_eq!(ask(&mut there, "store"), "there");
                assert_eq!(here.get(&1_u64).unwrap().as_deref(), Some("there"), "{change} after {loss}");
            }
        }
    });
}

/// The process that removes it has not noticed yet that other processes use other files.
#[test]
fn what_a_process_forgets_after_files_were_lost_is_forgotten_by_all() {
    within(LIMIT, || {
        for (loss, lose) in LOSSES {
            for is_cleared in [false, true] {
                let dir = volatile_dir();
                let here = open(dir.path());
                here.get(&1_u64).unwrap();
                lose(dir.path());
                let mut new = start("child_with_a_store", dir.path());
                assert_eq!(ask(&mut new, "store"), "there");
                if is_cleared {
                    here.clear().unwrap();
                } else {
                    here.remove(&1_u64).unwrap();
                }
                assert_eq!(ask(&mut new, "look"), "", "after {loss}");
            }
        }
    });
}

/// As if its process was killed between its transaction and the next step.
#[test]
fn after_a_clear_whose_process_was_killed_all_processes_find_the_same() {
    within(LIMIT, || {
        let dir = volatile_dir();
        let here = open(dir.path());
        assert!(insert(&here, "old", here.begin(&1_u64)));
        let meta = dir.path().join("scache").join(META);
        let spaces = u64::from_le_bytes(fs::read(&meta).unwrap()[40..48].try_into().unwrap());
        let file = fs::File::options().write(true).open(&meta).unwrap();
        let mut there = start("child_with_a_store", dir.path());
        here.with_connection(|connection| {
            connection.execute_batch("BEGIN IMMEDIATE").unwrap();
            std::os::unix::fs::FileExt::write_all_at(&file, &((spaces + 2) | 1).to_le_bytes(), 40).unwrap();
            assert_eq!(ask(&mut there, "look"), "old");
            connection
                .execute_batch(
                    "CREATE TEMP TABLE old AS SELECT name, id FROM space; UPDATE space SET id = NULL;
                     INSERT INTO space (name, id, cleared) SELECT name, id, 0 FROM old; COMMIT;",
                )
                .unwrap();
        })
        .unwrap();
        assert_eq!(ask(&mut there, "look"), "");
        let mut new = start("child_with_a_store", dir.path());
        assert_eq!(ask(&mut there, "store"), "there");
        assert_eq!(ask(&mut new, "look"), "there");
        assert_eq!(ask(&mut new, "clear"), "");
        assert_eq!(ask(&mut there, "look"), "");
    });
}

const MINUTE: Duration = Duration::from_secs(60);

/// A cache of a run that begins this many minutes later. Results are fresh for 60 minutes, and then stale for 60 more.
fn stale(dir: &Path, minutes: u32) -> SharedBuilder {
    let clock = ManualClock::new();
    clock.advance(MINUTE * minutes);
    scache("stale").dir(dir).ttl(60 * MINUTE).stale(60 * MINUTE).clock(clock.clock())
}

/// Computes, as a run that begins 90 minutes later. It says when it begins, and gives this number when it is told to.
#[test]
fn child_that_computes_a_stale_result_anew() {
    let Some(task) = Task::given() else { return };
    let dir = task.dir.clone();
    let task = Mutex::new(task);
    let memo = stale(&dir, 90).wrap(|_: &u8| {
        let mut task = task.lock().unwrap();
        task.say("begun");
        task.order().unwrap().parse::<u64>().unwrap()
    });
    let number = memo.call(&1);
    task.lock().unwrap().say(number);
}

#[test]
fn while_one_process_computes_a_stale_result_anew_the_others_have_the_old_one_or_what_replaces_it() {
    within(LIMIT, || {
        for change in ["nothing", "forget", "refresh"] {
            let dir = volatile_dir();
            assert_eq!(stale(dir.path(), 0).wrap(|_: &u8| 1_u64).call(&1), 1);
            let mut child = Child::start("child_that_computes_a_stale_result_anew", dir.path());
            assert_eq!(child.hear().as_deref(), Some("begun"));
            let memo = stale(dir.path(), 90).wrap(|_: &u8| 3_u64);
            let near = Memo::new(
                Near::new(LruStore::<Copied<u64>>::new(10), stale(dir.path(), 90).build()),
                |_: &u8| -> u64 { panic!("the child computes already") },
            );
            for _ in 0..10 {
                assert_eq!((memo.call(&1), near.call(&1)), (1, 1));
            }
            let after = match change {
                "forget" => {
                    assert!(memo.forget(&1).unwrap());
                    assert_eq!((memo.peek(&1).unwrap(), near.peek(&1).unwrap()), (None, None));
                    3
                }
                "refresh" => {
                    assert_eq!(memo.refresh(&1), 3);
                    assert_eq!((memo.call(&1), near.call(&1)), (3, 3));
                    3
                }
                _ => 2,
            };
            child.tell(2);
            assert_eq!(child.finish(), ["2"]);
            assert_eq!((memo.call(&1), near.call(&1)), (after, after), "after {change}");
        }
    });
}
