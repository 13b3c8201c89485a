//! Damage to the files of the database while several processes use it: the values are right, each process warns once at most,
//! and all meet in the same database afterwards.
#![cfg(unix)]

mod common;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use common::{INDEX, LOG, META, NAME, ask, database, start};
use twat_cache_core::testing::child::{Child, Task};
use twat_cache_core::testing::damage::{Act, Failures};
use twat_cache_core::testing::{Random, record_logs, text, until, volatile_dir, warnings, within};
use twat_cache_shared::{KeyedStore as _, scache};

static GARBAGE: [u8; 20_000] = [0x5a; 20_000];

fn replace(path: &Path, bytes: &[u8]) {
    let with = path.with_extension("new");
    fs::write(&with, bytes).unwrap();
    fs::rename(with, path).unwrap();
}

fn cut(path: &Path, to: u64) {
    // The log may be empty just now.
    let file = File::options().write(true).open(path).unwrap();
    file.set_len(file.metadata().unwrap().len().min(to)).unwrap();
}

const ACTS: &[Act] = &[
    ("removed", |path| fs::remove_file(path).unwrap()),
    ("replaced by garbage", |path| replace(path, &GARBAGE)),
    ("replaced by nothing", |path| replace(path, &[])),
    ("replaced by a copy", |path| replace(path, &fs::read(path).unwrap())),
    ("replaced by a directory", |path| {
        fs::remove_file(path).unwrap();
        fs::create_dir(path).unwrap();
    }),
    ("moved away", |path| fs::rename(path, path.with_extension("away")).unwrap()),
];

/// These would be out of contract for what is mapped.
const IN_PLACE: &[Act] = &[
    ("overwritten by garbage", |path| fs::write(path, GARBAGE).unwrap()),
    ("emptied", |path| cut(path, 0)),
    ("cut in a page", |path| cut(path, 5000)),
];

const DIRECTORIES: &[Act] = &[
    ("removed", |path| {
        // While others make files in it.
        while path.exists() && fs::remove_dir_all(path).is_err() {}
    }),
    ("moved away", |path| fs::rename(path, path.with_extension("away")).unwrap()),
];

fn value(key: u64) -> String {
    text(key, usize::try_from(key % 400).unwrap())
}

/// Two threads call and change all the time. A third does what it is told, with keys that they leave alone.
#[test]
fn child_at_work() {
    let Some(mut task) = Task::given() else { return };
    record_logs();
    let memo = scache("texts").dir(&task.dir).wrap(|key: &u64| value(*key));
    let is_over = AtomicBool::new(false);
    memo.call(&0);
    task.say("ready");
    thread::scope(|scope| {
        for seed in 0..2 {
            let (memo, is_over) = (&memo, &is_over);
            scope.spawn(move || {
                let mut random = Random(u64::from(std::process::id()) << 8 | seed);
                while !is_over.load(Ordering::Relaxed) {
                    let key = random.below(50);
                    assert!(memo.call(&key) == value(key), "another key's value");
                    if random.below(8) == 0 {
                        let _ = memo.forget(&key);
                    }
                    thread::sleep(Duration::from_micros(random.below(300)));
                }
            });
        }
        while let Some(order) = task.order() {
            let (verb, key) = order.split_once(' ').unwrap();
            let key: u64 = key.parse().unwrap();
            let is_there = || memo.store().primary().get(&key).is_ok_and(|found| found == Some(value(key)));
            match verb {
                // A result is not stored if a key of the same stripe is forgotten meanwhile.
                "store" => task.say((0..100).any(|_| memo.call(&key) == value(key) && is_there())),
                _ => task.say(is_there()),
            }
        }
        is_over.store(true, Ordering::Relaxed);
    });
    let warnings = warnings(&task.dir);
    assert!(warnings.len() <= 1, "{warnings:#?}");
}

/// What each of the processes stores, all find, and one that begins then.
fn meet(children: &mut [Child], dir: &Path, first: u64) -> bool {
    let keys = first..first + 10 * children.len() as u64;
    for key in keys.clone() {
        let index = usize::try_from(key).unwrap() % children.len();
        if ask(&mut children[index], format_args!("store {key}")) != "true" {
            return false;
        }
    }
    let Ok(all) = scache("texts").dir(dir).open::<String>() else { return false };
    let mut found = |key: u64| {
        all.get(&key).is_ok_and(|found| found == Some(value(key)))
            && children.iter_mut().all(|child| ask(child, format_args!("find {key}")) == "true")
    };
    keys.clone().all(&mut found)
}

fn survives(what: &'static str, path: fn(&Path) -> PathBuf, acts: &[&'static [Act]]) {
    let mut failures = Failures::default();
    for (act, inflict) in acts.iter().copied().flatten() {
        let test = move || {
            let dir = volatile_dir();
            let mut children: Vec<_> = (0..3).map(|_| start("child_at_work", dir.path())).collect();
            assert!(meet(&mut children, dir.path(), 1000), "before");
            inflict(&path(dir.path()));
            // There may be a pause after a failure.
            let mut first = 10_000;
            until("the processes meet again", || {
                first += 1000;
                meet(&mut children, dir.path(), first)
            });
            // Nothing is lost from now on.
            for first in [100_000, 200_000] {
                assert!(meet(&mut children, dir.path(), first), "afterwards");
            }
            for child in children {
                child.finish();
            }
        };
        failures.note(format_args!("{what} {act}"), || within(common::LIMIT, test));
    }
    failures.end();
}

#[test]
fn the_database_may_be_damaged_while_processes_use_it() {
    survives(NAME, |dir| database(dir).join(NAME), &[ACTS, IN_PLACE]);
}

#[test]
fn the_log_may_be_damaged_while_processes_use_it() {
    survives(LOG, |dir| database(dir).join(LOG), &[ACTS, IN_PLACE]);
}

#[test]
fn the_index_of_the_log_may_be_replaced_while_processes_use_it() {
    survives(INDEX, |dir| database(dir).join(INDEX), &[ACTS]);
}

#[test]
fn the_counters_may_be_replaced_while_processes_use_them() {
    survives(META, |dir| dir.join("scache").join(META), &[ACTS]);
}

#[test]
fn the_claims_may_be_damaged_while_processes_use_them() {
    survives("claims", |dir| dir.join("scache/lock/claims"), &[ACTS, IN_PLACE]);
}

#[test]
fn the_directories_may_be_removed_while_processes_use_them() {
    survives("the directory of the database", database, &[DIRECTORIES]);
    survives("the directory of all databases", |dir| dir.join("scache"), &[DIRECTORIES]);
}

/// They have other names.
#[test]
fn the_files_of_another_version_of_this_library_stay() {
    let dir = volatile_dir();
    let mut children: Vec<_> = (0..2).map(|_| start("child_at_work", dir.path())).collect();
    let others =
        ["scache/meta-2", "scache/1/entries-2.db", "scache/1/entries-2.db-wal"].map(|name| dir.path().join(name));
    for other in &others {
        fs::write(other, "theirs").unwrap();
    }
    for round in 1..4 {
        fs::remove_file(database(dir.path()).join(NAME)).unwrap();
        let mut first = round * 100_000;
        until("the processes meet again", || {
            first += 1000;
            common::numbers(dir.path()).contains(&(round + 1)) && meet(&mut children, dir.path(), first)
        });
    }
    for other in &others {
        assert_eq!(fs::read(other).unwrap(), b"theirs");
    }
    assert!(!dir.path().join("scache/1").join(NAME).exists() && !dir.path().join("scache/2").exists());
    for child in children {
        child.finish();
    }
}
