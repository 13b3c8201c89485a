//! The next process finds what a process has stored, and other caches do not.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use twat_cache_core::testing::child::{Child, Task};
use twat_cache_core::testing::files::names;
use twat_cache_core::testing::persistent::{
    Persistent, a_new_directory_is_private_and_marked_and_one_in_use_is_left_alone,
};
use twat_cache_core::testing::{Counted, Counter, counted, record_logs, warnings, within};
use twat_cache_disk::{DiskBuilder, DiskFallback, DiskStore, ErrorKind, KeyedStore as _, Memo, bcache};

const DISK: Persistent<DiskStore<String>> =
    Persistent { open: |options| DiskBuilder::from(options).open(), overhead: 48 };

type Texts = Memo<DiskFallback<String>, Counted<String>>;

fn memo(dir: &Path) -> (Texts, Arc<Counter>) {
    let (function, computed) = counted(|key| format!("value of {key}"));
    (bcache("name").dir(dir).wrap(function), computed)
}

#[test]
fn child_that_asks_for_everything() {
    let Some(task) = Task::given() else { return };
    let (memo, computed) = memo(&task.dir);
    let found = (0..100_u64).filter(|key| memo.peek(key).unwrap().is_some()).count();
    (0..100).for_each(|key| assert_eq!(memo.call(&key), format!("value of {key}")));
    task.say(found);
    task.say(computed.get());
}

/// The entries that a new process finds, and the results that it computes.
fn in_another_process(dir: &Path) -> (usize, usize) {
    let said = Child::start("child_that_asks_for_everything", dir).finish();
    let [found, computed] = &*said else { panic!("{said:?}") };
    (found.parse().unwrap(), computed.parse().unwrap())
}

#[test]
fn another_process_finds_what_was_stored_and_not_what_was_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let fill = |keys: std::ops::Range<u64>| {
        let (memo, _) = memo(dir.path());
        keys.for_each(|key| drop(memo.call(&key)));
        memo
    };
    drop(fill(0..100));
    assert_eq!(in_another_process(dir.path()), (100, 0));
    let memo = fill(0..100);
    (0..30_u64).for_each(|key| assert!(memo.forget(&key).unwrap()));
    drop(memo);
    assert_eq!(in_another_process(dir.path()), (70, 30));
    fill(0..100).clear().unwrap();
    assert_eq!(in_another_process(dir.path()), (0, 100));
    let memo = fill(0..100);
    memo.store().keyspace().unwrap().rotate_memtable_and_wait().unwrap();
    memo.clear().unwrap();
    (0..10).for_each(|key| drop(memo.call(&key)));
    drop(memo);
    assert_eq!(in_another_process(dir.path()), (10, 90));
}

#[test]
fn caches_of_another_name_or_version_share_nothing() {
    DISK.caches_of_another_name_or_version_share_nothing();
}

#[test]
fn caches_of_another_type_or_codec_share_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let cache = || bcache("name").dir(dir.path());
    for round in 0..2 {
        let texts = cache().open::<String>().unwrap();
        assert_eq!(texts.get("key").unwrap().as_deref(), (round > 0).then_some("text"));
        texts.insert("key", &"text".to_owned()).unwrap();
        let numbers = cache().open::<Vec<u8>>().unwrap();
        assert_eq!(numbers.get("key").unwrap(), (round > 0).then(|| vec![1]));
        numbers.insert("key", &vec![1]).unwrap();
        #[cfg(feature = "serde")]
        {
            let packed = cache().serde().open::<String>().unwrap();
            assert_eq!(packed.get("key").unwrap().as_deref(), (round > 0).then_some("packed"));
            packed.insert("key", &"packed".to_owned()).unwrap();
        }
    }
}

#[test]
fn any_string_is_a_name() {
    let (dir, _) = DISK.any_string_is_a_name();
    assert_eq!(names(&dir.path().join("cache")), [".gitignore", "CACHEDIR.TAG", "bcache", "bcache.lock"]);
}

#[test]
fn a_ttl_goes_on_while_no_process_runs() {
    DISK.a_ttl_goes_on_while_no_process_runs();
}

#[cfg(unix)]
#[test]
fn a_new_directory_is_private_and_marked_and_one_in_use_stays_as_it_is() {
    a_new_directory_is_private_and_marked_and_one_in_use_is_left_alone(|cache| {
        bcache("name").dir(cache).open::<u8>().unwrap().insert("key", &1).unwrap();
        cache.join("bcache")
    });
}

#[test]
fn child_without_a_directory() {
    let Some(task) = Task::given() else { return };
    let store = bcache("name").open::<u8>().unwrap();
    store.insert("key", &1).unwrap();
    task.say(store.path().display());
}

#[test]
fn the_environment_says_where_caches_are_by_default() {
    let dir = tempfile::tempdir().unwrap();
    let cache = dir.path().join("from the environment");
    let child = Child::with("child_without_a_directory", dir.path(), [("TWAT_CACHE_DIR", &cache.display())]);
    let expected = dir.path().canonicalize().unwrap().join("from the environment/bcache");
    assert_eq!(child.finish(), [expected.display().to_string()]);
    assert!(expected.is_dir());
}

#[test]
fn all_caches_of_a_directory_share_one_database() {
    let dir = tempfile::tempdir().unwrap();
    let stores = ["a", "b", "c"].map(|name| bcache(name).dir(dir.path()).open::<usize>().unwrap());
    let by_another_path = bcache("a").dir(dir.path().join("../").join(dir.path().file_name().unwrap())).open().unwrap();
    stores[0].insert("key", &1).unwrap();
    assert_eq!(by_another_path.get("key").unwrap(), Some(1_usize));
    thread::scope(|scope| {
        for (n, store) in stores.iter().enumerate() {
            scope.spawn(move || (0..200_usize).for_each(|key| store.insert(&key, &(key + n)).unwrap()));
        }
    });
    for (n, store) in stores.iter().enumerate() {
        assert!((0..200_usize).all(|key| store.get(&key).unwrap() == Some(key + n)));
    }
}

#[test]
fn a_database_can_be_opened_while_its_last_user_closes_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_owned();
    record_logs();
    within(Duration::from_secs(30), move || {
        thread::scope(|scope| {
            for part in 0..4_u64 {
                let path = &path;
                scope.spawn(move || {
                    for n in 0..30_u64 {
                        let store = bcache("name").dir(path).open::<u64>().unwrap();
                        store.insert(&(part, n), &n).unwrap();
                        assert!((0..=n).all(|n| store.get(&(part, n)).unwrap() == Some(n)));
                    }
                });
            }
        });
    });
    assert_eq!(warnings(dir.path()), [""; 0]);
}

/// Between `fork` and `exec`, a child has all open files of its parent, including locks.
#[cfg(unix)]
#[test]
fn processes_that_are_being_started_do_not_keep_a_database_locked() {
    let dir = tempfile::tempdir().unwrap();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    assert!(Command::new("true").status().unwrap().success());
                }
            });
        }
        let opened = (0..200).filter(|_| bcache("name").dir(dir.path()).open::<u8>().is_ok()).count();
        done.store(true, Ordering::Relaxed);
        assert_eq!(opened, 200);
    });
}

#[test]
fn where_open_fails_a_memo_uses_memory() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let error = bcache("name").dir(&file).open::<u8>().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert_eq!(error.path(), Some(&*file.canonicalize().unwrap()));
    let (memo, _) = memo(&file);
    assert_eq!(memo.call(&1), "value of 1");
}
