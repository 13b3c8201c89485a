//! The limit on bytes is exact: across runs and with several processes. It also decides which entries stay.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::thread;

use common::{Settled, blocks, entries_below, is_entry, settle, space};
use twat_cache_core::testing::child::{Child, Task};
use twat_cache_core::testing::files::Files;
use twat_cache_core::testing::persistent::{hits, insert_all, value};
use twat_cache_core::testing::{Counter, volatile_dir};
use twat_cache_file::{FileBuilder, KeyedStore as _, Store as _, ViewStore as _, fcache};

/// How much an entry takes.
fn entry() -> u64 {
    static ENTRY: LazyLock<u64> = LazyLock::new(|| blocks().entry());
    *ENTRY
}

fn open(dir: &Path) -> Settled {
    blocks().limited(dir, 200)
}

/// How much the entries of a name take, of all its versions.
fn bytes(store: &Settled) -> u64 {
    entries_below(store.0.path()).1
}

#[test]
fn the_limit_is_exact_to_the_byte() {
    let entry = entry();
    for (limit, least, most) in [(10 * entry, 10, 10), (10 * entry - 1, 8, 9), (entry, 1, 1), (entry - 1, 0, 0)] {
        let dir = volatile_dir();
        let store = FileBuilder::from(blocks().options(dir.path(), 0)).max_bytes(limit).open().map(Settled).unwrap();
        insert_all(&store, 0..limit.div_ceil(entry));
        let kept = store.len().unwrap() as u64;
        assert!((least..=most).contains(&kept), "{kept} where {limit} bytes may be");
        assert_eq!(bytes(&store), kept * entry);
        assert_eq!(hits(&store, 0..20), kept);
    }
}

#[test]
fn a_value_as_large_as_the_limit_is_stored_and_a_larger_one_evicts_nothing() {
    let dir = volatile_dir();
    for entries in [10, 300] {
        let store = blocks().limited(dir.path(), entries);
        insert_all(&store, 0..5);
        // The header, and what rkyv adds to a string.
        let as_large = "x".repeat(usize::try_from(entries * entry() - 72).unwrap());
        let larger = format!("{as_large}x");
        for (key, left) in [(5, 5), (4, 4)] {
            store.insert(&key, &larger).unwrap();
            assert_eq!(store.get(&key).unwrap(), None, "its older value is not left behind");
            assert_eq!(hits(&store, 0..left), left);
        }
        store.insert(&5, &as_large).unwrap();
        assert_eq!(store.get(&5).unwrap(), Some(as_large));
        assert_eq!((store.len().unwrap(), bytes(&store)), (1, entries * entry()));
        insert_all(&store, 6..8);
        assert_eq!(hits(&store, 6..8), 2);
        assert_eq!(store.get(&5).unwrap(), None, "it is evicted like any other");
        store.clear().unwrap();
        settle(store.0.path());
    }
}

/// The space of a file is more than its length.
#[cfg(unix)]
#[test]
fn the_blocks_of_all_files_are_within_the_limit_whatever_their_lengths() {
    use std::os::unix::fs::MetadataExt;

    const LIMIT: u64 = 8 << 20;
    let dir = tempfile::tempdir().unwrap();
    let store = Settled(fcache("blocks").dir(dir.path()).max_bytes(LIMIT).open().unwrap());
    let cache = store.0.path();
    for key in 0..3000_u64 {
        store.insert(&key, &"x".repeat(usize::try_from(key * key % 9001).unwrap())).unwrap();
    }
    let entries = Files::read(cache).paths().into_iter().map(|path| cache.join(path)).filter(|path| is_entry(path));
    let taken = |path: PathBuf| {
        let file = fs::File::open(path).unwrap();
        // Only now the file system says which blocks it has.
        file.sync_all().unwrap();
        file.metadata().unwrap().blocks() * 512
    };
    let taken: u64 = entries.map(taken).sum();
    // A file system that compresses may need less.
    assert!(taken <= LIMIT + LIMIT / 10, "{taken} bytes on disk where {LIMIT} may be");
    assert!(bytes(&store) <= LIMIT && bytes(&store) >= LIMIT / 10 * 8);
}

#[test]
fn a_value_over_the_limit_leaves_nothing_on_disk() {
    // 300 changes are more than a process collects before it writes them.
    for entries in [10, 300] {
        let dir = volatile_dir();
        let store = blocks().limited(dir.path(), entries);
        insert_all(&store, 0..5);
        store.insert(&4_u64, &"x".repeat(usize::try_from(entries * entry()).unwrap())).unwrap();
        assert_eq!(bytes(&store), 4 * entry());
    }
}

#[test]
fn the_limit_holds_from_one_run_to_the_next() {
    blocks().the_limit_holds_from_one_run_to_the_next(180);
}

#[test]
fn child_that_fills_the_cache() {
    let Some(task) = Task::given() else { return };
    let store = open(&task.dir);
    let start = u64::from(std::process::id()) * 10_000;
    for n in start..start + 300 {
        insert_all(&store, [n]);
        // They may be evicted again, if this process was stopped for long enough.
        assert!(hits(&store, n - 5..=n) <= 6);
    }
}

#[test]
fn the_limit_holds_for_several_processes_and_threads_together() {
    let dir = volatile_dir();
    let store = open(dir.path());
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
        settle(store.0.path());
        let held = bytes(&store);
        assert!(held <= 220 * entry(), "{} of 200", held / entry());
        // These processes do not see all of each other's entries. The next process that stores evicts the rest.
        insert_all(&store, [9999]);
        let held = bytes(&store);
        assert!((170 * entry()..=200 * entry()).contains(&held), "{} of 200", held / entry());
        assert_eq!(store.len().unwrap() as u64 * entry(), held);
    }
    // Entries that are not there are not counted.
    store.clear().unwrap();
    insert_all(&store, 0..200);
    assert_eq!(hits(&store, 0..200), 200);
}

#[test]
fn replacing_an_entry_over_and_over_evicts_no_other() {
    blocks().replacing_an_entry_over_and_over_evicts_no_other(101);
}

/// Whether ten entries that are used now and then survive, while ten times the limit is stored.
fn stays(store: &Settled, mut use_them: impl FnMut()) {
    insert_all(store, 0..10);
    for n in 1000..3000 {
        insert_all(store, [n]);
        if n % 20 == 0 {
            use_them();
        }
    }
    let kept = hits(store, 0..10);
    assert_eq!(kept, 10, "an entry in use was evicted");
    assert!(bytes(store) <= 200 * entry());
}

#[test]
fn entries_in_use_stay() {
    let dir = volatile_dir();
    let store = open(dir.path());
    stays(&store, || assert_eq!(hits(&store, 0..10), 10));
}

#[test]
fn entries_that_are_viewed_stay() {
    let dir = volatile_dir();
    let store = open(dir.path());
    stays(&store, || (0..10_u64).for_each(|key| assert_eq!(&**store.0.view(&key).unwrap().unwrap(), &*value(key))));
}

#[test]
fn child_that_uses_ten_entries() {
    let Some(mut task) = Task::given() else { return };
    let store = open(&task.dir);
    while task.order().is_some() {
        task.say(hits(&store, 0..10));
    }
}

#[test]
fn entries_that_another_process_uses_stay() {
    let dir = volatile_dir();
    let store = open(dir.path());
    let mut child = Child::start("child_that_uses_ten_entries", dir.path());
    stays(&store, || {
        child.tell("use them");
        assert_eq!(child.hear_number(), 10);
    });
    child.finish();
}

#[test]
fn entries_that_are_mapped_and_used_stay() {
    let dir = volatile_dir();
    // 134 KB each, so 30 fit.
    let value = |key: u64| vec![key; 16_800];
    let store = fcache("large").dir(dir.path()).max_bytes(30 * space(dir.path(), 135_000)).open::<Vec<u64>>().unwrap();
    (0..3_u64).for_each(|key| store.insert(&key, &value(key)).unwrap());
    for n in 100..250 {
        store.insert(&n, &value(n)).unwrap();
        if n % 3 == 0 {
            for key in 0..3_u64 {
                let view = store.view(&key).unwrap().expect("an entry in use was evicted");
                assert!(view.is_mapped() && view[..] == value(key)[..]);
            }
        }
    }
    settle(store.path());
    assert!((26..=30).contains(&store.len().unwrap()));
}

#[test]
fn a_smaller_limit_holds_from_the_next_entry_on() {
    blocks().a_smaller_limit_holds_from_the_next_entry_on(40, 11);
}

#[test]
fn with_a_limit_of_zero_every_call_computes_and_nothing_is_written() {
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
    blocks().versions_share_the_limit_of_their_name_and_other_names_have_their_own(30);
}
