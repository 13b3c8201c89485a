//! A killed process leaves several journals. The database opens again, even if any of them is damaged.
#![cfg(unix)]

mod common;

use std::path::Path;
use std::time::Duration;

use common::{insert, journals};
use twat_cache_core::testing::child::{Child, Task};
use twat_cache_core::testing::damage::{Deed, cut, flipped, inflict, removed};
use twat_cache_core::testing::files::Files;
use twat_cache_core::testing::{Random, record_logs, text, volatile_dir, warnings, within};
use twat_cache_disk::{KeyedStore as _, bcache};

/// 1 MiB. Strings are what rkyv copies whole.
fn value(key: u64) -> String {
    text(key, 1 << 17)
}

#[test]
fn child_that_is_killed_with_several_journals() {
    let Some(mut task) = Task::given() else { return };
    let store = bcache("large").dir(&task.dir).open::<String>().unwrap();
    for key in 0..150 {
        insert(&store, key, &value(key));
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

/// The database of a process that was killed, and how many entries it had stored.
fn killed() -> (Files, u64) {
    for _ in 0..10 {
        let dir = volatile_dir();
        let mut child = Child::start("child_that_is_killed_with_several_journals", dir.path());
        let stored = child.hear_number();
        child.kill();
        if stored > 0 && journals(dir.path()).len() > 1 {
            return (Files::read(dir.path()), stored);
        }
    }
    panic!("there never was a second journal");
}

/// Calls some keys of each kind, and again after reopening.
fn survives(what: String, files: &Files, stored: u64, damage: impl FnOnce(&Path)) {
    let dir = volatile_dir();
    files.write(dir.path());
    damage(dir.path());
    within(Duration::from_secs(60), move || {
        let some = || (0..stored).step_by(10);
        for round in 0..2 {
            let memo = bcache("large").dir(dir.path()).wrap(|key: &u64| value(*key));
            for key in some() {
                assert!(memo.call(&key) == value(key), "{what}: a wrong value for {key}");
            }
            let lasting = some().filter(|key| memo.store().primary().get(key).unwrap().is_some()).count();
            assert!(round == 0 || lasting == some().count(), "{what}: not healed, {lasting} of {}", some().count());
        }
        let warnings = warnings(dir.path());
        assert!(warnings.len() <= 1, "{what}: {warnings:#?}");
    });
}

#[test]
fn damage_to_any_of_several_journals_does_no_harm() {
    record_logs();
    let (files, stored) = killed();
    survives("nothing".to_owned(), &files, stored, |_| ());
    let mut random = Random(1);
    for (path, content) in
        files.0.iter().filter(|(path, _)| path.extension().is_some_and(|extension| extension == "jnl"))
    {
        let [len, at] = [(); 2].map(|()| random.index(content.bytes.len().max(1)));
        let deeds: [Deed; 3] = [removed(), cut(content, len), flipped(content, at, 64)];
        for deed in deeds {
            let what = format!("{} {}", path.display(), deed.0);
            survives(what, &files, stored, |root| inflict(&deed, &root.join(path)));
        }
    }
}
