//! A result that another process computes is not stored if its entry is removed, cleared or refreshed here since that process
//! began to compute it.
#![cfg(all(target_os = "linux", target_pointer_width = "64"))]

use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use twat_cache_core::Ticket;
use twat_cache_core::testing::child::{Child, Task};
use twat_cache_core::testing::{volatile_dir, within};
use twat_cache_file::{FileFallback, FileStore, KeyedStore as _, Memo, fcache};

/// A computation that reports its start, and returns the next order as its result.
#[test]
fn child_that_computes_what_it_is_told() {
    let Some(mut task) = Task::given() else { return };
    let dir = task.dir.clone();
    let order = task.order().unwrap();
    let task = Mutex::new(task);
    let memo = fcache("told").dir(dir).wrap(|_: &u64| {
        let mut task = task.lock().unwrap();
        task.say("begun");
        task.order().unwrap()
    });
    let value = match order.split_once(' ').unwrap() {
        ("call", key) => memo.call(&key.parse().unwrap()),
        ("view", key) => memo.view(&key.parse().unwrap()).to_value().unwrap(),
        (_, key) => memo.refresh(&key.parse().unwrap()),
    };
    task.lock().unwrap().say(value);
}

/// A process that has begun to compute.
fn begun(dir: &Path, order: &str) -> Child {
    let mut child = Child::start("child_that_computes_what_it_is_told", dir);
    child.tell(order);
    assert_eq!(child.hear().as_deref(), Some("begun"));
    child
}

/// It gets its own result, stored or not. A view may show a newer one.
fn end(mut child: Child, value: &str) {
    child.tell(value);
    let said = child.finish();
    assert!(said == [value] || said == ["new"], "{said:?}");
}

type Texts = Memo<FileFallback<String>, fn(&u64) -> String>;

#[expect(clippy::trivially_copy_pass_by_ref, reason = "a memo's function takes its key so")]
fn new(_: &u64) -> String {
    String::from("new")
}

fn memo(dir: &Path) -> Texts {
    fcache("told").dir(dir).wrap(new as fn(&u64) -> String)
}

/// An operation after which no call may return a result that was computed before.
type Change = (&'static str, fn(&Texts), Option<&'static str>);

const CHANGES: [Change; 3] = [
    ("forget", |memo| assert!(memo.forget(&1).is_ok()), None),
    ("clear", |memo| memo.clear().unwrap(), None),
    ("refresh", |memo| assert_eq!(memo.refresh(&1), "new"), Some("new")),
];

#[test]
fn a_computation_that_another_process_began_before_a_change_is_not_stored() {
    within(Duration::from_secs(60), || {
        for (change, make, is_there) in CHANGES {
            for order in ["call 1", "view 1", "refresh 1"] {
                let dir = volatile_dir();
                let memo = memo(dir.path());
                let child = begun(dir.path(), order);
                make(&memo);
                assert_eq!(memo.peek(&1).unwrap().as_deref(), is_there, "{change} during {order}");
                end(child, "old");
                assert_eq!(memo.peek(&1).unwrap().as_deref(), is_there, "{change} during {order}");
                assert_eq!(memo.call(&1), "new", "{change} during {order}");
                assert_eq!(self::memo(dir.path()).call(&1), "new", "{change} during {order}");
            }
        }
    });
}

#[test]
fn a_computation_that_another_process_began_after_a_change_is_stored() {
    within(Duration::from_secs(60), || {
        for (change, make, _) in CHANGES {
            let dir = volatile_dir();
            let memo = memo(dir.path());
            make(&memo);
            let child = begun(dir.path(), "refresh 1");
            end(child, "newer");
            assert_eq!(memo.call(&1), "newer", "after a {change}");
        }
    });
}

#[test]
fn of_two_refreshes_in_two_processes_the_result_of_the_later_one_stays() {
    within(Duration::from_secs(60), || {
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

/// Removals are noted in the counters.
#[test]
fn a_computation_during_which_the_counters_are_lost_is_not_stored() {
    within(Duration::from_secs(60), || {
        for is_forgotten in [true, false] {
            let dir = volatile_dir();
            let memo = memo(dir.path());
            let child = begun(dir.path(), "call 1");
            if is_forgotten {
                memo.forget(&1).unwrap();
            }
            fs::remove_file(fcache("told").dir(dir.path()).open::<String>().unwrap().path().join("meta")).unwrap();
            end(child, "old");
            assert_eq!(memo.call(&1), "new");
        }
    });
}

fn open(dir: &Path) -> FileStore<String> {
    fcache("told").dir(dir).open().unwrap()
}

fn insert(store: &FileStore<String>, key: u64, value: &str, ticket: Ticket) -> bool {
    store.insert_begun(&key, &value.to_owned(), None, ticket).unwrap()
}

#[test]
fn a_stale_result_changes_no_entry() {
    let dir = volatile_dir();
    let [here, there] = [(); 2].map(|()| open(dir.path()));
    let tickets = [(); 3].map(|()| here.begin(&1_u64));
    there.remove(&1_u64).unwrap();
    assert!(!insert(&here, 1, "old", tickets[0]));
    assert_eq!(here.get(&1_u64).unwrap(), None);
    there.insert(&1_u64, &"new".to_owned()).unwrap();
    assert!(!insert(&here, 1, "old", tickets[1]));
    // A stale result that is too large does not remove the entry.
    let limited = fcache("told").dir(dir.path()).max_bytes(1000).open::<String>().unwrap();
    assert!(!insert(&limited, 1, &"old".repeat(1000), tickets[2]));
    assert_eq!(here.get(&1_u64).unwrap().as_deref(), Some("new"));
    assert!(insert(&limited, 1, &"newer".repeat(1000), limited.begin(&1_u64)));
    assert_eq!(here.get(&1_u64).unwrap(), None);
    assert_eq!(fs::read_dir(here.path().join("tmp")).unwrap().count(), 0, "something half-written is left");
}

#[test]
fn storing_and_removing_other_entries_invalidates_no_computation() {
    let dir = volatile_dir();
    let [here, there] = [(); 2].map(|()| open(dir.path()));
    let stripe = |key: u64| {
        let name = here.path_of(&key).unwrap().file_name().unwrap().to_str().unwrap().to_owned();
        u16::from_str_radix(&name[..4], 16).unwrap() % 2048
    };
    let neighbour = (1..100_000).find(|key| stripe(*key) == stripe(0)).unwrap();
    let tickets = [here.begin(&0_u64), there.begin(&neighbour), here.begin(&0_u64)];
    assert!(insert(&there, neighbour, "neighbour", tickets[1]));
    there.insert(&0_u64, &"meanwhile".to_owned()).unwrap();
    assert!(insert(&here, 0, "first", tickets[0]));
    assert!(insert(&here, 0, "second", tickets[2]));
    assert_eq!(there.get(&0_u64).unwrap().as_deref(), Some("second"));
    // Removing an entry of another stripe invalidates none either.
    let ticket = here.begin(&0_u64);
    let stranger = (1..100_000).find(|key| stripe(*key) != stripe(0)).unwrap();
    there.remove(&stranger).unwrap();
    assert!(insert(&here, 0, "third", ticket));
}

/// As if its process was killed before the result got its name.
#[test]
fn a_refresh_that_could_not_store_its_result_keeps_no_older_one() {
    let dir = volatile_dir();
    let [here, there] = [(); 2].map(|()| open(dir.path()));
    here.insert(&1_u64, &"oldest".to_owned()).unwrap();
    let [first, second] = [&here, &there].map(|store| Ticket { is_refresh: true, ..store.begin(&1_u64) });
    // Something is in the way of the directory of the entry, and cannot be moved aside.
    let path = here.path_of(&1_u64).unwrap();
    let part = path.parent().unwrap();
    let aside = |number: u32| match number {
        1 => part.with_extension("in-the-way"),
        _ => part.with_extension(format!("in-the-way-{number}")),
    };
    fs::rename(part, dir.path().join("part")).unwrap();
    fs::write(part, "").unwrap();
    (1..=16).for_each(|number| fs::write(aside(number), "").unwrap());
    there.insert_begun(&1_u64, &"second".to_owned(), None, second).unwrap_err();
    fs::remove_file(part).unwrap();
    fs::rename(dir.path().join("part"), part).unwrap();
    here.insert_begun(&1_u64, &"first".to_owned(), None, first).unwrap();
    assert_ne!(here.get(&1_u64).unwrap().as_deref(), Some("oldest"), "it is older than a refresh that has ended");
}

#[test]
fn a_result_that_is_written_while_the_counters_are_lost_is_never_found() {
    within(Duration::from_secs(60), || {
        let dir = volatile_dir();
        let [here, there] = [(); 2].map(|()| open(dir.path()));
        let ticket = here.begin(&1_u64);
        let stale = "stale".repeat(10_000_000);
        thread::scope(|scope| {
            let storing = scope.spawn(|| here.insert_begun(&1_u64, &stale, None, ticket).unwrap());
            while fs::read_dir(there.path().join("tmp")).unwrap().count() == 0 {
                assert!(!storing.is_finished(), "it was written too fast for this test");
            }
            fs::remove_file(there.path().join("meta")).unwrap();
            there.remove(&1_u64).unwrap();
            let path = there.path_of(&1_u64).unwrap();
            while !storing.is_finished() {
                assert!(!path.exists());
            }
            assert!(!storing.join().unwrap());
        });
    });
}

#[test]
fn a_result_that_is_not_to_be_stored_invalidates_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let store = fcache("some").dir(dir.path()).open::<u64>().unwrap();
    let began: Vec<_> = (0..2000_u64).map(|key| (key, store.begin(&key))).collect();
    let not_stored = |key: u64, ticket| store.insert_begun(&key, &key, Some(Duration::ZERO), ticket).unwrap();
    // Among this many keys, some are in one stripe of the counters.
    assert!(began[..1000].iter().all(|(key, ticket)| not_stored(*key, *ticket)));
    assert!(began[1000..].iter().all(|(key, ticket)| store.insert_begun(key, key, None, *ticket).unwrap()));
    // An outdated one does not remove what is newer.
    let outdated = store.begin(&1);
    store.remove(&1_u64).unwrap();
    store.insert(&1_u64, &7).unwrap();
    assert!(!not_stored(1, outdated));
    assert_eq!(store.get(&1_u64).unwrap(), Some(7));
    assert!(not_stored(1, store.begin(&1)));
    assert_eq!(store.get(&1_u64).unwrap(), None);
}
