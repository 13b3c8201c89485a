//! A disk without room: memory serves, one warning says so, and the database is used again when there is room.
#![cfg(target_os = "linux")]

mod common;

use std::thread;
use std::time::Duration;

use common::numbers::{call_all, computed_anew, memo, numbered, stored, until_stored};
use twat_cache_core::testing::system::Disk;
use twat_cache_core::testing::{assert_one_warning, until, warnings, within};
use twat_cache_shared::{KeyedStore as _, Store as _, scache};

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
    // What was found before is found now.
    let before = stored(&memo, 0..400);
    assert!(before > 10, "{before}");
    disk.make_room();
    until_stored(&memo, 400);
    call_all(&memo, 401..430);
    assert_eq!(stored(&memo, 401..430), 29, "storing does not resume");
    assert!(stored(&memo, 0..400) >= before);
    assert!(!numbered(dir.path(), 2).exists(), "a full disk is no damage");
    drop(memo);
    assert_eq!(computed_anew(dir.path(), 401..430), 0);
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
fn after_thousands_of_refused_writes_nothing_is_evicted_for_them() {
    let dir = tempfile::tempdir().unwrap();
    let Some(disk) = Disk::mount(dir.path(), 8) else { return };
    let memo = scache("small").dir(dir.path()).max_bytes(1 << 20).wrap(|key: &u64| key.to_string().repeat(100));
    (0..1000).for_each(|key| drop(memo.call(&key)));
    disk.fill(9);
    (1000..7000).for_each(|key| drop(memo.call(&key)));
    assert!(!warnings(dir.path()).is_empty());
    disk.make_room();
    until("storing resumes", || {
        memo.refresh(&1);
        memo.store().primary().get(&1_u64).is_ok_and(|found| found.is_some())
    });
    let store = memo.store().primary();
    (8000..8100_u64).for_each(|key| store.insert(&key, &String::new()).unwrap());
    assert_eq!(store.evictions(), 0);
    assert!((0..1000_u64).all(|key| store.get(&key).unwrap().is_some()));
    assert_eq!(warnings(dir.path()).len(), 1, "{:#?}", warnings(dir.path()));
}

#[test]
fn what_is_forgotten_on_a_full_disk_does_not_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let Some(disk) = Disk::mount(dir.path(), 4) else { return };
    let (memo, computed) = memo(dir.path());
    call_all(&memo, 0..10);
    disk.fill(5);
    let forgotten: Vec<_> = (0..10).map(|key| memo.forget(&key).is_ok()).collect();
    assert!((0..10).all(|key| memo.peek(&key).unwrap().is_none()));
    disk.make_room();
    assert!((0..10).all(|key| memo.peek(&key).unwrap().is_none()));
    drop(memo);
    let (memo, _) = common::numbers::memo(dir.path());
    for (key, is_forgotten) in (0..10).zip(forgotten) {
        assert!(!is_forgotten || memo.peek(&key).unwrap().is_none(), "{key} is back");
    }
    assert_eq!(computed.get(), 10);
}

#[test]
fn no_call_hangs_while_a_disk_fills_up() {
    let dir = tempfile::tempdir().unwrap();
    let Some(_disk) = Disk::mount(dir.path(), 50) else { return };
    let path = dir.path().to_owned();
    within(Duration::from_secs(60), move || {
        let big = |key: u64| vec![key; 1 << 17];
        let memo = scache("big").dir(&path).wrap(move |key: &u64| big(*key));
        thread::scope(|scope| {
            for part in [0, 100, 200, 300] {
                let memo = &memo;
                scope.spawn(move || (part..part + 30).for_each(|key| assert_eq!(memo.call(&key), big(key))));
            }
        });
    });
    assert!(warnings(dir.path()).len() <= 1, "{:#?}", warnings(dir.path()));
}
