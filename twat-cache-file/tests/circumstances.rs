//! Whatever the system does to the cache: the values are right, and one warning names what failed and what serves instead.
#![cfg(target_os = "linux")]

mod common;

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::process::Command;
use std::thread;

use common::child::{Child, Task};
use common::damage::Deed;
use common::files::Files;
use common::numbers::{Numbers, assert_one_warning, call_all, memo, memo_of, value, warnings};
use common::system::{Disk, Frozen, run};
use twat_cache_core::testing::record_logs;
use twat_cache_file::{ErrorKind, KeyedStore as _, Store as _, fcache};

/// Calls and views with a cache that has nowhere to be.
fn serves_from_memory(dir: &Path, parts: &[&str]) {
    let (memo, computed) = memo(dir);
    call_all(&memo, 0..20);
    call_all(&memo, 0..20);
    assert_eq!(computed.get(), 20);
    assert!((0..20).all(|key| !memo.view(&key).is_mapped()));
    assert_one_warning(dir, parts);
    assert!(fcache("numbers").dir(dir).open::<Vec<u64>>().is_err(), "`open` is strict");
}

/// What is on disk of these.
fn on_disk(memo: &Numbers, keys: std::ops::Range<u64>) -> u64 {
    keys.filter(|key| memo.store().primary().get(key).ok().flatten().is_some()).count() as u64
}

#[test]
fn where_a_file_is_in_the_way_memory_serves() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "somebody's").unwrap();
    serves_from_memory(&file, &["cannot prepare the cache directory", "going on without it"]);
    serves_from_memory(&file.join("cache"), &["cannot prepare the cache directory", "going on without it"]);
    assert_eq!(fs::read(&file).unwrap(), b"somebody's");
}

#[test]
fn what_is_in_the_way_of_the_directory_of_a_name_is_moved_aside() {
    let makes: [Deed; 5] = [
        ("a file", |path| fs::write(path, "somebody's").unwrap()),
        ("a pipe", |path| assert!(run("mkfifo", &[&path]))),
        ("a link to nothing", |path| symlink("nothing", path).unwrap()),
        ("a link to itself", |path| symlink(path, path).unwrap()),
        ("a link to a cache", |path| symlink(path.parent().unwrap().join("away"), path).unwrap()),
    ];
    for (what, make) in makes {
        let dir = tempfile::tempdir().unwrap();
        let memo_before = memo(dir.path()).0;
        call_all(&memo_before, 0..20);
        let ours = memo_before.store().path().to_owned();
        let away = dir.path().join("away");
        fs::rename(&ours, &away).unwrap();
        make(&ours);
        let before = fs::symlink_metadata(&ours).unwrap().ino();
        let files = Files::read(&away).0.len();
        let (memo, computed) = memo(dir.path());
        call_all(&memo, 0..20);
        // The one that had it open finds that out by itself.
        call_all(&memo_before, 0..20);
        assert_eq!((computed.get(), on_disk(&memo, 0..20)), (20, 20), "{what}");
        assert_eq!(fs::symlink_metadata(ours.with_extension("in-the-way")).unwrap().ino(), before, "{what}");
        assert_eq!(Files::read(&away).0.len(), files, "{what}");
        assert_eq!(warnings(dir.path()), [""; 0], "{what}");
    }
}

#[test]
fn an_error_of_open_says_what_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let error = fcache("name").dir(file.join("cache")).open::<u8>().unwrap_err();
    assert_eq!((error.kind(), error.path()), (ErrorKind::Io, Some(&*file.join("cache"))));
    let Some(_frozen) = Frozen::freeze(dir.path()) else { return };
    let error = fcache("name").dir(dir.path().join("new")).open::<u8>().unwrap_err();
    assert_eq!((error.kind(), error.path()), (ErrorKind::Io, Some(&*dir.path().join("new"))));
}

#[test]
fn where_nothing_can_be_written_what_is_there_serves_and_memory_for_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let (used, new) = (dir.path().join("used"), dir.path().join("new"));
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
        call_all(&memo, 0..40);
        call_all(&memo, 0..40);
        assert_eq!(computed.get(), 20);
        assert!(!memo.view(&32).is_mapped());
        assert_one_warning(&used, &["cannot write an entry", "going on without it"]);
        // What cannot be removed is not shown any more, and whoever wanted it gone is told.
        assert!(memo.forget(&8_u64).is_err());
        assert_eq!(memo.peek(&8).unwrap(), None);
        call_all(&memo, 0..40);
        assert_eq!(computed.get(), 21);
    }
    assert_eq!(Files::read(&used).paths(), before);
    let (memo, computed) = memo(&used);
    call_all(&memo, 0..20);
    assert_eq!(computed.get(), 0);
}

#[test]
fn a_directory_that_was_read_only_at_first_is_used_in_full_when_it_can_be_written() {
    let dir = tempfile::tempdir().unwrap();
    call_all(&memo(dir.path()).0, 0..10);
    let limited = || memo_of(fcache("numbers").dir(dir.path()).max_bytes(100 << 10));
    let (first, second) = (limited().0, memo(dir.path()).0);
    {
        let Some(_frozen) = Frozen::freeze(dir.path()) else { return };
        call_all(&first, 1..8);
    }
    call_all(&second, 0..10);
    // What one forgets, the other no longer has.
    for key in [1_u64, 8] {
        assert!(first.forget(&key).unwrap());
        assert!(second.peek(&key).unwrap().is_none(), "{key} is still there");
    }
    // And what is stored is counted.
    (101..161).filter(|key| key % 8 != 0).for_each(|key| drop(first.call(&key)));
    let kept = on_disk(&first, 0..161);
    assert!((9..=12).contains(&kept), "{kept} of 8 KB each, where 100 KB may be");
}

#[test]
fn a_directory_that_becomes_read_only_is_used_again_when_it_can_be() {
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

#[test]
fn on_a_full_disk_memory_serves_until_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let Some(_disk) = Disk::mount(dir.path(), 8) else { return };
    let filler = dir.path().join("filler");
    fs::write(&filler, vec![1; 5 << 20]).unwrap();
    let (memo, computed) = memo(dir.path());
    call_all(&memo, 0..200);
    call_all(&memo, 0..200);
    // What is in memory is at hand, what is on disk as well.
    assert_eq!(computed.get(), 200);
    assert_one_warning(dir.path(), &["no room left", "going on without it"]);
    let kept = on_disk(&memo, 0..200);
    assert!((10..190).contains(&kept), "{kept} on disk");
    fs::remove_file(filler).unwrap();
    call_all(&memo, 200..220);
    assert_eq!(on_disk(&memo, 200..220), 20, "storing does not resume");
    assert!(memo.view(&200).is_mapped());
    assert_eq!(warnings(dir.path()).len(), 1);
    drop(memo);
    // Nothing half-written is left, and all that is there is whole.
    let (memo, computed) = common::numbers::memo(dir.path());
    call_all(&memo, 0..220);
    assert_eq!(computed.get() as u64, 200 - kept);
    assert_eq!(fs::read_dir(memo.store().path().join("tmp")).unwrap().count(), 0);
}

#[test]
fn a_value_for_which_there_is_no_room_is_kept_in_memory_and_disturbs_nobody() {
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
    let Some(_disk) = Disk::mount(dir.path(), 4) else { return };
    let filler = dir.path().join("filler");
    let _ = fs::write(&filler, vec![1; 5 << 20]);
    let cache = dir.path().join("cache");
    let (memo, computed) = memo(&cache);
    call_all(&memo, 0..20);
    call_all(&memo, 0..20);
    assert_eq!(computed.get(), 20);
    assert_one_warning(dir.path(), &["no room left", "going on without it"]);
    fs::remove_file(filler).unwrap();
    call_all(&memo, 20..30);
    assert_eq!(on_disk(&memo, 20..30), 10);
    assert!(memo.view(&24).is_mapped());
    // The directory is known for what it is, if late.
    assert!(fs::read_to_string(cache.join("CACHEDIR.TAG")).unwrap().starts_with("Signature"));
    assert_eq!(fs::read_to_string(cache.join(".gitignore")).unwrap(), "*\n");
}

#[test]
fn a_directory_that_is_removed_meanwhile_is_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let cache = dir.path().join("cache");
    let (memo_before, computed) = memo(&cache);
    for removed in [cache.clone(), memo_before.store().path().to_owned()] {
        let before = computed.get();
        call_all(&memo_before, 0..20);
        let held = memo_before.view(&8);
        fs::remove_dir_all(removed).unwrap();
        call_all(&memo_before, 0..20);
        assert_eq!(computed.get() - before, if before == 0 { 40 } else { 20 }, "what was removed is gone");
        assert_eq!(held[..], value(8)[..]);
        assert!(memo_before.view(&8).is_mapped());
        let (other, computed) = memo(&cache);
        call_all(&other, 0..20);
        assert_eq!(computed.get(), 0);
    }
    assert_eq!(warnings(&cache), [""; 0]);
}

#[test]
fn a_directory_that_is_moved_away_takes_its_entries_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let (cache, away) = (dir.path().join("cache"), dir.path().join("away"));
    let (memo_before, _) = memo(&cache);
    call_all(&memo_before, 0..20);
    fs::rename(&cache, &away).unwrap();
    call_all(&memo_before, 0..20);
    // What it stores where the directory was is for all others, too.
    let (other, computed) = memo(&cache);
    call_all(&memo_before, 0..20);
    call_all(&other, 0..20);
    assert_eq!(computed.get(), 0);
    assert!(other.forget(&1_u64).unwrap());
    assert_eq!(memo_before.peek(&1).unwrap(), None);
}

#[test]
fn child_with_few_handles() {
    let Some(task) = Task::given() else { return };
    record_logs();
    let (memo, computed) = memo(&task.dir);
    (0..2).for_each(|_| call_all(&memo, 0..20));
    task.say(computed.get());
    for warning in warnings(&task.dir) {
        task.say(warning);
    }
}

#[test]
fn child_with_many_maps() {
    let Some(task) = Task::given() else { return };
    let (memo, computed) = memo(&task.dir);
    (0..2).for_each(|_| (0..100).for_each(|n| assert_eq!(memo.view(&(n * 8))[..], value(n * 8)[..])));
    task.say(computed.get());
    // The program itself needs some, too.
    task.say(fs::File::open("/dev/null").is_ok());
    for warning in warnings(&task.dir) {
        task.say(warning);
    }
}

fn with_few_handles(test: &str, dir: &Path, handles: usize) -> Vec<String> {
    let child = Child::start_with(test, dir, |binary| {
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(format!("ulimit -n {handles}; exec \"$0\" \"$@\"")).arg(binary);
        shell
    });
    child.finish()
}

#[test]
fn with_too_many_open_files_the_values_are_right_and_what_is_there_stays() {
    let dir = tempfile::tempdir().unwrap();
    call_all(&memo(dir.path()).0, 0..20);
    for handles in 4..16 {
        let said = with_few_handles("child_with_few_handles", dir.path(), handles);
        let Some((computed, warnings)) = said.split_first() else { continue };
        assert!(computed.parse::<usize>().unwrap() <= 40, "{handles} handles: {computed} computed");
        assert!(warnings.len() <= 1, "{handles} handles: {warnings:#?}");
    }
    let (memo, computed) = memo(dir.path());
    call_all(&memo, 0..20);
    assert_eq!(computed.get(), 0);
}

#[test]
fn entries_that_are_kept_open_leave_some_files_for_others() {
    let dir = tempfile::tempdir().unwrap();
    let said = with_few_handles("child_with_many_maps", dir.path(), 64);
    assert_eq!(said[..2], ["100", "true"]);
    assert!(said.len() <= 3, "more than one warning: {said:#?}");
}

/// Calls and views what is small and what is large, and forgets; says how many were computed.
#[test]
fn child_with_small_files() {
    let Some(task) = Task::given() else { return };
    record_logs();
    let (memo, computed) = memo(&task.dir);
    (0..2).for_each(|_| call_all(&memo, 0..20));
    task.say(computed.get());
    memo.store().primary().insert(&100_u64, &value(8)).err().iter().for_each(|error| task.say(error.chain()));
    for warning in warnings(&task.dir) {
        task.say(warning);
    }
}

fn with_small_files(dir: &Path, blocks: usize) -> Vec<String> {
    let child = Child::start_with("child_with_small_files", dir, |binary| {
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(format!("ulimit -f {blocks}; exec \"$0\" \"$@\"")).arg(binary);
        shell
    });
    child.finish()
}

/// The system kills a process that writes a longer file than it may.
#[test]
fn what_is_longer_than_a_file_may_be_is_kept_in_memory_and_no_process_is_killed() {
    for blocks in [0, 1, 20, 40, 100] {
        let dir = tempfile::tempdir().unwrap();
        let said = with_small_files(dir.path(), blocks);
        assert_eq!(said.len(), 3, "{blocks}: {said:#?}");
        assert_eq!(said[0], "20");
        assert!(said[1].contains("ulimit -f"), "{said:#?}");
        assert!(said[2].contains("ulimit -f") && said[2].contains("going on without it"), "{said:#?}");
        // What is longer was not stored, and what fits was, if the counters did.
        let kept = on_disk(&memo(dir.path()).0, 0..20);
        assert_eq!(kept, if blocks < 40 { 0 } else { 17 }, "{blocks}");
        // Nor is one killed that finds entries there.
        call_all(&memo(dir.path()).0, 0..20);
        let said = with_small_files(dir.path(), blocks);
        assert_eq!(said[0], "0", "{blocks}: {said:#?}");
        assert_eq!(said.len(), 2, "{blocks}: {said:#?}");
    }
}

#[test]
fn child_without_handles() {
    let Some(task) = Task::given() else { return };
    let (before, after) = (memo(&task.dir).0, memo(&task.dir).0);
    let strict = [(); 2].map(|()| fcache("numbers").dir(&task.dir).build::<Vec<u64>>());
    call_all(&before, 0..20);
    assert_eq!(before.call(&1), value(1));
    let taken: Vec<_> = std::iter::from_fn(|| fs::File::open("/dev/null").ok()).collect();
    // The directory cannot be opened, so all that is in it stays.
    task.say(after.forget(&1).is_err() && strict[0].remove(&1_u64).is_err());
    task.say(after.clear().is_err() && strict[0].clear().is_err() && before.clear().is_err());
    // For one entry no handle is needed.
    task.say(before.forget(&2).unwrap());
    drop(taken);
    task.say(strict[1].get(&2_u64).unwrap().is_none());
    task.say(after.forget(&1).unwrap());
    after.clear().unwrap();
    task.say(strict[1].len().unwrap());
}

/// A caller is told if something that it wants gone may come back.
#[test]
fn with_no_handles_left_nothing_is_said_to_be_gone_that_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let child = Child::start_with("child_without_handles", dir.path(), |binary| {
        let mut shell = Command::new("sh");
        shell.arg("-c").arg("ulimit -n 40; exec \"$0\" \"$@\"").arg(binary);
        shell
    });
    assert_eq!(child.finish(), ["true", "true", "true", "true", "true", "0"]);
}
