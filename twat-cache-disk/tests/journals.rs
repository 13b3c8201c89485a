//! A database that was killed while it had several journals opens again, whatever has happened to any of them.
#![cfg(unix)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use common::child::{Child, Task};
use common::files::{Files, Random};
use common::volatile_dir;
use twat_cache_core::testing::{record_logs, within};
use twat_cache_disk::{KeyedStore as _, bcache};

/// Strings, which rkyv copies whole.
const LEN: usize = 1 << 20;

fn value(key: u64) -> String {
    format!("{key:08}").repeat(LEN / 8)
}

#[test]
fn child_that_is_killed_with_several_journals() {
    let Some(mut task) = Task::given() else { return };
    let store = bcache("large").dir(&task.dir).open::<String>().unwrap();
    for key in 0..150 {
        store.insert(&key, &value(key)).unwrap();
        // Each memtable has a journal of its own, until it is written out.
        if key % 40 == 39 {
            store.keyspace().unwrap().rotate_memtable().unwrap();
            if journals(&task.dir).len() > 1 {
                task.say(key + 1);
                task.order();
            }
        }
    }
    task.say(0);
    task.order();
}

fn journals(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir.join("bcache")).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|extension| extension == "jnl")).collect()
}

/// The database of a process that was killed, and how many entries it had stored.
fn killed() -> (Files, u64) {
    for _ in 0..10 {
        let dir = volatile_dir();
        let mut child = Child::start("child_that_is_killed_with_several_journals", dir.path());
        let stored = child.hear().unwrap().parse().unwrap();
        child.kill();
        if stored > 0 && journals(dir.path()).len() > 1 {
            return (Files::read(dir.path()), stored);
        }
    }
    panic!("there never was a second journal");
}

/// Asks for some of everything, and again after reopening.
fn survives(what: &str, files: &Files, stored: u64, damage: impl FnOnce(&Path)) {
    let dir = volatile_dir();
    files.write(dir.path());
    damage(dir.path());
    let what = what.to_owned();
    within(Duration::from_secs(60), move || {
        let some = || (0..stored).step_by(10);
        let ours = dir.path().display().to_string();
        for round in 0..2 {
            let memo = bcache("large").dir(dir.path()).wrap(|key: &u64| value(*key));
            for key in some() {
                assert!(memo.call(&key) == value(key), "{what}: a wrong value for {key}");
            }
            let lasting = some().filter(|key| memo.store().primary().get(key).unwrap().is_some()).count();
            assert!(round == 0 || lasting == some().count(), "{what}: not healed, {lasting} of {}", some().count());
        }
        let warnings = record_logs().warnings(&ours);
        assert!(warnings.len() <= 1, "{what}: {warnings:#?}");
    });
}

#[test]
fn each_of_several_journals_may_be_damaged() {
    record_logs();
    let (files, stored) = killed();
    survives("nothing", &files, stored, |_| ());
    let mut random = Random(1);
    let paths: Vec<_> = files.paths().into_iter().filter(|path| path.extension().is_some_and(|e| e == "jnl")).collect();
    for path in paths {
        let content = &files.0[&path];
        let [cut, at] = [(); 2].map(|()| random.below(content.bytes.len().max(1)));
        survives(&format!("{} removed", path.display()), &files, stored, |dir| {
            fs::remove_file(dir.join(&path)).unwrap();
        });
        survives(&format!("{} cut to {cut}", path.display()), &files, stored, |dir| {
            content.truncated(cut).write(&dir.join(&path));
        });
        survives(&format!("{} flipped at {at}", path.display()), &files, stored, |dir| {
            content.flipped(at, 64).write(&dir.join(&path));
        });
    }
}
