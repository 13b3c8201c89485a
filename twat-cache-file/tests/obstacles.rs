//! Foreign files and directories at paths of the cache: no call waits for them, no link is followed, they are moved
//! aside and not changed, and the cache works.
#![cfg(target_os = "linux")]

mod common;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use common::varied::{KEYS, assert_right, filled, memo, use_all};
use common::{entries_below, is_entry, on_disk, settle};
use twat_cache_core::testing::damage::{Act, Failures};
use twat_cache_core::testing::files::Files;
use twat_cache_core::testing::obstacles::{
    DEVICE, DIRECTORY, FILE, LINK_TO_ITSELF, LINK_TO_NOTHING, PIPE, SOCKET, THEIRS, inode, put,
};
use twat_cache_core::testing::{PATIENCE, volatile_dir, warnings, within};
use twat_cache_file::{KeyedStore as _, Store as _, fcache};

#[test]
fn an_obstacle_in_place_of_the_directory_of_a_name_is_moved_aside() {
    let link_to_a_cache: Act =
        ("a link to a cache", |path| symlink(path.parent().unwrap().join("away"), path).unwrap());
    for (what, make) in [FILE, PIPE, LINK_TO_NOTHING, LINK_TO_ITSELF, link_to_a_cache] {
        let dir = tempfile::tempdir().unwrap();
        let (before, _) = common::memo(dir.path());
        common::call_all(&before, 0..20);
        let (ours, away) = (before.store().path().to_owned(), dir.path().join("away"));
        fs::rename(&ours, &away).unwrap();
        make(&ours);
        let (number, files) = (inode(&ours), Files::read(&away).0.len());
        let (memo, computed) = common::memo(dir.path());
        common::call_all(&memo, 0..20);
        // A store that has the file open notices the change by itself.
        common::call_all(&before, 0..20);
        assert_eq!((computed.get(), on_disk(&memo, 0..20)), (20, 20), "{what}");
        assert_eq!(inode(&ours.with_extension("in-the-way")), number, "{what}");
        assert_eq!(Files::read(&away).0.len(), files, "{what}");
        assert_eq!(warnings(dir.path()), [""; 0], "{what}");
    }
}

#[test]
fn an_obstacle_in_place_of_an_entry_can_be_forgotten_and_cleared() {
    let nothing: Act = ("nothing", |_| ());
    let empty: Act = ("an empty file", |path| fs::write(path, "").unwrap());
    let garbage: Act = ("garbage", |path| fs::write(path, [7; 1000]).unwrap());
    for obstacle in [nothing, DIRECTORY, PIPE, LINK_TO_NOTHING, empty, garbage] {
        let what = obstacle.0;
        for key in [5_u64, 15] {
            let dir = volatile_dir();
            let (memo, computed) = memo(dir.path());
            (0..KEYS).for_each(|key| assert_right(&memo, key));
            let path = memo.store().path_of(&key).unwrap();
            put(obstacle, &path);
            memo.forget(&key).unwrap();
            assert!(!path.exists() && path.symlink_metadata().is_err(), "{what} is still there");
            assert_eq!(memo.peek(&key).unwrap(), None, "{what}");
            assert_right(&memo, key);
            put(obstacle, &path);
            memo.clear().unwrap();
            assert!(path.symlink_metadata().is_err(), "{what} is still there");
            assert_eq!(memo.len().unwrap(), 0, "{what}");
            (0..KEYS).for_each(|key| assert_right(&memo, key));
            assert_eq!(computed.get() as u64, KEYS + 1 + KEYS, "{what}");
        }
    }
}

/// All that the cache has a name for, below its directory: files, directories, and one of each that is made when needed.
fn names(below: &Path) -> Vec<PathBuf> {
    let entry = Files::read(below).paths().into_iter().find(|path| is_entry(path)).unwrap();
    let part = entry.parent().unwrap().to_owned();
    ["meta", "tmp", "lock", "lock/claims", "lock/room"].map(PathBuf::from).into_iter().chain([part, entry]).collect()
}

#[test]
fn no_link_is_followed_and_its_target_is_not_changed() {
    for nth in 0..7 {
        for leads_to_ours in [false, true] {
            let (dir, below) = filled();
            let name = names(&below)[nth].clone();
            let (path, target) = (below.join(&name), dir.path().join("target"));
            // A directory or file that is not the cache's, with names in it as the cache has them.
            let is_dir = !path.is_file() && !path.ends_with("room");
            if leads_to_ours && path.exists() {
                fs::rename(&path, &target).unwrap();
            } else if is_dir {
                fs::create_dir(&target).unwrap();
                for name in ["0123456789abcdef", "room", "0123456789abcdef0123456789abcdef", "claims", "meta"] {
                    fs::write(target.join(name), THEIRS).unwrap();
                }
            } else {
                fs::write(&target, THEIRS).unwrap();
            }
            let _ = fs::remove_file(&path).or_else(|_| fs::remove_dir_all(&path));
            symlink(&target, &path).unwrap();
            let before = content(&target);
            evict(dir.path());
            use_all(dir.path());
            assert_eq!(use_all(dir.path()).computed, 0, "{} is not healed", name.display());
            memo(dir.path()).0.clear().unwrap();
            use_all(dir.path());
            assert!(content(&target) == before, "what {} led to has changed", name.display());
            assert!(!path.is_symlink(), "{} is still a link", name.display());
            assert!(warnings(dir.path()).len() <= 1, "{:#?}", warnings(dir.path()));
        }
    }
}

fn content(path: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    if path.is_dir() {
        Files::read(path).0.into_iter().map(|(path, content)| (path, content.bytes)).collect()
    } else {
        vec![(PathBuf::new(), fs::read(path).unwrap())]
    }
}

/// Stores until older entries are evicted, which takes a lock.
fn evict(dir: &Path) {
    let cache = fcache("numbers").dir(dir).version("another").max_bytes(1650 << 10);
    let store = cache.open::<Vec<u64>>().unwrap();
    (0..12_u64).for_each(|key| store.insert(&key, &vec![key; 20_000]).unwrap());
    settle(store.path());
}

#[test]
fn an_obstacle_in_place_of_a_file_or_directory_is_moved_aside() {
    for nth in 0..7 {
        for obstacle in [PIPE, SOCKET, DEVICE, DIRECTORY, LINK_TO_NOTHING, LINK_TO_ITSELF] {
            let what = obstacle.0;
            let (dir, below) = filled();
            let name = names(&below)[nth].clone();
            let path = below.join(&name);
            if what == "a directory" && path.is_dir() {
                continue;
            }
            put(obstacle, &path);
            let before = inode(&path);
            within(PATIENCE, move || {
                evict(dir.path());
                use_all(dir.path());
                assert_eq!(use_all(dir.path()).computed, 0, "{what} at {} is not healed", name.display());
                let aside = format!("{}.in-the-way", path.file_name().unwrap().to_str().unwrap());
                assert_eq!(inode(&path.with_file_name(aside)), before, "{what} at {}", name.display());
                assert!(warnings(dir.path()).len() <= 1, "{:#?}", warnings(dir.path()));
            });
        }
    }
}

#[test]
fn unknown_files_among_the_entries_are_never_evicted() {
    let dir = volatile_dir();
    let store = fcache("numbers").dir(dir.path()).max_bytes(100 << 10).open::<Vec<u64>>().unwrap();
    store.insert(&0_u64, &vec![0; 1000]).unwrap();
    let part = store.path_of(&0_u64).unwrap().parent().unwrap().to_owned();
    let strangers = ["stranger", "0123456789abcdef-0", &"g".repeat(32)].map(|name| part.join(name));
    for path in &strangers {
        fs::write(path, vec![1; 200 << 10]).unwrap();
    }
    (1..100_u64).for_each(|key| store.insert(&key, &vec![key; 1000]).unwrap());
    assert!(strangers.iter().all(|path| path.exists()));
    assert!(store.len().unwrap() >= 9, "they count for nothing");
}

/// Something that blocks or misleads eviction must not let the cache grow without bounds.
#[test]
fn the_limit_holds_whatever_is_in_place_of_the_locks_and_counters() {
    const LIMIT: u64 = 64 << 10;
    let strangers: [Act; 7] = [
        ("nothing", |_| ()),
        ("a file `room`", |cache| fs::write(cache.join("lock/room"), "x").unwrap()),
        ("a directory `room`", |cache| fs::create_dir(cache.join("lock/room")).unwrap()),
        ("a link `room`", |cache| symlink("nothing", cache.join("lock/room")).unwrap()),
        ("no locks", |cache| {
            let _ = fs::remove_dir_all(cache.join("lock"));
            fs::write(cache.join("lock"), "x").unwrap();
        }),
        ("a directory among the entries", |cache| fs::create_dir_all(cache.join("0123456789abcdef/a/b")).unwrap()),
        ("counters that say zero", |cache| {
            let mut meta = fs::read(cache.join("meta")).unwrap();
            meta[32..].fill(0);
            fs::write(cache.join("meta"), meta).unwrap();
        }),
    ];
    let mut failures = Failures::default();
    for (what, make) in strangers {
        let dir = volatile_dir();
        let open = || fcache("limited").dir(dir.path()).max_bytes(LIMIT).wrap(|key: &u64| vec![*key; 500]);
        let memo = open();
        memo.call(&0);
        let cache = memo.store().path().to_owned();
        fs::create_dir_all(cache.join("lock")).unwrap();
        make(&cache);
        drop(memo);
        failures.note(what, || {
            let memo = open();
            (0..100_u64).for_each(|key| assert_eq!(memo.call(&key), vec![key; 500]));
            settle(&cache);
            let (_, bytes) = entries_below(&cache);
            assert!(bytes <= LIMIT + LIMIT / 10, "{bytes} bytes where {LIMIT} may be");
        });
    }
    failures.end();
}
