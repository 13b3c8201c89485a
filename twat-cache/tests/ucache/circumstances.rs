//! What only a system like Linux can do to a cache.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Instant;

use super::*;
use twat_cache_core::testing::child::{Child, Task};
use twat_cache_core::testing::system::{Disk, Frozen};

#[test]
fn child_that_uses_the_cache() {
    let Some(mut task) = Task::given() else { return };
    let (memo, computed) = numbers(ucache("numbers").dir(&task.dir));
    call_all(&memo, 0..10);
    task.say(format_args!("{:?} {}", memo.store().backend(), computed.get()));
    task.order();
}

fn child(dir: &Path) -> (Child, Option<String>) {
    let mut child = Child::start("circumstances::child_that_uses_the_cache", dir);
    let said = child.hear();
    (child, said)
}

#[test]
fn beside_another_process_the_next_best_serves() {
    let dir = dir();
    let (first, said) = child(dir.path());
    assert_eq!(said, Some(format!("{BEST:?} 10")));
    let (memo, computed) = numbers(ucache("numbers").dir(dir.path()));
    call_all(&memo, 0..20);
    call_all(&memo, 0..20);
    let second = match BEST {
        Backend::Disk if cfg!(feature = "file") => {
            assert_one_warning(dir.path(), &["bcache: locked by another process", "using files at", "instead"]);
            Backend::File
        }
        Backend::Disk => {
            assert_one_warning(dir.path(), &["bcache: locked by another process", "memory takes over"]);
            Backend::Memory
        }
        best => best,
    };
    assert_eq!(memo.store().backend(), second);
    let shares = BEST == Backend::File;
    assert_eq!(computed.get(), if shares { 10 } else { 20 });
    // A third one shares what is in files.
    let (third, said) = child(dir.path());
    assert_eq!(said, Some(format!("{second:?} {}", if second == Backend::Memory { 10 } else { 0 })));
    first.finish();
    third.finish();
    call_all(&memo, 0..30);
    assert_eq!(memo.store().backend(), second, "for as long as the memo lives");
}

fn serves_from_memory(dir: &Path) {
    let (memo, computed) = numbers(ucache("numbers").dir(dir));
    call_all(&memo, 0..20);
    call_all(&memo, 0..20);
    assert_eq!(computed.get(), 20);
    assert_eq!(memo.store().backend(), Backend::Memory);
    assert_eq!(memo.describe(), "memory alone");
    assert_eq!(memo.len().unwrap(), 20);
    // The next process to open what is out of reach may find it there.
    assert_eq!(memo.forget(&1).is_err(), BEST != Backend::Memory);
    call_all(&memo, 0..2);
    assert_eq!(computed.get(), 21, "in memory it is forgotten");
    assert_eq!(memo.clear().is_err(), BEST != Backend::Memory);
    assert_eq!(memo.len().unwrap(), 0);
    if BEST != Backend::Memory {
        assert_one_warning(dir, &["going on without it, in memory"]);
        assert!(ucache("numbers").dir(dir).open::<u64, Vec<u64>>().is_err(), "`open` is strict");
    }
}

#[test]
fn where_nothing_can_be_written_memory_serves_and_what_is_there_stays() {
    let dir = dir();
    let [used, new] = ["used", "new"].map(|name| dir.path().join(name));
    fs::create_dir(&new).unwrap();
    let (memo, _) = numbers(ucache("numbers").dir(&used));
    call_all(&memo, 0..20);
    drop(memo);
    {
        let Some(_frozen) = Frozen::freeze(dir.path()) else { return };
        serves_from_memory(&new);
        if BEST == Backend::Disk {
            serves_from_memory(&used);
        }
    }
    let (memo, computed) = numbers(ucache("numbers").dir(&used));
    call_all(&memo, 0..20);
    assert_eq!(computed.get(), if BEST == Backend::Memory { 20 } else { 0 });
}

#[test]
fn where_a_file_is_in_the_way_memory_serves() {
    let dir = dir();
    fs::write(dir.path().join("file"), "somebody's").unwrap();
    serves_from_memory(&dir.path().join("file/cache"));
}

#[cfg(all(feature = "disk", feature = "file"))]
#[test]
fn what_may_pass_is_waited_for_in_memory_and_files_do_not_step_in() {
    let dir = dir();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).unwrap();
    serves_from_memory(dir.path());
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let (memo, computed) = numbers(ucache("in files").dir(dir.path()).backend(Backend::File));
    call_all(&memo, 0..3);
    drop(memo);
    let (memo, _) = numbers(ucache("in files").dir(dir.path()).backend(Backend::File));
    call_all(&memo, 0..3);
    assert_eq!(memo.store().backend(), Backend::File);
    assert_eq!(computed.get(), 3);
}

#[test]
fn what_was_forgotten_while_nothing_could_be_opened_does_not_come_back() {
    let dir = dir();
    let (memo, _) = numbers(ucache("numbers").dir(dir.path()));
    call_all(&memo, 0..3);
    drop(memo);
    let (memo, computed) = numbers(ucache("numbers").dir(dir.path()));
    {
        let Some(_frozen) = Frozen::freeze(dir.path()) else { return };
        assert_eq!(memo.forget(&1).is_err(), BEST != Backend::Memory);
    }
    let begun = Instant::now();
    while memo.store().backend() != BEST {
        assert!(begun.elapsed() < Duration::from_secs(10), "it is not opened again");
        std::thread::yield_now();
    }
    assert_eq!(memo.peek(&1).unwrap(), None);
    call_all(&memo, 0..3);
    assert_eq!(computed.get(), if BEST == Backend::Memory { 3 } else { 1 });
}

#[test]
fn on_a_full_disk_memory_serves_until_there_is_room() {
    let dir = dir();
    let Some(_disk) = Disk::mount(dir.path(), 4) else { return };
    let filler = dir.path().join("filler");
    let _ = fs::write(&filler, vec![1; 5 << 20]);
    let (memo, computed) = numbers(ucache("numbers").dir(dir.path()));
    call_all(&memo, 0..100);
    call_all(&memo, 0..100);
    assert_eq!(computed.get(), 100);
    fs::remove_file(filler).unwrap();
    if BEST == Backend::Memory {
        return;
    }
    assert_one_warning(dir.path(), &["no room left", "going on without it, in memory"]);
    let begun = Instant::now();
    let mut key = 100;
    // Each is computed once, and stored when that is possible again.
    let is_stored = |key: u64| {
        call_all(&memo, key..key + 1);
        let (fresh, computed) = numbers(ucache("numbers").dir(dir.path()));
        call_all(&fresh, key..key + 1);
        computed.get() == 0
    };
    while !is_stored(key) {
        assert!(begun.elapsed() < Duration::from_secs(20), "storing does not resume");
        key += 1;
    }
}
