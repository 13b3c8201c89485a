//! Files of the database are removed while it is closed: the loss is noticed, no stale value comes back, and what is stored
//! from then on stays.
#![cfg(unix)]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use common::journals;
use twat_cache_core::testing::child::{Child, Task};
use twat_cache_core::testing::files::Files;
use twat_cache_core::testing::{Counter, record_logs, volatile_dir, warnings_from_now};
use twat_cache_disk::{DiskStore, KeyedStore as _, bcache};

/// Keys that are stored at once, and keys for later.
const KEYS: u64 = 30;
const ALL: u64 = KEYS + 5;

fn open(dir: &Path) -> DiskStore<String> {
    bcache("versions").dir(dir).open().unwrap()
}

fn value(key: u64, version: u64) -> String {
    format!("{key} in version {version}")
}

/// The last stored version of a key, if it is not removed.
fn last(key: u64) -> Option<u64> {
    let version = (1..=3).rev().find(|version| is_stored_in(key, *version))?;
    (!is_forgotten_in(key, version)).then_some(version)
}

/// All keys have a first version, most have a second one, and so on.
fn is_stored_in(key: u64, version: u64) -> bool {
    key < KEYS - (version - 1) * 10
}

fn is_forgotten_in(key: u64, version: u64) -> bool {
    key % 10 == 9 - version
}

/// Stores a version in place of the last one, and removes some keys.
fn store(store: &DiskStore<String>, version: u64) {
    (0..KEYS).filter(|key| is_stored_in(*key, version)).for_each(|key| {
        insert(store, key, &value(key, version));
        if is_forgotten_in(key, version) {
            assert!(store.remove(&key).unwrap());
        }
    });
}

/// The disk may be slow for a while.
fn insert(store: &DiskStore<String>, key: u64, value: &String) {
    let mut stored = store.insert(&key, value);
    for _ in 0..20 {
        if stored.is_ok() {
            break;
        }
        stored = store.insert(&key, value);
    }
    stored.unwrap();
}

/// Two tables and a journal have one version each.
fn small(dir: &Path) -> DiskStore<String> {
    let versions = open(dir);
    for version in 1..=3 {
        store(&versions, version);
        if version < 3 {
            versions.keyspace().unwrap().rotate_memtable_and_wait().unwrap();
        }
    }
    versions
}

/// At least two journals have one version each, and a table has one.
fn large(dir: &Path) -> DiskStore<String> {
    let versions = open(dir);
    let keyspace = versions.keyspace().unwrap();
    store(&versions, 1);
    keyspace.rotate_memtable_and_wait().unwrap();
    let filler = bcache("filler").dir(dir).open::<String>().unwrap();
    let fill = |keys: std::ops::Range<u64>| keys.for_each(|key| insert(&filler, key, &"x".repeat(1 << 20)));
    fill(0..60);
    store(&versions, 2);
    fill(60..64);
    keyspace.rotate_memtable().unwrap();
    while journals(dir).len() < 2 {
        fill(64..65);
    }
    store(&versions, 3);
    versions
}

#[test]
fn child_that_is_killed() {
    let Some(mut task) = Task::given() else { return };
    let _store = if task.order().as_deref() == Some("large") { large(&task.dir) } else { small(&task.dir) };
    task.say(journals(&task.dir).len());
    task.order();
}

fn killed(what: &str) -> (tempfile::TempDir, u64) {
    let dir = volatile_dir();
    let mut child = Child::start("child_that_is_killed", dir.path());
    child.tell(what);
    let journals = child.hear_number();
    child.kill();
    (dir, journals)
}

/// The values of all keys, how many stored ones were computed again, and the warnings.
fn round(dir: &Path) -> (BTreeMap<u64, String>, usize, Vec<String>) {
    let warnings = warnings_from_now(dir);
    let lost = Counter::new();
    let memo = bcache("versions").dir(dir).wrap(|key: &u64| {
        if *key < KEYS && last(*key).is_some() {
            lost.count();
        }
        value(*key, 9)
    });
    let found = (0..ALL).map(|key| (key, memo.call(&key))).collect();
    drop(memo);
    (found, lost.get(), warnings())
}

/// Makes the database again, removes these files, and calls all keys twice.
fn remove(files: &Files, gone: &[&Path]) -> Result<(), String> {
    let dir = volatile_dir();
    for (path, content) in files.0.iter().filter(|(path, _)| !gone.contains(&path.as_path())) {
        content.write(&dir.path().join(path));
    }
    for directory in ["bcache/keyspaces/0/tables", "bcache/keyspaces/1/tables"] {
        fs::create_dir_all(dir.path().join(directory)).unwrap();
    }
    let (first, lost, warnings) = round(dir.path());
    for (key, found) in &first {
        let newest = last(*key).filter(|_| *key < KEYS).map(|version| value(*key, version));
        if *found != value(*key, 9) && Some(found) != newest.as_ref() {
            return Err(format!("{found:?}, where {newest:?} was the last that was stored"));
        }
    }
    if warnings.len() > 1 || (lost > 0 && (warnings.is_empty() || gone.is_empty())) {
        return Err(format!("{lost} lost, {warnings:#?}"));
    }
    let (second, lost, warnings) = round(dir.path());
    if second != first || lost > 0 || !warnings.is_empty() {
        let changed: Vec<_> = first.iter().zip(&second).filter(|(first, second)| first != second).collect();
        return Err(format!("the next run: {lost} lost, changed: {changed:?}, {warnings:#?}"));
    }
    Ok(())
}

/// Removes every file, and every pair of files of which both are `of_these`.
fn remove_all(root: &Path, of_these: impl Fn(&Path) -> bool) {
    record_logs();
    let files = Files::read(root);
    let paths: Vec<_> = files.0.keys().map(PathBuf::as_path).collect();
    let mut cases = vec![vec![]];
    for (n, one) in paths.iter().enumerate() {
        cases.push(vec![*one]);
        let others = paths[n + 1..].iter().filter(|other| of_these(one) && of_these(other));
        cases.extend(others.map(|other| vec![*one, *other]));
    }
    let next = AtomicUsize::new(0);
    let failures: Vec<String> = thread::scope(|scope| {
        let threads = [(); 4].map(|()| {
            scope.spawn(|| {
                let mut failures = Vec::new();
                while let Some(gone) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(failure) = remove(&files, gone) {
                        failures.push(format!("{gone:?} removed: {failure}"));
                    }
                }
                failures
            })
        });
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), cases.len(), failures.join("\n"));
}

#[test]
fn any_two_files_of_a_database_that_was_closed_may_be_removed() {
    let dir = volatile_dir();
    drop(small(dir.path()));
    remove_all(dir.path(), |_| true);
}

#[test]
fn any_two_files_of_a_database_that_was_killed_may_be_removed() {
    let (dir, _) = killed("small");
    remove_all(dir.path(), |_| true);
}

#[test]
fn any_file_and_any_two_that_the_journals_depend_on_may_be_removed() {
    let has_several = |(dir, journals)| (journals > 1).then_some(dir);
    let dir = (0..10).find_map(|_| has_several(killed("large"))).expect("there never was a second journal");
    let is_needed =
        |path: &Path| path.extension().is_some() || ["journals", "version"].iter().any(|name| path.ends_with(name));
    remove_all(dir.path(), is_needed);
}
