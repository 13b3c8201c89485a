//! A directory in which nothing can be written: what is there is found, memory serves for the rest, and one warning says so.
#![cfg(target_os = "linux")]

mod common;

use std::fs;
use std::path::Path;
use std::thread;

use common::numbers::{call_all, computed_anew, fill, memo, stored, until_stored};
use twat_cache_core::testing::child::{Child, Task};
use twat_cache_core::testing::files::Files;
use twat_cache_core::testing::system::{Disk, Frozen, run};
use twat_cache_core::testing::{assert_one_warning, persistent, warnings};
use twat_cache_shared::{ErrorKind, scache};

/// In this directory, each result is computed once, one warning contains these parts, and `open` fails.
fn serves_from_memory(dir: &Path, parts: &[&str]) {
    let (memo, computed) = memo(dir);
    (0..2).for_each(|_| call_all(&memo, 0..20));
    assert_eq!(computed.get(), 20);
    assert_one_warning(dir, parts);
    assert!(scache("numbers").dir(dir).open::<Vec<u64>>().is_err(), "`open` is strict");
}

#[test]
fn when_the_directory_cannot_be_made_memory_serves() {
    persistent::when_the_directory_cannot_be_made_memory_serves(serves_from_memory);
}

#[test]
fn an_error_of_open_names_the_directory() {
    let dir = tempfile::tempdir().unwrap();
    let [file, new] = ["file", "new"].map(|name| dir.path().join(name));
    fs::write(&file, "").unwrap();
    let error = scache("name").dir(file.join("cache")).open::<u8>().unwrap_err();
    assert_eq!((error.kind(), error.path()), (ErrorKind::Io, Some(&*file.join("cache"))));
    let Some(_frozen) = Frozen::freeze(dir.path()) else { return };
    let error = scache("name").dir(&new).open::<u8>().unwrap_err();
    assert_eq!((error.kind(), error.path()), (ErrorKind::Io, Some(&*new)));
}

#[test]
fn child_that_is_killed() {
    let Some(mut task) = Task::given() else { return };
    let (memo, _) = memo(&task.dir);
    call_all(&memo, 0..20);
    task.say("stored");
    task.order();
}

/// Stores 20 results. If the process is killed, they are still in the log.
fn fill_and(is_killed: bool, dir: &Path) {
    if !is_killed {
        return fill(dir, 0..20);
    }
    let mut child = Child::start("child_that_is_killed", dir);
    child.hear();
    child.kill();
    assert!(fs::metadata(common::numbers::first(dir).with_extension("db-wal")).unwrap().len() > 100_000);
}

fn serves_what_is_there(dir: &Path) {
    let (memo, computed) = memo(dir);
    call_all(&memo, 0..20);
    assert_eq!((computed.get(), warnings(dir).len()), (0, 0), "{:#?}", warnings(dir));
    assert_eq!(memo.len().unwrap(), 20);
    (0..2).for_each(|_| call_all(&memo, 0..40));
    assert_eq!(computed.get(), 20);
    assert_one_warning(dir, &["cannot write an entry", "going on without it"]);
    // What cannot be removed is not shown any more, and the caller that wanted it gone is told.
    assert!(memo.forget(&8_u64).is_err());
    assert_eq!(memo.peek(&8).unwrap(), None);
    call_all(&memo, 0..40);
    assert_eq!(computed.get(), 21);
    assert!(memo.clear().is_err());
    assert_eq!(warnings(dir).len(), 1, "{:#?}", warnings(dir));
}

#[test]
fn in_a_read_only_directory_the_entries_serve_and_memory_for_the_rest() {
    for is_killed in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let [used, new] = ["used", "new"].map(|name| dir.path().join(name));
        fs::create_dir(&new).unwrap();
        fill_and(is_killed, &used);
        let before = Files::read(&used).paths();
        {
            let Some(_frozen) = Frozen::freeze(dir.path()) else { return };
            serves_from_memory(&new, &["going on without it"]);
            serves_what_is_there(&used);
        }
        assert_eq!(Files::read(&used).paths(), before);
        assert_eq!(computed_anew(&used, 0..20), 0);
    }
}

#[test]
fn child_that_forgets_and_is_killed() {
    let Some(mut task) = Task::given() else { return };
    let (memo, _) = memo(&task.dir);
    (0..10).for_each(|key| assert!(memo.forget(&key).unwrap()));
    task.say("forgotten");
    task.order();
}

#[test]
fn what_is_forgotten_does_not_come_back_without_the_log() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path(), 0..20);
    let mut child = Child::start("child_that_forgets_and_is_killed", dir.path());
    child.hear();
    child.kill();
    fs::remove_file(common::numbers::first(dir.path()).with_extension("db-wal")).unwrap();
    let Some(_frozen) = Frozen::freeze(dir.path()) else { return };
    let (memo, _) = memo(dir.path());
    assert!((0..10).all(|key| memo.peek(&key).unwrap().is_none()));
    assert_one_warning(dir.path(), &["its last changes are missing", "going on without it"]);
}

fn remount(dir: &Path, options: &str) -> bool {
    run("mount", &[&"-o", &format!("remount,{options}"), &dir])
}

#[test]
fn on_a_read_only_mount_the_entries_serve_and_memory_for_the_rest() {
    for is_killed in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let Some(_disk) = Disk::mount(dir.path(), 20) else { return };
        let cache = dir.path().join("cache");
        fill_and(is_killed, &cache);
        if !remount(dir.path(), "ro") {
            eprintln!("skipped: no disk can be made read-only here");
            return;
        }
        serves_what_is_there(&cache);
        assert!(remount(dir.path(), "rw"));
        assert_eq!(computed_anew(&cache, 0..20), 0);
    }
}

#[test]
fn a_directory_that_was_read_only_at_first_is_used_in_full_when_it_is_writable() {
    for is_killed in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let cache = dir.path().join("cache");
        fill_and(is_killed, &cache);
        let (first, second) = (memo(&cache).0, memo(&cache).0);
        {
            let Some(_frozen) = Frozen::freeze(dir.path()) else { return };
            call_all(&first, 1..8);
        }
        call_all(&second, 0..10);
        // An entry that one store removes is gone for the other.
        for key in [1_u64, 8] {
            assert!(first.forget(&key).unwrap());
            assert!(second.peek(&key).unwrap().is_none(), "{key} is still there");
        }
        call_all(&first, 20..30);
        assert_eq!(stored(&second, 20..30), 10);
        assert_eq!(warnings(&cache), [""; 0]);
    }
}

#[test]
fn a_directory_that_becomes_read_only_is_used_again_when_it_is_writable() {
    let dir = tempfile::tempdir().unwrap();
    let (memo, computed) = memo(dir.path());
    call_all(&memo, 0..10);
    {
        let Some(_frozen) = Frozen::freeze(dir.path()) else { return };
        // SQLite writes to this file by memory that it shares, and the system ends a process that cannot.
        run("chattr", &[&"-i", &common::numbers::first(dir.path()).with_extension("db-shm")]);
        thread::scope(|scope| (0..12).for_each(|_| drop(scope.spawn(|| call_all(&memo, 0..20)))));
        call_all(&memo, 0..20);
        assert_eq!(computed.get(), 20);
        assert!(!memo.store().has_switched());
        assert!(warnings(dir.path()).len() <= 1, "{:#?}", warnings(dir.path()));
    }
    call_all(&memo, 30..40);
    until_stored(&memo, 40);
    assert_eq!(stored(&memo, 30..40), 10);
    call_all(&memo, 0..20);
    drop(memo);
    assert_eq!(computed_anew(dir.path(), 30..40), 0);
    assert!(!common::numbers::numbered(dir.path(), 2).exists(), "it was no damage");
}

#[test]
fn a_disk_that_becomes_read_only_is_used_again_when_it_is_writable() {
    let dir = tempfile::tempdir().unwrap();
    let Some(_disk) = Disk::mount(dir.path(), 20) else { return };
    let cache = dir.path().join("cache");
    let (memo, computed) = memo(&cache);
    call_all(&memo, 0..10);
    // Files that are open for writing keep a disk writable, so the machine's owner has to insist.
    drop(memo);
    assert_eq!(computed.get(), 10);
    let (memo, computed) = common::numbers::memo(&cache);
    if !remount(dir.path(), "ro") {
        eprintln!("skipped: no disk can be made read-only here");
        return;
    }
    call_all(&memo, 0..20);
    assert_eq!(computed.get(), 10);
    assert!(remount(dir.path(), "rw"));
    call_all(&memo, 20..30);
    assert_eq!(stored(&memo, 20..30), 10);
    assert_eq!(warnings(&cache).len(), 1, "{:#?}", warnings(&cache));
}
