//! Whatever the system does to the cache: the values are right, and one warning names what failed and what serves instead.
#![cfg(target_os = "linux")]

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use common::child::{Child, Task};
use common::numbers::{Numbers, assert_one_warning, call_all, memo, value, warnings};
use common::system::{Disk, Frozen, run};
use twat_cache_core::testing::within;
use twat_cache_disk::{KeyedStore as _, bcache};

/// Calls with a cache that has nowhere to be, and one that has again.
fn serves_from_memory(dir: &Path, parts: &[&str]) {
    let (memo, computed) = memo(dir);
    call_all(&memo, 0..20);
    call_all(&memo, 0..20);
    assert_eq!(computed.get(), 20);
    assert_one_warning(dir, parts);
    assert!(bcache("numbers").dir(dir).open::<Vec<u64>>().is_err(), "`open` is strict");
}

#[test]
fn where_the_cache_directory_cannot_be_made_memory_serves() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "somebody's").unwrap();
    serves_from_memory(&file.join("cache"), &["cannot prepare the cache directory", "going on without it"]);
}

#[test]
fn where_nothing_can_be_written_memory_serves_and_what_is_there_stays() {
    let dir = tempfile::tempdir().unwrap();
    let (used, new) = (dir.path().join("used"), dir.path().join("new"));
    fs::create_dir(&new).unwrap();
    let (memo_before, _) = memo(&used);
    call_all(&memo_before, 0..20);
    drop(memo_before);
    {
        let Some(_frozen) = Frozen::freeze(dir.path()) else { return };
        serves_from_memory(&new, &["going on without it"]);
        serves_from_memory(&used, &["going on without it"]);
    }
    let (memo, computed) = memo(&used);
    call_all(&memo, 0..20);
    assert_eq!(computed.get(), 0);
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
        let before = computed.get();
        assert!(before <= 30, "20, and once more the 10 that are out of reach: {before}");
        call_all(&memo, 0..20);
        assert_eq!(computed.get(), before);
        assert!(!memo.store().has_switched());
        assert_one_warning(dir.path(), &["cannot write", "bcache", "going on without it"]);
    }
    resumes(&memo, 30..31);
    let before = computed.get();
    call_all(&memo, 0..20);
    assert_eq!(computed.get(), before);
}

/// Asks for it until the disk keeps it: failures are waited out for ever longer, half a second at first.
fn resumes(memo: &Numbers, keys: std::ops::Range<u64>) {
    let begun = Instant::now();
    for key in keys {
        while memo.store().primary().get(&key).ok().flatten().is_none() {
            assert_eq!(memo.refresh(&key), value(key));
            assert!(begun.elapsed() < Duration::from_secs(20), "storing does not resume");
            thread::yield_now();
        }
    }
}

#[test]
fn an_engine_that_gives_up_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let (memo, computed) = memo(dir.path());
    call_all(&memo, 0..10);
    {
        // It writes to the journal, but cannot make tables; it notices in the background.
        let Some(_frozen) = Frozen::freeze(&dir.path().join("bcache/keyspaces")) else { return };
        memo.store().keyspace().unwrap().rotate_memtable().unwrap();
        let begun = Instant::now();
        for key in (10..20).cycle() {
            assert_eq!(memo.refresh(&key), value(key));
            if !warnings(dir.path()).is_empty() {
                break;
            }
            assert!(begun.elapsed() < Duration::from_secs(20), "the engine does not give up");
        }
        call_all(&memo, 0..30);
        assert_one_warning(dir.path(), &["the engine failed earlier", "going on without it"]);
    }
    resumes(&memo, 30..31);
    let before = computed.get();
    call_all(&memo, 0..30);
    assert_eq!(computed.get(), before);
    assert_eq!(warnings(dir.path()).len(), 1);
}

#[test]
fn on_a_full_disk_memory_serves_until_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let Some(_disk) = Disk::mount(dir.path(), 8) else { return };
    let filler = dir.path().join("filler");
    fs::write(&filler, vec![1; 6 << 20]).unwrap();
    let (memo, computed) = memo(dir.path());
    call_all(&memo, 0..400);
    call_all(&memo, 0..400);
    let before = computed.get();
    assert!(before <= 800, "400, and once more those that are out of reach: {before}");
    call_all(&memo, 0..400);
    assert_eq!(computed.get(), before);
    assert_one_warning(dir.path(), &["no room left", "going on without it"]);
    fs::remove_file(filler).unwrap();
    resumes(&memo, 400..401);
    call_all(&memo, 401..430);
    let kept = (401_u64..430).filter(|key| memo.store().primary().get(key).unwrap().is_some()).count();
    assert_eq!(kept, 29, "storing does not resume");
    assert!(!dir.path().join("bcache.corrupt").exists(), "a full disk is no damage");
}

#[test]
fn a_disk_that_is_full_from_the_start_is_used_when_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let Some(_disk) = Disk::mount(dir.path(), 4) else { return };
    let filler = dir.path().join("filler");
    let _ = fs::write(&filler, vec![1; 5 << 20]);
    let (memo, computed) = memo(dir.path());
    call_all(&memo, 0..100);
    call_all(&memo, 0..100);
    assert_eq!(computed.get(), 100);
    assert_one_warning(dir.path(), &["no room left", "going on without it"]);
    fs::remove_file(filler).unwrap();
    resumes(&memo, 0..2);
}

#[test]
fn however_much_a_full_disk_has_refused_it_is_used_when_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let Some(_disk) = Disk::mount(dir.path(), 4) else { return };
    let filler = dir.path().join("filler");
    let _ = fs::write(&filler, vec![1; 5 << 20]);
    let memo = bcache("small").dir(dir.path()).wrap(|key: &u64| key.to_string());
    (0..5000).for_each(|key| assert_eq!(memo.call(&key), key.to_string()));
    fs::remove_file(filler).unwrap();
    let begun = Instant::now();
    while memo.store().primary().get(&1_u64).ok().flatten().is_none() {
        assert_eq!(memo.refresh(&1), "1");
        assert!(begun.elapsed() < Duration::from_secs(10), "given up for good: {}", memo.store().has_switched());
    }
}

#[test]
fn a_full_disk_hangs_nobody_however_much_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let Some(disk) = Disk::mount(dir.path(), 150) else { return };
    let path = dir.path().to_owned();
    within(Duration::from_secs(60), move || {
        let big = |key: u64| vec![key; 1 << 19];
        let memo = bcache("big").dir(&path).wrap(move |key: &u64| big(*key));
        thread::scope(|scope| {
            for part in 0..4 {
                let memo = &memo;
                scope
                    .spawn(move || (0..20).for_each(|n| assert_eq!(memo.call(&(part * 100 + n)), big(part * 100 + n))));
            }
        });
    });
    drop(disk);
}

#[test]
fn a_directory_that_is_removed_meanwhile_is_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let cache = dir.path().join("cache");
    let (memo_before, computed) = memo(&cache);
    call_all(&memo_before, 0..20);
    memo_before.store().keyspace().unwrap().rotate_memtable_and_wait().unwrap();
    // The engine may be adding a file just then.
    while cache.exists() {
        let _ = fs::remove_dir_all(&cache);
    }
    call_all(&memo_before, 0..40);
    call_all(&memo_before, 0..40);
    assert!(computed.get() <= 60, "{} computed", computed.get());
    drop(memo_before);
    assert!(warnings(&cache).len() <= 1, "{:#?}", warnings(&cache));
    for most in [20, 0] {
        let (memo, computed) = memo(&cache);
        call_all(&memo, 0..20);
        assert!(computed.get() <= most, "{} computed", computed.get());
    }
}

#[test]
fn child_with_little_to_go_on() {
    let Some(task) = Task::given() else { return };
    let (memo, computed) = memo(&task.dir);
    for _ in 0..2 {
        call_all(&memo, 0..40);
    }
    task.say(computed.get());
    for warning in warnings(&task.dir) {
        task.say(warning);
    }
}

#[test]
fn with_too_many_open_files_memory_serves_and_what_is_there_stays() {
    let dir = tempfile::tempdir().unwrap();
    let (memo_before, _) = memo(dir.path());
    call_all(&memo_before, 0..20);
    memo_before.store().keyspace().unwrap().rotate_memtable_and_wait().unwrap();
    drop(memo_before);
    for limit in 4..24 {
        let child = Child::start_with("child_with_little_to_go_on", dir.path(), |binary| {
            let mut shell = Command::new("sh");
            shell.arg("-c").arg(format!("ulimit -n {limit}; exec \"$0\" \"$@\"")).arg(binary);
            shell
        });
        let said = child.finish();
        let Some((computed, warnings)) = said.split_first() else { continue };
        assert!(computed.parse::<usize>().unwrap() <= 40, "{limit} handles: {computed} computed");
        assert!(warnings.len() <= 1, "{limit} handles: {warnings:#?}");
        assert!(!dir.path().join("bcache.corrupt").exists(), "{limit} handles: moved aside, {warnings:#?}");
    }
    let (memo, computed) = memo(dir.path());
    call_all(&memo, 0..20);
    assert_eq!(computed.get(), 0);
}

#[test]
fn where_no_threads_can_be_started_memory_serves_and_what_is_there_stays() {
    let dir = tempfile::tempdir().unwrap();
    let [binary, cache] = ["binary", "cache"].map(|name| dir.path().join(name));
    // Only to others than root such a limit applies: to nobody, say, who must be able to get at all this.
    fs::copy(std::env::current_exe().unwrap(), &binary).unwrap();
    fs::create_dir(&cache).unwrap();
    let is_nobodys = run("chmod", &[&"755", &dir.path()]) && run("chown", &[&"65534", &cache]);
    if !is_nobodys || !run("setpriv", &[&"--reuid=65534", &"--clear-groups", &"prlimit", &"--nproc=9", &"true"]) {
        eprintln!("skipped: cannot become nobody here");
        return;
    }
    for (threads, expected) in [(100, "40"), (2, "40"), (100, "0")] {
        let child = Child::start_with("child_with_little_to_go_on", &cache, |_| {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=65534", "--clear-groups", "prlimit", &format!("--nproc={threads}")]).arg(&binary);
            command
        });
        let said = child.finish();
        assert_eq!(said[0], expected, "{said:#?}");
        assert_eq!(said.len() > 1, threads == 2, "{said:#?}");
        assert!(said.len() <= 2, "more than one warning: {said:#?}");
        assert!(!cache.join("bcache.corrupt").exists(), "{said:#?}");
    }
}
