//! Processes with limits on open files, threads or the length of files. Memory serves, and the entries in the database stay.
#![cfg(target_os = "linux")]

mod common;

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::Path;
use std::process;

use common::numbers::{call_all, computed_anew, fill, first, memo, numbered, until_stored, value};
use twat_cache_core::testing::child::{Child, Task, command};
use twat_cache_core::testing::system::run;
use twat_cache_core::testing::{assert_one_warning, record_logs, until, volatile_dir, warnings};
use twat_cache_shared::{KeyedStore as _, Store as _, scache};

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
    let dir = volatile_dir();
    fill(dir.path(), 0..20);
    for limit in 4..24 {
        let said = Child::after(&format!("ulimit -n {limit}"), "child_that_calls", dir.path()).finish();
        // With fewer files, the test harness itself does not start.
        let Some((computed, warnings)) = said.split_first() else { continue };
        assert!(computed.parse::<usize>().unwrap() <= 40, "{limit} handles: {computed} computed");
        assert!(warnings.len() <= 1, "{limit} handles: {warnings:#?}");
        assert!(!numbered(dir.path(), 2).exists(), "{limit} handles: {warnings:#?}");
    }
    assert_eq!(computed_anew(dir.path(), 0..20), 0);
}

#[test]
fn child_without_handles() {
    let Some(task) = Task::given() else { return };
    let (before, after) = (memo(&task.dir).0, memo(&task.dir.join("another")).0);
    call_all(&before, 0..20);
    let taken: Vec<_> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    // What is open needs no handle.
    call_all(&before, 0..20);
    task.say(before.forget(&2).unwrap());
    (0..2).for_each(|_| call_all(&after, 0..20));
    task.say(after.forget(&1).is_err());
    std::thread::scope(|scope| {
        (0..12).for_each(|_| drop(scope.spawn(|| (0..10).for_each(|_| call_all(&before, 0..30)))));
    });
    drop(taken);
    until_stored(&after, 1);
    until_stored(&before, 31);
    task.say(numbered(&task.dir, 2).exists());
    task.say(warnings(&task.dir).len());
}

#[test]
fn with_no_handles_left_memory_serves_until_there_are_some() {
    let dir = volatile_dir();
    let said = Child::after("ulimit -n 40", "child_without_handles", dir.path()).finish();
    assert_eq!(said[..3], ["true", "true", "false"]);
    assert!(said[3].parse::<usize>().unwrap() <= 2, "more than one warning of each memo: {said:#?}");
}

#[test]
fn child_whose_directory_is_lost_over_and_over() {
    let Some(task) = Task::given() else { return };
    let (memo, _) = memo(&task.dir);
    let directory = task.dir.join("scache");
    for _ in 0..20 {
        until("the database is made again, or never more", || {
            assert_eq!(memo.refresh(&1), value(1));
            directory.exists() || !warnings(&task.dir).is_empty()
        });
        let _ = fs::remove_dir_all(&directory);
    }
    task.say(File::open("/dev/null").is_ok());
    task.say_all(warnings(&task.dir));
}

#[test]
fn a_directory_that_is_lost_over_and_over_takes_no_more_handles() {
    let dir = volatile_dir();
    let said = Child::after("ulimit -n 64", "child_whose_directory_is_lost_over_and_over", dir.path()).finish();
    assert_eq!(said[0], "true");
    assert!(said.len() == 2 && said[1].contains("lost too often"), "{said:#?}");
}

#[test]
fn where_no_thread_can_be_started_the_database_is_used() {
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
    for expected in [["0", "1000"], ["0", "0"]] {
        let child = Child::start_with("child_that_stores_much_and_clears", &cache, |_| {
            let arguments = ["--reuid=65534", "--clear-groups", "prlimit", "--nproc=2", binary.to_str().unwrap()];
            command("setpriv", arguments)
        });
        assert_eq!(child.finish(), ["0", "1000"], "{expected:?}");
    }
}

/// So much that the log is written into the database several times.
#[test]
fn child_that_stores_much_and_clears() {
    let Some(task) = Task::given() else { return };
    record_logs();
    let store = scache("much").dir(&task.dir).open::<Vec<u64>>().unwrap();
    (0..3000_u64).for_each(|key| store.insert(&key, &value(key)).unwrap());
    store.clear().unwrap();
    (0..1000_u64).for_each(|key| store.insert(&key, &value(key)).unwrap());
    task.say(warnings(&task.dir).len());
    task.say(store.len().unwrap());
}

/// Runs a test as a child that may write files of at most this many bytes, until it raises that limit.
fn with_short_files(test: &str, dir: &Path, bytes: u64) -> Vec<String> {
    let limit = format!("--fsize={bytes}:unlimited");
    Child::start_with(test, dir, |binary| command("prlimit", [OsStr::new(&limit), binary.as_os_str()])).finish()
}

#[test]
fn where_files_may_not_be_as_long_as_the_database_memory_serves() {
    let dir = volatile_dir();
    for limit in [0, 1000, 40_000, 200_000] {
        let said = with_short_files("child_that_calls", dir.path(), limit);
        assert!(said.len() == 2 && said[0] == "40" && said[1].contains("ulimit -f"), "{limit}: {said:#?}");
        assert!(said[1].contains("going on without it"), "{limit}: {said:#?}");
    }
    assert_eq!(with_short_files("child_that_calls", dir.path(), 70 << 20), ["40"]);
    for limit in [0, 1000, 40_000, 200_000, 1 << 20] {
        let said = with_short_files("child_that_calls", dir.path(), limit);
        assert!(said.len() <= 2, "{said:#?}");
    }
    assert_eq!(computed_anew(dir.path(), 0..40), 0);
}

#[test]
fn child_that_stores_until_files_are_too_long() {
    let Some(task) = Task::given() else { return };
    let (memo, computed) = memo(&task.dir);
    // Four times as much as there may be, in one file or another.
    for _ in 0..2 {
        call_all(&memo, 0..800);
    }
    task.say(computed.get());
    task.say_all(warnings(&task.dir));
}

/// The system kills a process that writes a longer file than it may, also when it writes the log into the database.
#[test]
fn a_database_that_would_get_too_long_does_not_grow_and_no_process_is_killed() {
    let dir = volatile_dir();
    for limit in [5_500_000, 6_000_000, 7_500_000, 9_000_000] {
        let said = with_short_files("child_that_stores_until_files_are_too_long", dir.path(), limit);
        assert!(said.len() == 2 && said[0] != "0" && said[1].contains("ulimit -f"), "{limit}: {said:#?}");
    }
    fill(dir.path(), 0..1000);
    let said = with_short_files("child_that_calls", dir.path(), 4_000_000);
    assert_eq!(said[0], "0", "what is there is found: {said:#?}");
    assert_eq!(computed_anew(dir.path(), 0..1000), 0);
    assert!(!numbered(dir.path(), 2).exists());
}

#[test]
fn child_that_is_killed() {
    let Some(mut task) = Task::given() else { return };
    let (memo, _) = memo(&task.dir);
    call_all(&memo, 0..200);
    task.say("stored");
    task.order();
}

/// When the last connection is closed, SQLite writes the log into the database.
#[test]
fn a_log_that_would_make_the_database_too_long_is_left_to_others() {
    let dir = volatile_dir();
    let mut child = Child::start("child_that_is_killed", dir.path());
    child.hear();
    child.kill();
    assert_eq!(with_short_files("child_that_calls", dir.path(), 1_000_000), ["0"]);
    assert_eq!(computed_anew(dir.path(), 0..200), 0);
}

#[test]
fn child_that_reads_while_it_stores() {
    let Some(task) = Task::given() else { return };
    let (memo, _) = memo(&task.dir);
    call_all(&memo, 0..950);
    let log = first(&task.dir).with_extension("db-wal");
    let log_length = || fs::metadata(&log).unwrap().len();
    until("the log is written into the database", || {
        call_all(&memo, 0..20);
        memo.refresh(&0);
        log_length() < 4 << 20
    });
    memo.store()
        .with_connection(|connection| {
            connection.execute_batch("BEGIN; SELECT count(*) FROM entry").unwrap();
            connection.query_row("SELECT count(*) FROM entry", [], |_| Ok(())).unwrap();
            call_all(&memo, 950..3000);
        })
        .unwrap();
    let before = log_length();
    call_all(&memo, 0..1000);
    memo.refresh(&0);
    task.say(before > 4 << 20 && log_length() < 4 << 20);
}

#[test]
fn a_log_that_is_long_because_it_is_read_does_not_make_the_database_too_long() {
    let dir = volatile_dir();
    let said = with_short_files("child_that_reads_while_it_stores", dir.path(), 20_000_000);
    assert_eq!(said, ["true"]);
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
    limit("100000");
    (0..2).for_each(|_| call_all(&memo, 0..20));
    assert_eq!(computed.get(), 20);
    assert_one_warning(&task.dir, &["ulimit -f", "going on without it"]);
    // What is not written is not removed.
    memo.forget(&1).unwrap_err();
    limit("unlimited");
    until_stored(&memo, 30);
    task.say("done");
}

#[test]
fn a_limit_on_file_sizes_that_is_lowered_is_noticed_before_it_is_met() {
    let dir = volatile_dir();
    assert_eq!(Child::start("child_whose_limit_is_lowered", dir.path()).finish(), ["done"]);
}

#[test]
fn child_that_stores_large_values() {
    let Some(task) = Task::given() else { return };
    record_logs();
    let lengths = [1 << 20, 30 << 20, 2 << 20];
    let memo = scache("large").dir(&task.dir).wrap(|len: &usize| "x".repeat(*len));
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
    let said = with_short_files("child_that_stores_large_values", dir.path(), 20 << 20);
    assert!(said.len() == 2 && said[1].contains("ulimit -f"), "{said:#?}");
    assert_eq!(said[0], "[true, false, true]");
}
