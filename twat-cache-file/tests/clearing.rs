//! A cleared cache is empty at once for all processes. The first process that can removes its files in the background.
#![cfg(all(target_os = "linux", target_pointer_width = "64"))]

mod common;

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::thread;

use common::{Settled, blocks, entries_below, held, hold, settle};
use rustix::process::{Resource, Rlimit, setrlimit};
use tempfile::TempDir;
use twat_cache_core::testing::child::{Child, Task};
use twat_cache_core::testing::obstacles::{THEIRS, inode};
use twat_cache_core::testing::persistent::{hits, insert_all};
use twat_cache_core::testing::volatile_dir;
use twat_cache_file::{FileStore, KeyedStore as _, Store as _, ViewStore as _, fcache};

const SOME: u64 = 1000;

fn open(dir: &Path) -> FileStore<String> {
    fcache("cleared").dir(dir).open().unwrap()
}

/// A cache with some entries, and its directory.
fn filled() -> (TempDir, FileStore<String>, PathBuf) {
    let dir = volatile_dir();
    let store = open(dir.path());
    insert_all(&store, 0..SOME);
    let cache = store.path().to_owned();
    (dir, store, cache)
}

/// Nothing is left, and nothing is counted.
fn assert_removed(dir: &Path) {
    assert_removed_but(dir, 0);
}

/// Nothing is left, and at most this many bytes are counted.
fn assert_removed_but(dir: &Path, counted: u64) {
    let store = open(dir);
    settle(store.path());
    assert_eq!(entries_below(store.path()), (0, 0));
    assert!(held(store.path()) <= counted, "{}", held(store.path()));
    let left: Vec<_> = fs::read_dir(store.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| ["meta", "tmp", "lock"].iter().any(|known| name == known)), "{left:?}");
}

#[test]
fn clear_returns_before_the_files_are_removed_and_nobody_finds_them() {
    let (dir, store, cache) = filled();
    let other = open(dir.path());
    assert_eq!(hits(&other, 0..SOME), SOME);
    let view = store.view(&7_u64).unwrap().unwrap();
    let (all, begun) = (entries_below(&cache), store.begin(&7_u64));
    let held_back = hold(&cache);
    store.clear().unwrap();
    assert_eq!((entries_below(&cache), held(&cache)), (all, all.1), "they are removed later, and count until then");
    for store in [&store, &other, &open(dir.path())] {
        assert_eq!((store.len().unwrap(), hits(store, 0..SOME)), (0, 0));
    }
    assert!(!other.insert_begun(&7_u64, &String::from("old"), None, begun).unwrap(), "it began before");
    insert_all(&other, [SOME]);
    assert_eq!((store.len().unwrap(), hits(&store, 0..=SOME)), (1, 1));
    store.clear().unwrap();
    assert_eq!(hits(&other, [SOME]), 0);
    drop(held_back);
    assert_removed(dir.path());
    assert_eq!(view.len(), 1000, "a view stays");
}

#[test]
fn child_that_clears() {
    let Some(mut task) = Task::given() else { return };
    open(&task.dir).clear().unwrap();
    task.say("cleared");
    task.order();
}

#[test]
fn what_a_process_has_cleared_that_was_killed_then_is_gone_and_the_next_one_removes_it() {
    let (dir, store, cache) = filled();
    let held_back = hold(&cache);
    let mut child = Child::start("child_that_clears", dir.path());
    assert_eq!(child.hear().as_deref(), Some("cleared"));
    child.kill();
    assert_eq!((store.len().unwrap(), hits(&store, 0..SOME)), (0, 0));
    assert_eq!(entries_below(&cache).0 as u64, SOME);
    drop(held_back);
    assert_removed(dir.path());
}

#[test]
fn a_process_may_be_killed_or_end_while_it_removes_files() {
    for is_killed in [true, false] {
        let (dir, _, cache) = filled();
        let mut child = Child::start("child_that_clears", dir.path());
        assert_eq!(child.hear().as_deref(), Some("cleared"));
        if is_killed {
            child.kill();
        } else {
            child.finish();
        }
        // One that it has removed and not subtracted yet. The next listing corrects that.
        assert_removed_but(dir.path(), blocks().entry());
        insert_all(&open(dir.path()), 0..SOME);
        assert_eq!(entries_below(&cache).0 as u64, SOME);
    }
}

#[test]
fn what_was_cleared_makes_room_first() {
    let dir = volatile_dir();
    let Settled(store) = blocks().limited(dir.path(), 200);
    insert_all(&store, 0..200);
    let limit = held(store.path());
    // It has listed them.
    insert_all(&store, 200..203);
    settle(store.path());
    let evicted = store.evictions();
    // As if a process is stopped that removes files.
    let stopped = hold(store.path());
    store.clear().unwrap();
    for n in 1000..1200 {
        insert_all(&store, [n]);
        assert!(held(store.path()) <= limit + limit / 10, "after {n}");
    }
    assert_eq!(hits(&store, 1000..1200), 200, "nobody evicts them for what was cleared");
    assert_eq!(store.evictions(), evicted);
    drop(stopped);
    drop(store);
    let Settled(store) = blocks().limited(dir.path(), 200);
    settle(store.path());
    assert_eq!(entries_below(store.path()), (200, held(store.path())));
}

#[test]
fn other_versions_and_types_and_the_files_of_others_stay() {
    let (dir, store, cache) = filled();
    let version = fcache("cleared").dir(dir.path()).version(1).open::<String>().unwrap();
    let numbers = fcache("cleared").dir(dir.path()).open::<u64>().unwrap();
    insert_all(&version, 0..10);
    numbers.insert(&1_u64, &1).unwrap();
    let entries = store.path_of(&0_u64).unwrap().parent().unwrap().to_owned();
    let theirs = ["theirs", "0123456789abcdef", "fedcba9876543210-0123456789abcdef"].map(|name| entries.join(name));
    let link = entries.join("link");
    fs::create_dir(&theirs[0]).unwrap();
    fs::write(theirs[0].join("theirs"), THEIRS).unwrap();
    theirs[1..].iter().for_each(|path| fs::write(path, THEIRS).unwrap());
    symlink(dir.path(), &link).unwrap();
    // In the way of an entry, which is moved aside as always.
    let blocked = store.path_of(&1_u64).unwrap();
    fs::remove_file(&blocked).unwrap();
    fs::create_dir(&blocked).unwrap();
    let paths = [&theirs[0], &theirs[1], &theirs[2], &link];
    let before = (paths.map(|path| inode(path)), inode(&blocked));
    for _ in 0..2 {
        store.clear().unwrap();
        settle(&cache);
        assert_eq!(entries_below(&cache).0, 11);
        assert_eq!((store.len().unwrap(), version.len().unwrap(), numbers.len().unwrap()), (0, 10, 1));
        let after = (paths.map(|path| inode(path)), inode(&blocked.with_extension("in-the-way")));
        assert_eq!(after, before);
        assert_eq!(fs::read_to_string(theirs[0].join("theirs")).unwrap(), THEIRS);
        insert_all(&store, 0..10);
        assert_eq!(hits(&store, 0..10), 10);
    }
}

#[test]
fn threads_that_store_while_others_clear_lose_nothing_that_came_later() {
    let dir = volatile_dir();
    let stores = [(); 4].map(|()| open(dir.path()));
    thread::scope(|scope| {
        for (part, store) in (0_u64..).zip(&stores) {
            scope.spawn(move || {
                for n in 0..300 {
                    insert_all(store, [part * 1000 + n]);
                    if n % 10 == part {
                        store.clear().unwrap();
                    }
                }
            });
        }
    });
    let [store, ..] = &stores;
    insert_all(store, 0..50);
    assert_eq!(hits(&stores[3], 0..50), 50);
    store.clear().unwrap();
    drop(stores);
    assert_removed(dir.path());
}

/// How many bytes of address space this process has.
fn address_space() -> u64 {
    let statm = fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').next().unwrap().parse::<u64>().unwrap() * 4096
}

#[test]
fn child_that_can_make_no_thread() {
    let Some(task) = Task::given() else { return };
    let store = blocks().limited(&task.dir, 100).0;
    insert_all(&store, 0..100);
    // Less than the stack of a thread.
    let most = Some(address_space() + (1 << 20));
    setrlimit(Resource::As, Rlimit { current: most, maximum: most }).unwrap();
    assert!(thread::Builder::new().spawn(|| ()).is_err());
    insert_all(&store, 100..102);
    task.say(entries_below(store.path()).0);
    store.clear().unwrap();
    task.say(entries_below(store.path()).0);
}

#[test]
fn a_process_that_can_make_no_thread_removes_the_files_itself() {
    let dir = volatile_dir();
    let said = Child::start("child_that_can_make_no_thread", dir.path()).finish();
    let [after_storing, after_clearing] = [&said[0], &said[1]].map(|said| said.parse::<u64>().unwrap());
    assert!((85..=91).contains(&after_storing), "{after_storing} of 100");
    assert_eq!(after_clearing, 0);
}

#[test]
fn a_link_in_place_of_the_entries_is_not_followed() {
    let (dir, store, cache) = filled();
    let entries = store.path_of(&0_u64).unwrap().parent().unwrap().to_owned();
    let away = dir.path().join("away");
    fs::rename(&entries, &away).unwrap();
    symlink(&away, &entries).unwrap();
    store.clear().unwrap();
    settle(&cache);
    assert_eq!(fs::read_dir(&away).unwrap().count() as u64, SOME);
    // Neither is one that has the name of what was cleared.
    symlink(&away, cache.join("0123456789abcdef-0123456789abcdef")).unwrap();
    File::create(cache.join("0123456789abcdef-fedcba9876543210")).unwrap();
    open(dir.path()).clear().unwrap();
    settle(&cache);
    assert_eq!(fs::read_dir(&away).unwrap().count() as u64, SOME);
    assert!(cache.join("0123456789abcdef-fedcba9876543210").exists());
}
