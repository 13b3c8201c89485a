//! What the limit on bytes means: to the byte, from one run to the next, between processes, and for what is beside it.

mod common;

use std::path::Path;
use std::thread;

use common::child::{Child, Task};
use common::files::Files;
use common::volatile_dir;
use twat_cache_core::testing::Counter;
use twat_cache_file::{FileBuilder, FileStore, KeyedStore as _, Store as _, ViewStore as _, fcache};

/// Of a length that rkyv need not pad.
const LEN: usize = 1000;
/// With the header, and what rkyv adds to a string.
const ENTRY: u64 = LEN as u64 + 72;

fn value(key: u64) -> String {
    format!("{key:0>LEN$}")
}

fn cache(dir: &Path, entries: u64) -> FileBuilder {
    fcache("name").dir(dir).max_bytes(entries * ENTRY)
}

fn insert_all(store: &FileStore<String>, keys: impl IntoIterator<Item = u64>) {
    keys.into_iter().for_each(|key| store.insert(&key, &value(key)).unwrap());
}

/// How many of these are there, all of them right.
fn hits(store: &FileStore<String>, keys: impl IntoIterator<Item = u64>) -> u64 {
    let found = keys.into_iter().filter_map(|key| Some((key, store.get(&key).unwrap()?)));
    found.map(|(key, found)| assert_eq!(found, value(key))).count() as u64
}

/// How many bytes the entries of a name take, of all its versions.
fn bytes(store: &FileStore<String>) -> u64 {
    let files = Files::read(store.path()).0;
    let entries = files.iter().filter(|(path, _)| path.file_name().unwrap().len() == 48);
    entries.map(|(_, file)| file.bytes.len() as u64 + file.zeros).sum()
}

#[test]
fn the_limit_is_exact_to_the_byte() {
    for (limit, least, most) in [(10 * ENTRY, 10, 10), (10 * ENTRY - 1, 8, 9), (ENTRY, 1, 1), (ENTRY - 1, 0, 0)] {
        let dir = tempfile::tempdir().unwrap();
        let store = cache(dir.path(), 0).max_bytes(limit).open::<String>().unwrap();
        insert_all(&store, 0..limit.div_ceil(ENTRY));
        let kept = store.len().unwrap() as u64;
        assert!((least..=most).contains(&kept), "{kept} where {limit} bytes may be");
        assert_eq!(bytes(&store), kept * ENTRY);
        assert_eq!(hits(&store, 0..20), kept);
    }
}

#[test]
fn a_value_as_large_as_the_limit_is_kept_and_a_larger_one_disturbs_nobody() {
    let dir = tempfile::tempdir().unwrap();
    // Of 300, it is larger than what is collected before it is written.
    for entries in [10, 300] {
        let store = cache(dir.path(), entries).open::<String>().unwrap();
        insert_all(&store, 0..5);
        let larger = "x".repeat(usize::try_from(entries * ENTRY).unwrap() - 72 + 1);
        store.insert(&5_u64, &larger).unwrap();
        assert_eq!(store.get(&5_u64).unwrap(), None);
        assert_eq!(hits(&store, 0..5), 5);
        // Nor does it leave an older one of its own key.
        store.insert(&4_u64, &larger).unwrap();
        assert_eq!(store.get(&4_u64).unwrap(), None);
        assert_eq!(hits(&store, 0..4), 4);
        assert_eq!(bytes(&store), 4 * ENTRY);
        let as_large = larger[1..].to_owned();
        store.insert(&5_u64, &as_large).unwrap();
        assert_eq!(store.get(&5_u64).unwrap(), Some(as_large));
        assert_eq!(store.len().unwrap(), 1);
        // And goes like any other.
        insert_all(&store, 6..8);
        assert_eq!(hits(&store, 6..8), 2);
        assert_eq!(store.get(&5_u64).unwrap(), None);
        store.clear().unwrap();
    }
}

#[test]
fn the_limit_holds_from_one_run_to_the_next() {
    let dir = volatile_dir();
    for run in 0..20 {
        let store = cache(dir.path(), 200).open::<String>().unwrap();
        insert_all(&store, run * 30..(run + 1) * 30);
        assert_eq!(hits(&store, run * 30..(run + 1) * 30), 30);
        let kept = hits(&store, 0..(run + 1) * 30);
        assert_eq!(kept, store.len().unwrap() as u64);
        let least = ((run + 1) * 30).min(180);
        assert!((least..=200).contains(&kept), "{kept} of 200 in run {run}");
    }
}

#[test]
fn child_that_fills_the_cache() {
    let Some(task) = Task::given() else { return };
    let store = cache(&task.dir, 200).open::<String>().unwrap();
    let start = u64::from(std::process::id()) * 10_000;
    for n in start..start + 300 {
        insert_all(&store, [n]);
        // It may be gone again, if we were stopped for long enough.
        assert!(hits(&store, n - 5..=n) <= 6);
    }
}

#[test]
fn the_limit_holds_for_several_processes_and_threads_together() {
    let dir = volatile_dir();
    let store = cache(dir.path(), 200).open::<String>().unwrap();
    for _ in 0..2 {
        let children = [(); 3].map(|()| Child::start("child_that_fills_the_cache", dir.path()));
        thread::scope(|scope| {
            for part in 0..4 {
                let store = &store;
                scope.spawn(move || insert_all(store, part * 1000..part * 1000 + 300));
            }
        });
        for child in children {
            child.finish();
        }
        let held = bytes(&store);
        assert!(held <= 220 * ENTRY, "{} of 200", held / ENTRY);
        // Whatever they did not see of each other is made up for by the next.
        insert_all(&store, [9999]);
        let held = bytes(&store);
        assert!((170 * ENTRY..=200 * ENTRY).contains(&held), "{} of 200", held / ENTRY);
        assert_eq!(store.len().unwrap() as u64 * ENTRY, held);
    }
    // Nor is anything counted that is not there.
    store.clear().unwrap();
    insert_all(&store, 0..200);
    assert_eq!(hits(&store, 0..200), 200);
}

#[test]
fn replacing_one_entry_over_and_over_evicts_no_other() {
    let dir = volatile_dir();
    let store = cache(dir.path(), 101).open::<String>().unwrap();
    insert_all(&store, 0..100);
    for _ in 0..1000 {
        insert_all(&store, [100]);
    }
    assert_eq!(hits(&store, 0..=100), 101);
    for n in 0..1000 {
        assert!(store.remove(&(n % 10)).unwrap());
        insert_all(&store, [n % 10]);
    }
    assert_eq!(hits(&store, 0..=100), 101);
    // By one of another size: it counts for as much as it has, and no more.
    for n in 0..500 {
        store.insert(&100_u64, &"x".repeat(n % LEN)).unwrap();
    }
    assert_eq!(hits(&store, 0..100), 100);
    store.clear().unwrap();
    insert_all(&store, 0..101);
    assert_eq!(hits(&store, 0..101), 101);
}

/// Whether ten entries that are used every now and then are still there after ten times the limit has passed.
fn stays(store: &FileStore<String>, mut use_them: impl FnMut()) {
    insert_all(store, 0..10);
    for n in 1000..3000 {
        insert_all(store, [n]);
        if n % 20 == 0 {
            use_them();
        }
    }
    let kept = hits(store, 0..10);
    assert_eq!(kept, 10, "what is used was evicted");
    assert!(bytes(store) <= 200 * ENTRY);
}

#[test]
fn what_is_used_stays() {
    let dir = volatile_dir();
    let store = cache(dir.path(), 200).open::<String>().unwrap();
    stays(&store, || assert_eq!(hits(&store, 0..10), 10));
}

#[test]
fn what_is_viewed_stays() {
    let dir = volatile_dir();
    let store = cache(dir.path(), 200).open::<String>().unwrap();
    stays(&store, || (0..10_u64).for_each(|key| assert_eq!(&**store.view(&key).unwrap().unwrap(), &*value(key))));
}

#[test]
fn child_that_uses_ten_entries() {
    let Some(mut task) = Task::given() else { return };
    let store = cache(&task.dir, 200).open::<String>().unwrap();
    while task.order().is_some() {
        task.say(hits(&store, 0..10));
    }
}

#[test]
fn what_another_process_uses_stays() {
    let dir = volatile_dir();
    let store = cache(dir.path(), 200).open::<String>().unwrap();
    let mut child = Child::start("child_that_uses_ten_entries", dir.path());
    stays(&store, || {
        child.tell("use them");
        assert_eq!(child.hear().unwrap(), "10");
    });
    child.finish();
}

#[test]
fn what_is_mapped_and_used_stays() {
    let dir = volatile_dir();
    // 134 KB each, of which 30 find room.
    let value = |key: u64| vec![key; 16_800];
    let store = fcache("large").dir(dir.path()).max_bytes(30 * 135_000).open::<Vec<u64>>().unwrap();
    (0..3_u64).for_each(|key| store.insert(&key, &value(key)).unwrap());
    for n in 100..250 {
        store.insert(&n, &value(n)).unwrap();
        if n % 3 == 0 {
            for key in 0..3_u64 {
                let view = store.view(&key).unwrap().expect("what is used was evicted");
                assert!(view.is_mapped() && view[..] == value(key)[..]);
            }
        }
    }
    assert!((26..=30).contains(&store.len().unwrap()));
}

#[test]
fn a_smaller_limit_than_last_time_holds_from_the_next_entry_on() {
    let dir = tempfile::tempdir().unwrap();
    insert_all(&cache(dir.path(), 200).open().unwrap(), 0..190);
    let store = cache(dir.path(), 50).open::<String>().unwrap();
    insert_all(&store, [190]);
    let kept = hits(&store, 0..=190);
    assert!((40..=50).contains(&kept), "{kept} of 50");
    assert_eq!(hits(&store, 180..=190), 11, "the last ones are kept");
    // And a larger one throws nothing out.
    drop(store);
    let store = cache(dir.path(), 500).open::<String>().unwrap();
    insert_all(&store, 300..600);
    assert_eq!(hits(&store, 0..=190), kept);
}

#[test]
fn no_room_at_all_means_to_compute_every_time_and_to_write_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let computed = Counter::new();
    let cache = dir.path().join("cache");
    let memo = fcache("name").dir(&cache).max_bytes(0).wrap(|key: &u64| {
        computed.count();
        value(*key)
    });
    for _ in 0..3 {
        assert_eq!(memo.call(&1), value(1));
        assert_eq!(**memo.view(&1), *value(1));
    }
    assert_eq!(computed.get(), 6);
    assert_eq!(memo.len().unwrap(), 0);
    assert!(!cache.exists());
}

#[test]
fn versions_share_the_limit_of_their_name_and_other_names_have_their_own() {
    let dir = volatile_dir();
    let [old, new] = [1, 2].map(|version| cache(dir.path(), 200).version(version).open::<String>().unwrap());
    let other = fcache("other").dir(dir.path()).max_bytes(200 * ENTRY).open::<String>().unwrap();
    insert_all(&old, 0..150);
    insert_all(&other, 0..150);
    insert_all(&new, 0..150);
    assert_eq!(hits(&new, 0..150), 150, "the old version goes first");
    let kept = hits(&old, 0..150);
    assert!((30..=50).contains(&kept), "{kept} of the old version");
    assert_eq!(hits(&other, 0..150), 150);
    // Each counts its own.
    assert_eq!([&old, &new, &other].map(|store| store.len().unwrap() as u64), [kept, 150, 150]);
    new.clear().unwrap();
    assert_eq!([&old, &new, &other].map(|store| store.len().unwrap() as u64), [kept, 0, 150]);
}
