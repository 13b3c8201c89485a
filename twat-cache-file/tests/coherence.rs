//! Two stores of one directory, as in two processes: neither returns a value that the other has replaced, in any order
//! of events.
#![cfg(unix)]

use std::fs::{self, File};
use std::hash::{Hash, Hasher};
use std::path::Path;
use std::time::Duration;

use twat_cache_core::testing::files::Files;
use twat_cache_core::testing::volatile_dir;
use twat_cache_file::{Args, FileStore, KeyedStore as _, Store as _, fcache};

fn open(dir: &Path) -> FileStore<u64> {
    fcache("shared").dir(dir).open().unwrap()
}

/// The key of this number, which runs a hook while it is hashed.
struct Eventful<'a>(u64, &'a dyn Fn());

impl Hash for Eventful<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.1)();
        self.0.hash(state);
    }
}

impl Args for Eventful<'_> {
    type Owned = u64;

    fn matches(&self, owned: &u64) -> bool {
        self.0 == *owned
    }

    fn to_key(&self) -> u64 {
        self.0
    }
}

#[test]
fn an_entry_that_is_stored_while_the_counters_are_lost_is_seen() {
    let dir = volatile_dir();
    let [one, other] = [open(dir.path()), open(dir.path())];
    one.insert(&1_u64, &10).unwrap();
    let lose = || {
        fs::remove_file(one.path().join("meta")).unwrap();
        // It makes new counters, and still has the old value in memory.
        assert_eq!(other.get(&1_u64).unwrap(), Some(10));
    };
    one.insert(&Eventful(1, &lose), &20).unwrap();
    assert_eq!(other.get(&1_u64).unwrap(), Some(20));
    let lose = || {
        fs::remove_file(one.path().join("meta")).unwrap();
        assert_eq!(other.get(&1_u64).unwrap(), Some(20));
    };
    assert!(one.remove(&Eventful(1, &lose)).unwrap());
    assert_eq!(other.get(&1_u64).unwrap(), None);
}

#[test]
fn a_new_file_with_the_same_time_and_number_is_not_taken_for_the_old_one() {
    let dir = volatile_dir();
    let [one, other] = [open(dir.path()), open(dir.path())];
    for value in 0..20 {
        one.insert(&1_u64, &value).unwrap();
        assert_eq!(other.get(&1_u64).unwrap(), Some(value));
        let path = one.path_of(&1_u64).unwrap();
        let time = fs::metadata(&path).unwrap().modified().unwrap();
        // Some file systems reuse inode numbers soon.
        assert!(one.remove(&1_u64).unwrap());
        one.insert(&1_u64, &(value + 100)).unwrap();
        File::open(&path).unwrap().set_modified(time).unwrap();
        assert_eq!(other.get(&1_u64).unwrap(), Some(value + 100));
    }
}

#[test]
fn an_entry_that_is_removed_by_hand_and_stored_again_is_seen() {
    let dir = volatile_dir();
    let [one, other] = [open(dir.path()), open(dir.path())];
    one.insert(&1_u64, &10).unwrap();
    assert_eq!(other.get(&1_u64).unwrap(), Some(10));
    fs::remove_file(one.path_of(&1_u64).unwrap()).unwrap();
    one.insert(&1_u64, &20).unwrap();
    assert_eq!(other.get(&1_u64).unwrap(), Some(20));
}

#[test]
fn a_store_with_a_ttl_does_not_use_entries_that_never_expire_and_leaves_them_to_others() {
    let dir = volatile_dir();
    let endless = open(dir.path());
    let brief: FileStore<u64> = fcache("shared").dir(dir.path()).ttl(Duration::from_secs(60)).open().unwrap();
    endless.insert(&1_u64, &10).unwrap();
    assert_eq!(brief.get(&1_u64).unwrap(), None, "nobody knows that it is not older");
    assert_eq!(open(dir.path()).get(&1_u64).unwrap(), Some(10));
    assert_eq!(endless.get(&1_u64).unwrap(), Some(10));
    brief.insert(&1_u64, &20).unwrap();
    assert_eq!(endless.get(&1_u64).unwrap(), Some(20));
}

#[test]
fn a_cache_that_is_moved_away_and_copied_back_is_a_new_one() {
    let dir = volatile_dir();
    let one = open(dir.path());
    one.insert(&1_u64, &10).unwrap();
    assert_eq!(one.get(&1_u64).unwrap(), Some(10));
    let away = dir.path().join("away");
    fs::rename(one.path(), &away).unwrap();
    Files::read(&away).write(one.path());
    let other = open(dir.path());
    other.insert(&1_u64, &20).unwrap();
    // A store may use its open files for ten milliseconds without a check.
    std::thread::sleep(Duration::from_millis(20));
    assert_eq!(one.get(&1_u64).unwrap(), Some(20));
    other.clear().unwrap();
    assert_eq!(one.get(&1_u64).unwrap(), None);
}
