//! A disk without room: memory serves, one warning says so, and the database is used again when there is room.
#![cfg(target_os = "linux")]

mod common;

use std::thread;
use std::time::Duration;

use common::{call_all, computed_anew, is_on_disk, memo, until_stored, was_moved_aside};
use twat_cache_core::testing::system::Disk;
use twat_cache_core::testing::{assert_one_warning, until, within};
use twat_cache_disk::{KeyedStore as _, bcache};

#[test]
fn on_a_full_disk_memory_serves_until_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let Some(disk) = Disk::mount(dir.path(), 8) else { return };
    disk.fill(6);
    let (memo, computed) = memo(dir.path());
    (0..2).for_each(|_| call_all(&memo, 0..400));
    let before = computed.get();
    assert!(before <= 800, "400, and once more those that are out of reach: {before}");
    call_all(&memo, 0..400);
    assert_eq!(computed.get(), before);
    assert_one_warning(dir.path(), &["no room left", "going on without it"]);
    disk.make_room();
    until_stored(&memo, 400);
    call_all(&memo, 401..430);
    assert!((401..430).all(|key| is_on_disk(&memo, key)), "storing does not resume");
    assert!(!was_moved_aside(dir.path()), "a full disk is no damage");
}

#[test]
fn a_disk_that_is_full_from_the_start_is_used_when_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let Some(disk) = Disk::mount(dir.path(), 4) else { return };
    disk.fill(5);
    let (memo, computed) = memo(dir.path());
    (0..2).for_each(|_| call_all(&memo, 0..100));
    assert_eq!(computed.get(), 100);
    assert_one_warning(dir.path(), &["no room left", "going on without it"]);
    disk.make_room();
    (0..2).for_each(|key| until_stored(&memo, key));
    drop(memo);
    assert_eq!(computed_anew(dir.path(), 0..2), 0);
}

#[test]
fn after_thousands_of_refused_writes_a_full_disk_is_used_when_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let Some(disk) = Disk::mount(dir.path(), 4) else { return };
    disk.fill(5);
    let memo = bcache("small").dir(dir.path()).wrap(|key: &u64| key.to_string());
    (0..5000).for_each(|key| assert_eq!(memo.call(&key), key.to_string()));
    disk.make_room();
    until("storing resumes", || {
        assert_eq!(memo.refresh(&1), "1");
        memo.store().primary().get(&1_u64).is_ok_and(|found| found.is_some())
    });
}

#[test]
fn no_call_hangs_while_a_disk_fills_up() {
    let dir = tempfile::tempdir().unwrap();
    let Some(_disk) = Disk::mount(dir.path(), 150) else { return };
    let path = dir.path().to_owned();
    within(Duration::from_secs(60), move || {
        let big = |key: u64| vec![key; 1 << 19];
        let memo = bcache("big").dir(&path).wrap(move |key: &u64| big(*key));
        thread::scope(|scope| {
            for part in [0, 100, 200, 300] {
                let memo = &memo;
                scope.spawn(move || (part..part + 20).for_each(|key| assert_eq!(memo.call(&key), big(key))));
            }
        });
    });
}
