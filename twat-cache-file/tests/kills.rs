//! A process may be killed at any time: the cache opens again, and all entries in it are complete and correct.
#![cfg(unix)]

mod common;

use std::fs::{self, File};
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use common::{entries_below, settle};
use twat_cache_core::testing::child::Task;
use twat_cache_core::testing::files::{Files, names};
use twat_cache_core::testing::kills::{kill_while_it_is_created, kill_while_it_stores, until_killed};
use twat_cache_core::testing::obstacles::THEIRS;
use twat_cache_core::testing::{record_logs, text, volatile_dir, warnings};
use twat_cache_file::{FileStore, KeyedStore as _, Store as _, ViewStore as _, fcache};

const LIMIT: u64 = 1 << 20;

/// Full of its key, and up to 8 KB long; some are longer, and mapped.
fn value(key: u64) -> String {
    let short = usize::try_from(key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 54).unwrap();
    text(key, if key.is_multiple_of(16) { 20_000 } else { short })
}

fn open(dir: &Path) -> FileStore<String> {
    fcache("numbers").dir(dir).max_bytes(LIMIT).open().unwrap()
}

#[test]
fn child_that_stores() {
    let Some(mut task) = Task::given() else { return };
    let store = open(&task.dir);
    let start = task.order().unwrap().parse().unwrap();
    until_killed(&mut task, start, |key, random| {
        store.insert(&key, &value(key)).unwrap();
        let earlier = key - random.below(50);
        match random.below(64) {
            0..4 => drop(store.remove(&earlier).unwrap()),
            4..8 => store.insert(&earlier, &value(earlier)).unwrap(),
            8..24 => drop(store.view(&earlier).unwrap()),
            24 if random.below(4) == 0 => store.clear().unwrap(),
            _ => {}
        }
    });
}

/// Opens the cache that was left, and reads all entries.
fn inspect(dir: &Path, keys: Range<u64>) {
    let store = open(dir);
    settle(store.path());
    let left =
        |name: &str| Some(store.path().join(name)).filter(|dir| dir.exists()).map_or(Vec::new(), |dir| names(&dir));
    assert_eq!(left("tmp"), [""; 0], "left by the process that was killed");
    let locks = left("lock");
    assert!(locks.is_empty() || locks == ["claims"], "left by the process that was killed: {locks:?}");
    let mut hits = 0;
    for key in keys.clone() {
        if let Some(found) = store.get(&key).unwrap() {
            assert!(found == value(key), "a wrong value for {key}");
            assert!(store.view(&key).unwrap().unwrap().as_str() == found, "a wrong view for {key}");
            hits += 1;
        }
    }
    assert_eq!(store.len().unwrap(), hits, "entries of keys that were never stored");
    store.insert(&keys.end, &value(keys.end)).unwrap();
    assert_eq!(store.get(&keys.end).unwrap(), Some(value(keys.end)));
    store.remove(&keys.end).unwrap();
    settle(store.path());
    let (_, bytes) = entries_below(store.path());
    assert!(bytes <= LIMIT + LIMIT / 10, "{bytes} bytes where {LIMIT} may be");
    // There is nothing but entries, the counters, and the locks.
    let is_known = |path: &Path| ["meta", "lock/claims"].iter().any(|known| path.ends_with(known));
    let mut unknown = Files::read(store.path()).paths();
    unknown.retain(|path| path.iter().next().unwrap().len() != 16 && !is_known(path));
    assert!(unknown.is_empty(), "{unknown:?}");
    assert_eq!(names(dir), [".gitignore", "CACHEDIR.TAG", store.path().file_name().unwrap().to_str().unwrap()]);
}

#[test]
fn a_cache_killed_while_it_stores_and_evicts_opens_again() {
    record_logs();
    let dir = volatile_dir();
    kill_while_it_stores("child_that_stores", dir.path(), inspect);
    assert!(warnings(dir.path()).is_empty(), "a kill is no damage: {:#?}", warnings(dir.path()));
}

#[test]
fn child_that_begins() {
    let Some(task) = Task::given() else { return };
    task.say("begun");
    let store = open(&task.dir);
    (0..10_u64).for_each(|key| store.insert(&key, &value(key)).unwrap());
    // The parent reads no more output. Only the time of the kill is random.
    std::thread::park();
}

#[test]
fn a_cache_killed_while_it_is_created_can_be_created_again() {
    record_logs();
    kill_while_it_is_created("child_that_begins", Duration::from_millis(4), |dir| {
        inspect(dir, 0..10);
        open(dir).insert(&1_u64, &value(1)).unwrap();
        assert_eq!(open(dir).get(&1_u64).unwrap(), Some(value(1)));
        inspect(dir, 0..10);
        assert!(warnings(dir).is_empty(), "a kill is no damage: {:#?}", warnings(dir));
    });
}

#[test]
fn files_that_a_killed_process_has_left_are_removed_and_those_in_use_stay() {
    let dir = volatile_dir();
    let cache = open(dir.path()).path().to_owned();
    let left =
        ["tmp/0123456789abcdef", "lock/room", "lock/0123456789abcdef0123456789abcdef"].map(|name| cache.join(name));
    let unknown = ["tmp/anything", "tmp/room", "lock/anything", "lock/claims"].map(|name| cache.join(name));
    for dir in ["tmp", "lock"] {
        fs::create_dir_all(cache.join(dir)).unwrap();
    }
    for path in &unknown {
        fs::write(path, THEIRS).unwrap();
    }
    for path in left {
        // As a process does that is storing.
        let file = File::create(&path).unwrap();
        file.lock().unwrap();
        open(dir.path());
        assert!(path.exists(), "{} was in use", path.display());
        drop(file);
        open(dir.path());
        assert!(!path.exists(), "{} was not in use", path.display());
    }
    for path in &unknown {
        assert!(path.exists(), "{} is not the cache's", path.display());
    }
}
