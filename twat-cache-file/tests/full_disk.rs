//! A disk without room: memory serves for what does not fit, one warning says so, and files are used when there is room.
#![cfg(target_os = "linux")]

mod common;

use std::fs;

use common::{call_all, computed_anew, memo, on_disk};
use twat_cache_core::testing::system::Disk;
use twat_cache_core::testing::{Counter, assert_one_warning, block_on, record_logs, warnings};
use twat_cache_file::fcache;

#[test]
fn on_a_full_disk_memory_serves_until_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let Some(disk) = Disk::mount(dir.path(), 8) else { return };
    disk.fill(5);
    let (memo, computed) = memo(dir.path());
    (0..2).for_each(|_| call_all(&memo, 0..200));
    // Results in memory are hits, and so are those on disk.
    assert_eq!(computed.get(), 200);
    assert_one_warning(dir.path(), &["no room left", "going on without it"]);
    let kept = on_disk(&memo, 0..200);
    assert!((10..190).contains(&kept), "{kept} on disk");
    disk.make_room();
    call_all(&memo, 200..220);
    assert_eq!(on_disk(&memo, 200..220), 20, "storing does not resume");
    assert!(memo.view(&200).is_mapped());
    assert_eq!(warnings(dir.path()).len(), 1);
    let temporary = memo.store().path().join("tmp");
    drop(memo);
    // Nothing half-written is left, and all entries are whole.
    assert_eq!(computed_anew(dir.path(), 0..220) as u64, 200 - kept);
    assert_eq!(fs::read_dir(temporary).unwrap().count(), 0);
}

#[test]
fn a_value_for_which_there_is_no_room_is_kept_in_memory_and_the_others_on_disk() {
    let dir = tempfile::tempdir().unwrap();
    let Some(_disk) = Disk::mount(dir.path(), 4) else { return };
    let (memo, _) = memo(dir.path());
    call_all(&memo, 0..10);
    let large = fcache("large").dir(dir.path()).wrap(|len: &usize| vec![7_u8; *len]);
    for _ in 0..3 {
        assert_eq!(large.view(&(6 << 20)).len(), 6 << 20);
    }
    assert!(!large.view(&(6 << 20)).is_mapped());
    assert!(large.view(&(1 << 20)).is_mapped());
    call_all(&memo, 0..20);
    assert_eq!(on_disk(&memo, 0..20), 20);
    assert_one_warning(dir.path(), &["no room left", "large-"]);
}

#[test]
fn a_disk_that_is_full_from_the_start_is_used_when_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let Some(disk) = Disk::mount(dir.path(), 4) else { return };
    disk.fill(5);
    let cache = dir.path().join("cache");
    let (memo, computed) = memo(&cache);
    (0..2).for_each(|_| call_all(&memo, 0..20));
    assert_eq!(computed.get(), 20);
    assert_one_warning(dir.path(), &["no room left", "going on without it"]);
    disk.make_room();
    call_all(&memo, 20..30);
    assert_eq!(on_disk(&memo, 20..30), 10);
    assert!(memo.view(&24).is_mapped());
    // The directory is marked later.
    assert!(fs::read_to_string(cache.join("CACHEDIR.TAG")).unwrap().starts_with("Signature"));
    assert_eq!(fs::read_to_string(cache.join(".gitignore")).unwrap(), "*\n");
}

#[test]
fn a_large_value_of_a_task_for_which_there_is_no_room_is_kept_in_memory() {
    let dir = tempfile::tempdir().unwrap();
    let Some(_disk) = Disk::mount(dir.path(), 4) else { return };
    record_logs();
    let computed = Counter::new();
    let large = fcache("large").dir(dir.path()).wrap_async(async |len: &usize| {
        computed.count();
        vec![7_u8; *len]
    });
    for _ in 0..3 {
        assert_eq!(block_on(large.view_async(&(6 << 20))).len(), 6 << 20);
    }
    assert_eq!(computed.get(), 1);
    assert!(!block_on(large.view_async(&(6 << 20))).is_mapped());
    assert!(block_on(large.view_async(&(2 << 20))).is_mapped());
    assert_one_warning(dir.path(), &["no room left", "going on without it"]);
}
