//! A directory in which nothing can be written: its entries are read, memory serves for the rest, and one warning says so.
#![cfg(target_os = "linux")]

mod common;

use std::fs;
use std::path::Path;
use std::thread;

use common::{call_all, computed_anew, memo, memo_of, on_disk, settle, value};
use twat_cache_core::testing::files::Files;
use twat_cache_core::testing::system::Frozen;
use twat_cache_core::testing::{assert_one_warning, persistent, warnings};
use twat_cache_file::{ErrorKind, fcache};

/// Results in this directory are computed once and not mapped, one warning contains these parts, and `open` fails.
fn serves_from_memory(dir: &Path, parts: &[&str]) {
    let (memo, computed) = memo(dir);
    (0..2).for_each(|_| call_all(&memo, 0..20));
    assert_eq!(computed.get(), 20);
    assert!((0..20).all(|key| !memo.view(&key).is_mapped()));
    assert_one_warning(dir, parts);
    assert!(fcache("numbers").dir(dir).open::<Vec<u64>>().is_err(), "`open` is strict");
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
    let error = fcache("name").dir(file.join("cache")).open::<u8>().unwrap_err();
    assert_eq!((error.kind(), error.path()), (ErrorKind::Io, Some(&*file.join("cache"))));
    let Some(_frozen) = Frozen::freeze(dir.path()) else { return };
    let error = fcache("name").dir(&new).open::<u8>().unwrap_err();
    assert_eq!((error.kind(), error.path()), (ErrorKind::Io, Some(&*new)));
}

#[test]
fn in_a_read_only_directory_the_entries_serve_and_memory_for_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let [used, new] = ["used", "new"].map(|name| dir.path().join(name));
    fs::create_dir(&new).unwrap();
    call_all(&memo(&used).0, 0..20);
    let before = Files::read(&used).paths();
    {
        let Some(_frozen) = Frozen::freeze(dir.path()) else { return };
        serves_from_memory(&new, &["going on without it"]);
        let (memo, computed) = memo(&used);
        call_all(&memo, 0..20);
        assert_eq!((computed.get(), warnings(&used).len()), (0, 0));
        assert!(memo.view(&8).is_mapped() && !memo.view(&9).is_mapped());
        (0..2).for_each(|_| call_all(&memo, 0..40));
        assert_eq!(computed.get(), 20);
        assert!(!memo.view(&32).is_mapped());
        assert_one_warning(&used, &["cannot write an entry", "going on without it"]);
        // What cannot be removed is not shown any more, and the caller that wanted it gone is told.
        assert!(memo.forget(&8_u64).is_err());
        assert_eq!(memo.peek(&8).unwrap(), None);
        call_all(&memo, 0..40);
        assert_eq!(computed.get(), 21);
    }
    assert_eq!(Files::read(&used).paths(), before);
    assert_eq!(computed_anew(&used, 0..20), 0);
}

#[test]
fn a_directory_that_was_read_only_at_first_is_used_in_full_when_it_is_writable() {
    let dir = tempfile::tempdir().unwrap();
    call_all(&memo(dir.path()).0, 0..10);
    let limited = fcache("numbers").dir(dir.path()).max_bytes(100 << 10);
    let (first, second) = (memo_of(limited, value).0, memo(dir.path()).0);
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
    // And what is stored is counted.
    (101..161).filter(|key| key % 8 != 0).for_each(|key| drop(first.call(&key)));
    settle(first.store().path());
    let kept = on_disk(&first, 0..161);
    assert!((9..=12).contains(&kept), "{kept} of 8 KB each, where 100 KB may be");
}

#[test]
fn a_directory_that_becomes_read_only_is_used_again_when_it_is_writable() {
    let dir = tempfile::tempdir().unwrap();
    let (memo, computed) = memo(dir.path());
    call_all(&memo, 0..10);
    {
        let Some(_frozen) = Frozen::freeze(dir.path()) else { return };
        thread::scope(|scope| (0..8).for_each(|_| drop(scope.spawn(|| call_all(&memo, 0..20)))));
        call_all(&memo, 0..20);
        assert_eq!(computed.get(), 20);
        assert!(memo.view(&8).is_mapped() && !memo.view(&16).is_mapped());
        assert!(!memo.store().has_switched());
        assert_one_warning(dir.path(), &["cannot write an entry", "going on without it"]);
    }
    call_all(&memo, 30..40);
    assert_eq!(on_disk(&memo, 30..40), 10);
    assert!(memo.view(&32).is_mapped());
    call_all(&memo, 0..20);
    assert_eq!(computed.get(), 30);
    assert_eq!(warnings(dir.path()).len(), 1);
}
