//! Processes with limits on open files, threads or the length of files. Memory serves, and the entries on disk stay.
#![cfg(target_os = "linux")]

mod common;

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process;

use common::{call_all, computed_anew, memo, until_stored, was_moved_aside};
use twat_cache_core::Ticket;
use twat_cache_core::testing::child::{Child, Task, command};
use twat_cache_core::testing::system::run;
use twat_cache_core::testing::{assert_one_warning, record_logs, volatile_dir, warnings};
use twat_cache_disk::{KeyedStore as _, bcache};

/// Reports the number of computations, and the warnings.
#[test]
fn child_that_calls() {
    let Some(task) = Task::given() else { return };
    let (memo, computed) = memo(&task.dir);
    (0..2).for_each(|_| call_all(&memo, 0..40));
    task.say(computed.get());
    task.say_all(warnings(&task.dir));
}

#[test]
fn with_too_many_open_files_memory_serves_and_the_entries_stay() {
    let dir = tempfile::tempdir().unwrap();
    let (memo, _) = memo(dir.path());
    call_all(&memo, 0..20);
    memo.store().keyspace().unwrap().rotate_memtable_and_wait().unwrap();
    drop(memo);
    for limit in 4..24 {
        let said = Child::after(&format!("ulimit -n {limit}"), "child_that_calls", dir.path()).finish();
        // With fewer files, the test harness itself does not start.
        let Some((computed, warnings)) = said.split_first() else { continue };
        assert!(computed.parse::<usize>().unwrap() <= 40, "{limit} handles: {computed} computed");
        assert!(warnings.len() <= 1, "{limit} handles: {warnings:#?}");
        assert!(!was_moved_aside(dir.path()), "{limit} handles: moved aside, {warnings:#?}");
    }
    assert_eq!(computed_anew(dir.path(), 0..20), 0);
}

#[test]
fn where_no_thread_can_be_started_memory_serves_and_the_entries_stay() {
    let dir = tempfile::tempdir().unwrap();
    let [binary, cache] = ["binary", "cache"].map(|name| dir.path().join(name));
    // This limit does not apply to root. So the child runs as the user `nobody`, which must be able to read all this.
    fs::copy(std::env::current_exe().unwrap(), &binary).unwrap();
    fs::create_dir(&cache).unwrap();
    let is_nobodys = run("chmod", &[&"755", &dir.path()]) && run("chown", &[&"65534", &cache]);
    if !is_nobodys || !run("setpriv", &[&"--reuid=65534", &"--clear-groups", &"prlimit", &"--nproc=9", &"true"]) {
        eprintln!("skipped: cannot become nobody here");
        return;
    }
    for (threads, expected) in [(100, "40"), (2, "40"), (100, "0")] {
        let child = Child::start_with("child_that_calls", &cache, |_| {
            let limit = format!("--nproc={threads}");
            command("setpriv", ["--reuid=65534", "--clear-groups", "prlimit", limit.as_str(), binary.to_str().unwrap()])
        });
        let said = child.finish();
        assert_eq!(said[0], expected, "{said:#?}");
        assert_eq!(said.len() > 1, threads == 2, "{said:#?}");
        assert!(said.len() <= 2, "more than one warning: {said:#?}");
        assert!(!was_moved_aside(&cache), "{said:#?}");
    }
}

/// Runs a test as a child that may write files of at most this many bytes, until it raises that limit.
fn with_short_files(test: &str, dir: &Path, bytes: u64) -> Vec<String> {
    let limit = format!("--fsize={bytes}:unlimited");
    Child::start_with(test, dir, |binary| command("prlimit", [OsStr::new(&limit), binary.as_os_str()])).finish()
}

#[test]
fn where_files_may_not_be_as_long_as_the_engine_makes_them_memory_serves() {
    let dir = tempfile::tempdir().unwrap();
    for limit in [0, 1000, 1 << 20, 64 << 20] {
        let said = with_short_files("child_that_calls", dir.path(), limit);
        assert!(said.len() == 2 && said[0] == "40" && said[1].contains("ulimit -f"), "{limit}: {said:#?}");
        assert!(said[1].contains("going on without it"), "{limit}: {said:#?}");
    }
    assert_eq!(with_short_files("child_that_calls", dir.path(), 70 << 20), ["40"]);
    assert_eq!(with_short_files("child_that_calls", dir.path(), 1 << 20)[0], "40");
    assert_eq!(computed_anew(dir.path(), 0..40), 0);
}

/// From now on, this process may write files of at most this many bytes.
fn limit(bytes: &str) {
    let process = process::id().to_string();
    assert!(run("prlimit", &[&"--pid", &process, &format!("--fsize={bytes}:unlimited")]));
}

#[test]
fn child_whose_limit_is_lowered() {
    let Some(task) = Task::given() else { return };
    let (memo, computed) = memo(&task.dir);
    call_all(&memo, 0..10);
    limit("1000000");
    (0..2).for_each(|_| call_all(&memo, 0..20));
    assert_eq!(computed.get(), 20);
    assert_one_warning(&task.dir, &["ulimit -f", "going on without it"]);
    limit("unlimited");
    until_stored(&memo, 30);
    task.say("done");
}

#[test]
fn a_limit_on_file_sizes_that_is_lowered_is_noticed_before_it_is_met() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(Child::start("child_whose_limit_is_lowered", dir.path()).finish(), ["done"]);
}

#[test]
fn child_that_cannot_remove() {
    let Some(task) = Task::given() else { return };
    let store = bcache("numbers").dir(&task.dir).open::<u64>().unwrap();
    store.insert(&1, &1).unwrap();
    let refresh = Ticket { is_refresh: true, ..store.begin(&1) };
    limit("1000000");
    store.remove(&1).unwrap_err();
    limit("unlimited");
    assert!(!store.insert_begun(&1, &2, None, refresh).unwrap());
    assert_eq!(store.get(&1).unwrap(), None, "it is older than the refresh");
    task.say("done");
}

#[test]
fn after_a_removal_that_failed_a_refresh_leaves_nothing_older() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(Child::start("child_that_cannot_remove", dir.path()).finish(), ["done"]);
}

#[test]
fn child_that_stores_large_values() {
    let Some(task) = Task::given() else { return };
    record_logs();
    let lengths = [1 << 20, 110 << 20, 2 << 20];
    let memo = bcache("large").dir(&task.dir).wrap(|len: &usize| "x".repeat(*len));
    for len in lengths {
        assert_eq!(memo.call(&len).len(), len);
    }
    let kept = lengths.map(|len| memo.store().primary().get(&len).unwrap().is_some());
    task.say(format_args!("{kept:?}"));
    task.say_all(warnings(&task.dir));
}

#[test]
fn a_value_that_would_make_a_file_too_long_is_not_stored() {
    let dir = volatile_dir();
    let said = with_short_files("child_that_stores_large_values", dir.path(), 100 << 20);
    assert!(said.len() == 2 && said[1].contains("ulimit -f"), "{said:#?}");
    assert_eq!(said[0], "[true, false, true]");
}
