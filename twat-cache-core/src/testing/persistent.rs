//! What every store must do that outlives the process: hold a limit in bytes, keep names and versions apart, go on with a TTL
//! in the next run, and mark its directory.
//!
//! These are functions and not a macro, because stores differ in how exact they are. A backend calls each of them in a test of
//! the same name.

use std::fs;
use std::hash::Hash;
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

use super::dirs::volatile_dir;
use crate::persist::Options;
use crate::{Error, KeyedStore, ManualClock};

/// Of a length that rkyv need not pad.
const LEN: usize = 1000;

/// The text under a key, in tests of limits.
pub fn value(key: u64) -> String {
    format!("{key:0>LEN$}")
}

/// Stores the texts of these keys.
pub fn insert_all(store: &impl KeyedStore<u64, Value = String>, keys: impl IntoIterator<Item = u64>) {
    keys.into_iter().for_each(|key| store.insert(&key, &value(key)).unwrap());
}

/// How many of these are there, all of them right.
pub fn hits(store: &impl KeyedStore<u64, Value = String>, keys: impl IntoIterator<Item = u64>) -> u64 {
    let found = keys.into_iter().filter_map(|key| Some((key, store.get(&key).unwrap()?)));
    found.map(|(key, found)| assert_eq!(found, value(key))).count() as u64
}

/// A kind of store.
#[derive(Clone, Copy, Debug)]
pub struct Persistent<S> {
    /// Opens a store of texts.
    pub open: fn(Options) -> Result<S, Error>,
    /// How many bytes count for an entry beside the text.
    pub overhead: u64,
}

impl<S: KeyedStore<u64, Value = String>> Persistent<S> {
    /// How many bytes count for an entry, in tests of limits.
    pub const fn entry(&self) -> u64 {
        LEN as u64 + self.overhead
    }

    /// A cache that has room for this many entries.
    pub fn options(&self, dir: &Path, entries: u64) -> Options {
        Options { dir: Some(dir.to_owned()), ..Options::new("name", entries * self.entry()) }
    }

    /// A store that has room for this many entries.
    pub fn limited(&self, dir: &Path, entries: u64) -> S {
        (self.open)(self.options(dir, entries)).unwrap()
    }

    fn versioned(&self, dir: &Path, version: impl Hash) -> S {
        let mut options = self.options(dir, 200);
        options.set_version(version);
        (self.open)(options).unwrap()
    }

    /// A value may be as large as the limit. A larger one is not stored, removes an older value of its key, and evicts
    /// nothing.
    pub fn a_value_as_large_as_the_limit_is_stored_and_a_larger_one_evicts_nothing(&self) {
        let dir = volatile_dir();
        // 300 are more than is collected before it is written.
        for entries in [10, 300] {
            let store = self.limited(dir.path(), entries);
            insert_all(&store, 0..5);
            let larger = "x".repeat(usize::try_from(entries * self.entry() - self.overhead + 1).unwrap());
            store.insert(&5, &larger).unwrap();
            assert_eq!(store.get(&5).unwrap(), None);
            assert_eq!(hits(&store, 0..5), 5);
            store.insert(&4, &larger).unwrap();
            assert_eq!(store.get(&4).unwrap(), None, "its older value is not left behind");
            assert_eq!(hits(&store, 0..4), 4);
            let as_large = larger[1..].to_owned();
            store.insert(&5, &as_large).unwrap();
            assert_eq!(store.get(&5).unwrap(), Some(as_large));
            assert_eq!(store.len().unwrap(), 1);
            insert_all(&store, 6..8);
            assert_eq!(hits(&store, 6..8), 2);
            assert_eq!(store.get(&5).unwrap(), None, "it is evicted like any other");
            store.clear().unwrap();
        }
    }

    /// What earlier runs have stored counts, and at least this many of 200 entries are kept.
    pub fn the_limit_holds_from_one_run_to_the_next(&self, least: u64) {
        let dir = volatile_dir();
        for run in 0..20 {
            let store = self.limited(dir.path(), 200);
            insert_all(&store, run * 30..(run + 1) * 30);
            assert_eq!(hits(&store, run * 30..(run + 1) * 30), 30);
            let kept = hits(&store, 0..(run + 1) * 30);
            assert_eq!(kept, store.len().unwrap() as u64);
            let least = ((run + 1) * 30).min(least);
            assert!((least..=200).contains(&kept), "{kept} of 200 in run {run}");
        }
    }

    /// An entry that is replaced counts once, whatever its size. Of the room, these many entries are needed for 101.
    pub fn replacing_an_entry_over_and_over_evicts_no_other(&self, room: u64) {
        let dir = volatile_dir();
        let store = self.limited(dir.path(), room);
        insert_all(&store, 0..100);
        for _ in 0..2000 {
            insert_all(&store, [100]);
        }
        assert_eq!(hits(&store, 0..=100), 101);
        for n in 0..1000 {
            assert!(store.remove(&(n % 10)).unwrap());
            insert_all(&store, [n % 10]);
        }
        assert_eq!(hits(&store, 0..=100), 101);
        for n in 0..500 {
            store.insert(&100, &"x".repeat(n % LEN)).unwrap();
        }
        assert_eq!(hits(&store, 0..100), 100, "one of another size counts as what it is now");
        store.clear().unwrap();
        insert_all(&store, 0..101);
        assert_eq!(hits(&store, 0..101), 101);
    }

    /// A run with a smaller limit evicts when it first stores, and keeps at least this many of 50 entries, the newest of them
    /// for certain. A larger limit evicts nothing.
    pub fn a_smaller_limit_holds_from_the_next_entry_on(&self, least: u64, newest: u64) {
        let dir = volatile_dir();
        insert_all(&self.limited(dir.path(), 200), 0..190);
        let store = self.limited(dir.path(), 50);
        insert_all(&store, [190]);
        let kept = hits(&store, 0..=190);
        assert!((least..=50).contains(&kept), "{kept} of 50");
        assert_eq!(hits(&store, 191 - newest..=190), newest, "the newest entries are kept");
        drop(store);
        let store = self.limited(dir.path(), 500);
        insert_all(&store, 300..600);
        assert_eq!(hits(&store, 0..=190), kept);
    }

    /// Entries of an older version are evicted first, and at least this many of 50 are kept. Other names have a limit of their
    /// own.
    pub fn versions_share_the_limit_of_their_name_and_other_names_have_their_own(&self, least: u64) {
        let dir = volatile_dir();
        let [old, new] = [1, 2].map(|version| self.versioned(dir.path(), version));
        let other = (self.open)(Options { name: "other".to_owned(), ..self.options(dir.path(), 200) }).unwrap();
        for store in [&old, &other, &new] {
            insert_all(store, 0..150);
        }
        assert_eq!(hits(&new, 0..150), 150, "the old version is evicted first");
        let kept = hits(&old, 0..150);
        assert!((least..=50).contains(&kept), "{kept} of the old version");
        assert_eq!(hits(&other, 0..150), 150);
        assert_eq!([&old, &new, &other].map(|store| store.len().unwrap() as u64), [kept, 150, 150]);
        new.clear().unwrap();
        assert_eq!([&old, &new, &other].map(|store| store.len().unwrap() as u64), [kept, 0, 150]);
    }

    /// Two caches of one directory share entries only if their names and versions are the same.
    pub fn caches_of_another_name_or_version_share_nothing(&self) {
        let dir = volatile_dir();
        let named = |name: &str| Options { name: name.to_owned(), ..self.options(dir.path(), 200) };
        let caches = || {
            let versions =
                [self.versioned(dir.path(), 1), self.versioned(dir.path(), "1"), self.versioned(dir.path(), (1, 1))];
            let unversioned = ["name", "other"].map(|name| (self.open)(named(name)).unwrap());
            unversioned.into_iter().chain(versions)
        };
        for round in 0..2 {
            for (n, store) in caches().enumerate() {
                assert_eq!(store.get(&1).unwrap(), (round > 0).then(|| n.to_string()));
                store.insert(&1, &n.to_string()).unwrap();
                assert_eq!(store.len().unwrap(), 1);
            }
        }
        caches().next().unwrap().clear().unwrap();
        let left: Vec<_> = caches().map(|store| store.get(&1).unwrap()).collect();
        assert_eq!(left, [None, Some("1".into()), Some("2".into()), Some("3".into()), Some("4".into())]);
    }

    /// Any string is the name of a cache. Gives the directory in which there is a cache of each of these names.
    pub fn any_string_is_a_name(&self) -> (TempDir, Vec<String>) {
        let dir = volatile_dir();
        let cache = dir.path().join("cache");
        let awkward =
            ["", ".", "..", "/", "a/b", "a_b", "a b", "../../etc/passwd", "a\0b", "ключ 鍵 🔑", "con", " ", "A_B"];
        let ours = ["meta", "tmp", "lock", "bcache", "CACHEDIR.TAG", ".gitignore"];
        let long = ["long".repeat(2500), "long".repeat(2500) + "er"];
        let names: Vec<_> = awkward.into_iter().chain(ours).map(str::to_owned).chain(long).collect();
        for round in 0..2 {
            for (n, name) in names.iter().enumerate() {
                let store = (self.open)(Options { name: name.clone(), ..self.options(&cache, 200) }).unwrap();
                assert_eq!(store.get(&1).unwrap(), (round > 0).then(|| n.to_string()), "{name:.20}");
                store.insert(&1, &n.to_string()).unwrap();
            }
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "something is outside of the cache");
        (dir, names)
    }

    /// An entry expires at its deadline, whichever run stored it, and whether or not the run that looks has a TTL.
    pub fn a_ttl_goes_on_while_no_process_runs(&self) {
        let dir = volatile_dir();
        let hand = ManualClock::new();
        let open = |ttl: Option<Duration>| {
            let mut options = self.options(dir.path(), 200);
            (options.expiry.ttl, options.expiry.clock) = (ttl, hand.clock());
            (self.open)(options).unwrap()
        };
        let [minute, almost, millisecond] = [60_000, 59_999, 1].map(Duration::from_millis);
        open(Some(minute)).insert(&1, &value(1)).unwrap();
        hand.advance(almost);
        assert_eq!(open(Some(minute)).get(&1).unwrap(), Some(value(1)));
        hand.advance(millisecond);
        assert_eq!(open(Some(minute)).get(&1).unwrap(), None);
        // Storing restarts it, also in a later run.
        open(Some(minute)).insert(&1, &value(2)).unwrap();
        hand.advance(minute / 2);
        open(Some(minute)).insert(&1, &value(3)).unwrap();
        hand.advance(almost);
        assert_eq!(open(Some(minute)).get(&1).unwrap(), Some(value(3)));
        assert_eq!(open(None).get(&1).unwrap(), Some(value(3)));
        hand.advance(millisecond);
        assert_eq!(open(None).get(&1).unwrap(), None);
    }
}

/// Where a file is in the way of the directory, memory serves, and the file is not changed. `serves` asserts that in a directory,
/// with one warning that contains these parts.
pub fn when_the_directory_cannot_be_made_memory_serves(serves: impl Fn(&Path, &[&str])) {
    let dir = volatile_dir();
    let file = dir.path().join("file");
    fs::write(&file, "not a directory").unwrap();
    for cache in [&file, &file.join("cache")] {
        serves(cache, &["cannot prepare the cache directory", "going on without it"]);
    }
    assert_eq!(fs::read(&file).unwrap(), b"not a directory");
}

/// A directory that the cache has made is private and says what it is. One with something else in it stays as it is, but for
/// the cache's own directory in it, which `fill` makes and gives.
#[cfg(unix)]
pub fn a_new_directory_is_private_and_marked_and_one_in_use_is_left_alone(fill: impl Fn(&Path) -> std::path::PathBuf) {
    use super::owners::{mode, set_mode};

    let dir = volatile_dir();
    let [new, used] = ["a/b/new", "used"].map(|name| dir.path().join(name));
    fs::create_dir(&used).unwrap();
    set_mode(&used, 0o755);
    fs::write(used.join("theirs"), "").unwrap();
    for cache in [&new, &used] {
        let own = fill(cache);
        assert_eq!(mode(&own), 0o700);
        // Where the directory around it is marked, one mark is enough.
        assert_eq!(own.join("CACHEDIR.TAG").exists(), *cache == used);
    }
    assert_eq!([&*new, new.parent().unwrap()].map(mode), [0o700; 2]);
    let tag = fs::read_to_string(new.join("CACHEDIR.TAG")).unwrap();
    assert!(tag.starts_with("Signature: 8a477f597d28d172789f06886806bc55"), "{tag}");
    assert_eq!(fs::read_to_string(new.join(".gitignore")).unwrap(), "*\n");
    assert_eq!(mode(&used), 0o755);
    assert!(!used.join("CACHEDIR.TAG").exists() && !used.join(".gitignore").exists());
}
