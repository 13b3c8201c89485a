//! Killed at any moment, the cache opens again, and whatever is still in it is whole and right.
#![cfg(unix)]

mod common;

use std::fs::{self, File};
use std::ops::Range;
use std::path::Path;
use std::time::{Duration, Instant};

use common::child::{Child, Task};
use common::files::{Files, Random};
use common::volatile_dir;
use twat_cache_core::testing::{record_logs, within};
use twat_cache_file::{FileStore, KeyedStore as _, Store as _, ViewStore as _, fcache};

const LIMIT: u64 = 1 << 20;
/// How many keys a child stores, if it comes that far.
const BATCH: u64 = 200;

/// Full of its key, and up to 8 KB long; some are longer, and mapped.
fn value(key: u64) -> String {
    let short = usize::try_from(key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 54).unwrap();
    format!("{key:08}").repeat(if key.is_multiple_of(16) { 20_000 } else { short })
}

fn open(dir: &Path) -> FileStore<String> {
    fcache("numbers").dir(dir).max_bytes(LIMIT).open().unwrap()
}

#[test]
fn child_that_stores() {
    let Some(mut task) = Task::given() else { return };
    let store = open(&task.dir);
    let mut random = Random(u64::from(std::process::id()));
    let start = task.order().unwrap().parse::<u64>().unwrap();
    for key in start..start + BATCH {
        store.insert(&key, &value(key)).unwrap();
        if key % 16 == 0 {
            task.say("another sixteen");
        }
        let earlier = key - random.below(50) as u64;
        match random.below(64) {
            0..4 => drop(store.remove(&earlier).unwrap()),
            4..8 => store.insert(&earlier, &value(earlier)).unwrap(),
            8..24 => drop(store.view(&earlier).unwrap()),
            24 if random.below(4) == 0 => store.clear().unwrap(),
            _ => {}
        }
    }
    // To be killed while nothing happens is an end like any other.
    task.order();
}

/// What is in a directory.
fn names(dir: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Opens what was left, and looks at all of it.
fn inspect(dir: &Path, keys: Range<u64>) {
    let store = open(dir);
    assert_eq!(names(&store.path().join("tmp")), [""; 0], "left by the one who was killed");
    let locks = names(&store.path().join("lock"));
    assert!(locks.is_empty() || locks == ["claims"], "left by the one who was killed: {locks:?}");
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
    let files = Files::read(store.path()).0;
    let entries = files.iter().filter(|(path, _)| path.file_name().unwrap().len() == 48);
    let bytes: u64 = entries.map(|(_, content)| content.bytes.len() as u64 + content.zeros).sum();
    assert!(bytes <= LIMIT + LIMIT / 10, "{bytes} bytes where {LIMIT} may be");
    // There is nothing but entries, the counters, and the locks.
    let is_known = |path: &Path| ["meta", "lock/claims"].iter().any(|known| path.ends_with(known));
    let strangers: Vec<_> =
        files.keys().filter(|path| path.iter().next().unwrap().len() != 2 && !is_known(path)).collect();
    assert!(strangers.is_empty(), "{strangers:?}");
    assert_eq!(names(dir), [".gitignore", "CACHEDIR.TAG", store.path().file_name().unwrap().to_str().unwrap()]);
}

fn warnings(dir: &Path) -> Vec<String> {
    record_logs().warnings(&dir.display().to_string())
}

#[test]
fn killed_while_it_stores_and_evicts_it_opens_again() {
    record_logs();
    let dir = volatile_dir();
    let mut random = Random(1);
    let mut next = 1000;
    for _ in 0..30 {
        let mut child = Child::start("child_that_stores", dir.path());
        child.tell(next);
        next += BATCH;
        (0..=random.below(12)).for_each(|_| drop(child.hear()));
        let moment = Duration::from_micros(random.below(2000) as u64);
        let heard = Instant::now();
        while heard.elapsed() < moment {
            std::hint::spin_loop();
        }
        child.kill();
        let path = dir.path().to_owned();
        within(Duration::from_secs(20), move || inspect(&path, 950..next));
    }
    assert!(warnings(dir.path()).is_empty(), "a kill is no damage: {:#?}", warnings(dir.path()));
}

#[test]
fn child_that_begins() {
    let Some(task) = Task::given() else { return };
    task.say("begun");
    let store = open(&task.dir);
    (0..10_u64).for_each(|key| store.insert(&key, &value(key)).unwrap());
    // The parent listens to nothing more: the moment of the kill is what is random here.
    std::thread::park();
}

#[test]
fn killed_while_it_is_made_it_can_be_made_again() {
    record_logs();
    let mut random = Random(2);
    for _ in 0..30 {
        let dir = volatile_dir();
        let mut child = Child::start("child_that_begins", dir.path());
        assert_eq!(child.hear().as_deref(), Some("begun"));
        let begun = Instant::now();
        let moment = Duration::from_micros(random.below(4000) as u64);
        while begun.elapsed() < moment {
            std::hint::spin_loop();
        }
        child.kill();
        within(Duration::from_secs(20), move || {
            inspect(dir.path(), 0..10);
            open(dir.path()).insert(&1_u64, &value(1)).unwrap();
            assert_eq!(open(dir.path()).get(&1_u64).unwrap(), Some(value(1)));
            inspect(dir.path(), 0..10);
            assert!(warnings(dir.path()).is_empty(), "a kill is no damage: {:#?}", warnings(dir.path()));
        });
    }
}

#[test]
fn what_the_killed_have_left_goes_with_the_next_open_and_what_is_in_use_stays() {
    let dir = volatile_dir();
    let cache = open(dir.path()).path().to_owned();
    let places = ["tmp/0123456789abcdef-0", "lock/room", "lock/0123456789abcdef0123456789abcdef"];
    let strangers = ["tmp/anything", "tmp/room", "lock/anything", "lock/claims"].map(|place| cache.join(place));
    for dir in ["tmp", "lock"] {
        fs::create_dir_all(cache.join(dir)).unwrap();
    }
    for place in &strangers {
        fs::write(place, "somebody's").unwrap();
    }
    for place in places.map(|place| cache.join(place)) {
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        // As by a process that is at it.
        let file = File::create(&place).unwrap();
        file.lock().unwrap();
        open(dir.path());
        assert!(place.exists(), "{} was in use", place.display());
        drop(file);
        open(dir.path());
        assert!(!place.exists(), "{} was not in use", place.display());
    }
    for place in &strangers {
        assert!(place.exists(), "{} is somebody's", place.display());
    }
}
