//! Nothing is read from or written to a place that others can change, no link is followed, and what is in the way is moved
//! aside.
#![cfg(target_os = "linux")]

mod common;

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use common::damage::{Deed, KEYS, assert_right, is_entry, make_full_dir, memo};
use common::files::Files;
use common::numbers::{assert_one_warning, warnings};
use common::system::run;
use common::volatile_dir;
use twat_cache_core::Trust;
use twat_cache_core::testing::within;
use twat_cache_file::{KeyedStore as _, Store as _, fcache};

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// To another user; false if only root could do that, and we are not.
fn give_away(path: &Path) -> bool {
    let is_given = chown(path, Some(12345), None).is_ok();
    if !is_given {
        eprintln!("skipped: only root can give files to others");
    }
    is_given
}

/// Calls and views all keys; gives how many were computed.
fn round(dir: &Path) -> usize {
    let (memo, computed) = memo(dir);
    (0..KEYS).chain(0..KEYS).for_each(|key| assert_right(&memo, key));
    computed.get()
}

fn all() -> usize {
    usize::try_from(KEYS).unwrap()
}

/// A cache with all keys, and the directory of its name.
fn filled() -> (tempfile::TempDir, PathBuf) {
    let dir = volatile_dir();
    round(dir.path());
    let store = fcache("numbers").dir(dir.path()).open::<Vec<u64>>().unwrap();
    (dir, store.path().to_owned())
}

#[test]
fn what_others_can_change_is_not_used_and_memory_serves_with_one_warning_that_names_it() {
    let deeds: [Deed; 4] = [
        ("others can write to", |path| set_mode(path, 0o777)),
        ("others can write to", |path| set_mode(path, 0o1777)),
        ("`.trust(Trust::Group)`", |path| set_mode(path, 0o770)),
        ("belongs to user 12345", |path| {
            give_away(path);
        }),
    ];
    for (said, spoil) in deeds {
        for is_below in [false, true] {
            let (dir, below) = filled();
            let opened = if is_below { &below } else { dir.path() };
            spoil(opened);
            if said.contains("12345") && fs::metadata(opened).unwrap().uid() != 12345 {
                continue;
            }
            let before = Files::read(dir.path()).paths();
            let (memo, computed) = memo(dir.path());
            (0..KEYS).chain(0..KEYS).for_each(|key| assert_right(&memo, key));
            assert_eq!(computed.get(), all(), "what is there serves nobody");
            assert_one_warning(dir.path(), &[said, opened.to_str().unwrap(), "in memory"]);
            let strict = fcache("numbers").dir(dir.path()).build::<Vec<u64>>();
            assert!(strict.get(&1_u64).is_err() && strict.insert(&1_u64, &vec![]).is_err());
            assert!(strict.remove(&1_u64).is_err() && strict.clear().is_err() && strict.len().is_err());
            assert!(memo.forget(&1).is_err(), "what is there is still there");
            assert_eq!(Files::read(dir.path()).paths(), before, "something was written");
            // As soon as it is as it should be, it is used.
            chown(opened, Some(twat_cache_core::persist::trust::user()), None).unwrap();
            set_mode(opened, 0o700);
            assert_eq!(round(dir.path()), 0);
            let other = 100 + KEYS;
            let store = fcache("numbers").dir(dir.path()).open::<Vec<u64>>().unwrap();
            memo.store().insert(&other, &vec![1]).unwrap();
            assert_eq!(store.get(&other).unwrap(), Some(vec![1]));
        }
    }
}

#[test]
fn a_directory_of_a_group_is_used_where_that_is_wanted() {
    let dir = volatile_dir();
    set_mode(dir.path(), 0o770);
    let open = || fcache("numbers").dir(dir.path()).trust(Trust::Group).open::<u64>();
    open().unwrap().insert(&1_u64, &1).unwrap();
    assert_eq!(open().unwrap().get(&1_u64).unwrap(), Some(1));
    set_mode(dir.path(), 0o777);
    assert!(open().is_err());
}

#[test]
fn what_another_user_has_put_there_before_serves_nobody_and_is_moved_aside() {
    let (dir, below) = filled();
    let entries = Files::read(&below).paths();
    let entry = below.join(entries.iter().find(|path| is_entry(path)).unwrap());
    for path in [&entry, &below.join("meta"), &below.join("tmp"), &below.join("lock/claims")] {
        if !give_away(path) {
            return;
        }
    }
    // The secret is another one, too.
    assert_eq!(round(dir.path()), all());
    assert_eq!(round(dir.path()), 0);
    for path in ["meta", "tmp", "lock/claims"] {
        assert_eq!(fs::metadata(below.join(path)).unwrap().uid(), twat_cache_core::persist::trust::user(), "{path}");
        assert_eq!(fs::metadata(below.join(format!("{path}.in-the-way"))).unwrap().uid(), 12345, "{path}");
    }
    assert!(warnings(dir.path()).len() <= 1, "{:#?}", warnings(dir.path()));
}

#[test]
fn an_entry_of_another_user_serves_nobody_and_is_moved_aside() {
    let (dir, below) = filled();
    let entries = Files::read(&below).paths();
    let entry = below.join(entries.iter().find(|path| is_entry(path)).unwrap());
    if !give_away(&entry) {
        return;
    }
    assert_eq!(round(dir.path()), 1);
    assert_eq!(round(dir.path()), 0);
    assert_eq!(fs::metadata(&entry).unwrap().uid(), twat_cache_core::persist::trust::user());
    assert_eq!(fs::metadata(entry.with_extension("in-the-way")).unwrap().uid(), 12345);
}

/// All that the cache has a name for, below its directory: files, directories, and one of each that is made when needed.
fn names(below: &Path) -> Vec<PathBuf> {
    let entry = Files::read(below).paths().into_iter().find(|path| is_entry(path)).unwrap();
    let part = entry.parent().unwrap().to_owned();
    ["meta", "tmp", "lock", "lock/claims", "lock/room"].map(PathBuf::from).into_iter().chain([part, entry]).collect()
}

#[test]
fn no_link_is_followed_and_what_it_leads_to_is_left_alone() {
    for nth in 0..7 {
        for leads_to_ours in [false, true] {
            let (dir, below) = filled();
            let name = names(&below)[nth].clone();
            let (path, target) = (below.join(&name), dir.path().join("target"));
            // Somebody's folder, or file, with what is called as ours is.
            let is_dir = !path.is_file() && !path.ends_with("room");
            if leads_to_ours && path.exists() {
                fs::rename(&path, &target).unwrap();
            } else if is_dir {
                fs::create_dir(&target).unwrap();
                for name in ["0123456789abcdef-0", "room", "0123456789abcdef0123456789abcdef", "claims", "meta"] {
                    fs::write(target.join(name), "somebody's").unwrap();
                }
            } else {
                fs::write(&target, "somebody's").unwrap();
            }
            let _ = fs::remove_file(&path).or_else(|_| fs::remove_dir_all(&path));
            symlink(&target, &path).unwrap();
            let before = content(&target);
            make_room(dir.path());
            round(dir.path());
            assert_eq!(round(dir.path()), 0, "{} is not healed", name.display());
            let limited = fcache("numbers").dir(dir.path()).open::<Vec<u64>>().unwrap();
            limited.clear().unwrap();
            round(dir.path());
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

/// Stores so much that some of what is there has to go, for which there is a lock.
fn make_room(dir: &Path) {
    let cache = fcache("numbers").dir(dir).version("another").max_bytes(500 << 10);
    let store = cache.open::<Vec<u64>>().unwrap();
    (0..8_u64).for_each(|key| store.insert(&key, &vec![key; 20_000]).unwrap());
}

#[test]
fn whatever_is_in_the_way_is_not_waited_for_and_moved_aside() {
    let makes: [Deed; 6] = [
        ("a pipe", |path| assert!(run("mkfifo", &[&path]))),
        ("a socket", |path| drop(UnixListener::bind(path).unwrap())),
        ("a device", |path| {
            if !run("mknod", &[&path, &"c", &"1", &"5"]) {
                make_full_dir(path);
            }
        }),
        ("a directory", make_full_dir),
        ("a link to nothing", |path| symlink("nothing", path).unwrap()),
        ("a link to itself", |path| symlink(path, path).unwrap()),
    ];
    for nth in 0..7 {
        for (what, make) in makes {
            let (dir, below) = filled();
            let name = names(&below)[nth].clone();
            let path = below.join(&name);
            let is_dir = path.is_dir();
            if what == "a directory" && is_dir {
                continue;
            }
            let _ = fs::remove_file(&path).or_else(|_| fs::remove_dir_all(&path));
            make(&path);
            let before = fs::symlink_metadata(&path).unwrap().ino();
            within(Duration::from_secs(10), move || {
                make_room(dir.path());
                round(dir.path());
                assert_eq!(round(dir.path()), 0, "{what} at {} is not healed", name.display());
                let aside = format!("{}.in-the-way", path.file_name().unwrap().to_str().unwrap());
                let aside = fs::symlink_metadata(path.with_file_name(aside)).unwrap();
                assert_eq!(aside.ino(), before, "{what} at {}", name.display());
                assert!(warnings(dir.path()).len() <= 1, "{:#?}", warnings(dir.path()));
            });
        }
    }
}

#[test]
fn what_somebody_has_put_among_the_entries_is_never_evicted() {
    let dir = volatile_dir();
    let store = fcache("numbers").dir(dir.path()).max_bytes(100 << 10).open::<Vec<u64>>().unwrap();
    store.insert(&0_u64, &vec![0; 1000]).unwrap();
    let part = store.path_of(&0_u64).unwrap().parent().unwrap().to_owned();
    let strangers = ["stranger", "0123456789abcdef-0", &"g".repeat(48)].map(|name| part.join(name));
    for path in &strangers {
        fs::write(path, vec![1; 200 << 10]).unwrap();
    }
    (1..100_u64).for_each(|key| store.insert(&key, &vec![key; 1000]).unwrap());
    assert!(strangers.iter().all(|path| path.exists()));
    assert!(store.len().unwrap() >= 9, "they count for nothing");
}
