//! A directory in which nothing can be written: memory serves, one warning says so, and the entries there stay.
#![cfg(target_os = "linux")]

mod common;

use std::fs;
use std::path::Path;
use std::thread;

use common::{call_all, computed_anew, fill, memo, until_stored, value};
use twat_cache_core::testing::system::Frozen;
use twat_cache_core::testing::{assert_one_warning, persistent, until, warnings};
use twat_cache_disk::bcache;

/// In this directory, each call is computed once, one warning contains these parts, and `open` fails.
fn serves_from_memory(dir: &Path, parts: &[&str]) {
    let (memo, computed) = memo(dir);
    (0..2).for_each(|_| call_all(&memo, 0..20));
    assert_eq!(computed.get(), 20);
    assert_one_warning(dir, parts);
    assert!(bcache("numbers").dir(dir).open::<Vec<u64>>().is_err(), "`open` is strict");
}

#[test]
fn when_the_directory_cannot_be_made_memory_serves() {
    persistent::when_the_directory_cannot_be_made_memory_serves(serves_from_memory);
}

#[test]
fn in_a_read_only_directory_memory_serves_and_the_entries_stay() {
    let dir = tempfile::tempdir().unwrap();
    let [used, new] = ["used", "new"].map(|name| dir.path().join(name));
    fs::create_dir(&new).unwrap();
    fill(&used, 0..20);
    {
        let Some(_frozen) = Frozen::freeze(dir.path()) else { return };
        serves_from_memory(&new, &["going on without it"]);
        serves_from_memory(&used, &["going on without it"]);
    }
    assert_eq!(computed_anew(&used, 0..20), 0);
}

#[test]
fn a_directory_that_becomes_read_only_is_used_again_when_it_is_writable() {
    let dir = tempfile::tempdir().unwrap();
    let (memo, computed) = memo(dir.path());
    call_all(&memo, 0..10);
    let Some(frozen) = Frozen::freeze(dir.path()) else { return };
    thread::scope(|scope| (0..8).for_each(|_| drop(scope.spawn(|| call_all(&memo, 0..20)))));
    call_all(&memo, 0..20);
    let before = computed.get();
    assert!(before <= 30, "20, and once more the 10 that are out of reach: {before}");
    call_all(&memo, 0..20);
    assert_eq!(computed.get(), before);
    assert!(!memo.store().has_switched());
    assert_one_warning(dir.path(), &["cannot write", "bcache", "going on without it"]);
    drop(frozen);
    until_stored(&memo, 30);
    let before = computed.get();
    call_all(&memo, 0..20);
    assert!(computed.get() <= before + 1, "that by which the failure was noticed");
}

#[test]
fn an_engine_that_gives_up_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let (memo, computed) = memo(dir.path());
    call_all(&memo, 0..10);
    {
        // The engine can write to the journal, but cannot make tables. It notices that in the background.
        let Some(_frozen) = Frozen::freeze(&dir.path().join("bcache/keyspaces")) else { return };
        memo.store().keyspace().unwrap().rotate_memtable().unwrap();
        let mut keys = (10..20).cycle();
        until("the engine gives up", || {
            let key = keys.next().unwrap();
            assert_eq!(memo.refresh(&key), value(key));
            !warnings(dir.path()).is_empty()
        });
        call_all(&memo, 0..30);
        assert_one_warning(dir.path(), &["the engine failed earlier", "going on without it"]);
    }
    until_stored(&memo, 30);
    let before = computed.get();
    call_all(&memo, 0..30);
    assert!(computed.get() <= before + 1, "that by which the failure was noticed");
    assert_eq!(warnings(dir.path()).len(), 1);
}
