//! How room is made: what others have stored counts as much as what this process has, once, whatever lies beside it.

mod common;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use common::volatile_dir;
use twat_cache_file::{FileBuilder, FileStore, KeyedStore as _, Store as _, fcache};

/// Of a length that rkyv need not pad.
const LEN: usize = 100;
/// With the header, and what rkyv adds to a string.
const ENTRY: u64 = LEN as u64 + 72;

fn cache(dir: &Path, entries: u64) -> FileBuilder {
    fcache("name").dir(dir).max_bytes(entries * ENTRY)
}

fn insert_all(store: &FileStore<String>, keys: impl IntoIterator<Item = u64>) {
    keys.into_iter().for_each(|key| store.insert(&key, &format!("{key:0>LEN$}")).unwrap());
}

fn hits(store: &FileStore<String>, keys: impl IntoIterator<Item = u64>) -> usize {
    keys.into_iter().filter(|key| store.get(key).unwrap().is_some()).count()
}

#[test]
fn what_others_have_stored_long_ago_goes_before_what_was_stored_just_now() {
    let dir = volatile_dir();
    let open = || cache(dir.path(), 200).open::<String>().unwrap();
    let [ours, theirs] = [open(), open()];
    insert_all(&ours, [0]);
    insert_all(&theirs, 1000..1180);
    insert_all(&ours, 1..25);
    assert_eq!(hits(&ours, 1..25), 24, "the least recently used are others'");
    let kept = hits(&theirs, 1000..1180);
    assert!((150..180).contains(&kept), "{kept}");
}

#[test]
fn no_more_is_removed_than_need_be_while_others_store() {
    let dir = volatile_dir();
    // Stores of their own do not know of each other, as if in several processes.
    let open = || cache(dir.path(), 2000).open::<String>().unwrap();
    insert_all(&open(), 0..2000);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let storing = [1, 2, 3, 4]
            .map(|part| scope.spawn(move || insert_all(&open(), part * 1_000_000..part * 1_000_000 + 3000)));
        let watching = scope.spawn(|| {
            let store = open();
            // A listing misses what is stored behind it while it goes on, some dozens on a busy machine; so of two the larger.
            let lens = std::iter::repeat_with(|| store.len().unwrap().max(store.len().unwrap()));
            lens.take_while(|_| !done.load(Ordering::Relaxed)).min()
        });
        for thread in storing {
            thread.join().unwrap();
        }
        done.store(true, Ordering::Relaxed);
        let fewest = watching.join().unwrap().unwrap();
        // 1800 by the tenth of room, and what is just being replaced or looked at.
        assert!(fewest >= 1750, "{fewest} of 2000 were left");
    });
}

#[cfg(unix)]
#[test]
fn the_limit_holds_beside_what_cannot_be_looked_at() {
    let dir = volatile_dir();
    let store = cache(dir.path(), 50).open::<String>().unwrap();
    // A link that leads to itself: not even root can list it.
    let part = store.path().join("7f");
    std::os::unix::fs::symlink(&part, &part).unwrap();
    // No entry of these belongs there, and puts it right.
    let keys: Vec<u64> = (0..500).filter(|key: &u64| store.path_of(key).unwrap().parent() != Some(&*part)).collect();
    insert_all(&store, keys.iter().copied());
    let kept = hits(&store, keys);
    assert!((40..=50).contains(&kept), "{kept} of 50");
}

#[test]
fn what_was_removed_before_it_is_forgotten_is_forgotten_by_all() {
    let dir = volatile_dir();
    let [ours, theirs] = [0, 1].map(|_| cache(dir.path(), 50).open::<String>().unwrap());
    insert_all(&ours, [1]);
    assert_eq!(hits(&theirs, [1]), 1);
    // As by somebody who makes room, and has not come to say so.
    std::fs::remove_file(ours.path_of(&1_u64).unwrap()).unwrap();
    assert!(!ours.remove(&1_u64).unwrap());
    assert_eq!(hits(&theirs, [1]), 0);
}
