//! The next process finds what a process has stored, and other caches do not.

mod common;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use twat_cache_core::testing::child::{Child, Task};
use twat_cache_core::testing::files::names;
use twat_cache_core::testing::persistent::{
    Persistent, a_new_directory_is_private_and_marked_and_one_in_use_is_left_alone,
};
use twat_cache_core::testing::{Counted, Counter, counted, record_logs, volatile_dir, warnings, within};
use twat_cache_shared::rusqlite::Connection;
use twat_cache_shared::{
    ErrorKind, KeyedStore as _, Memo, SharedBuilder, SharedFallback, SharedStore, Store as _, scache,
};

use common::numbers::first;

const SHARED: Persistent<SharedStore<String>> =
    Persistent { open: |options| SharedBuilder::from(options).open(), overhead: 72 };

type Texts = Memo<SharedFallback<String>, Counted<String>>;

fn memo(dir: &Path) -> (Texts, Arc<Counter>) {
    let (function, computed) = counted(|key| format!("value of {key}"));
    (scache("name").dir(dir).wrap(function), computed)
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
    for is_open in [false, true] {
        let dir = volatile_dir();
        let fill = |keys: std::ops::Range<u64>| {
            let (memo, _) = memo(dir.path());
            keys.for_each(|key| drop(memo.call(&key)));
            memo
        };
        let kept = is_open.then(|| memo(dir.path()).0);
        drop(fill(0..100));
        assert_eq!(in_another_process(dir.path()), (100, 0));
        let memo = fill(0..100);
        (0..30_u64).for_each(|key| assert!(memo.forget(&key).unwrap()));
        drop(memo);
        assert_eq!(in_another_process(dir.path()), (70, 30));
        fill(0..100).clear().unwrap();
        assert_eq!(in_another_process(dir.path()), (0, 100));
        let memo = fill(0..100);
        memo.clear().unwrap();
        (0..10).for_each(|key| drop(memo.call(&key)));
        drop((memo, kept));
        assert_eq!(in_another_process(dir.path()), (10, 90));
    }
}

#[test]
fn caches_of_another_name_or_version_share_nothing() {
    SHARED.caches_of_another_name_or_version_share_nothing();
}

#[test]
fn caches_of_another_type_or_codec_share_nothing() {
    let dir = volatile_dir();
    let cache = || scache("name").dir(dir.path());
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
    let (dir, all) = SHARED.any_string_is_a_name();
    let cache = dir.path().join("cache");
    assert_eq!(names(&cache), [".gitignore", "CACHEDIR.TAG", "scache"]);
    let mut listed: Vec<String> = scache("")
        .dir(&cache)
        .open::<String>()
        .unwrap()
        .with_connection(|connection| {
            let mut names = connection.prepare("SELECT name FROM name").unwrap();
            names.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
        })
        .unwrap();
    let mut all = all;
    listed.sort();
    all.sort();
    assert_eq!(listed, all);
}

#[test]
fn a_ttl_goes_on_while_no_process_runs() {
    SHARED.a_ttl_goes_on_while_no_process_runs();
}

#[cfg(unix)]
#[test]
fn a_new_directory_is_private_and_marked_and_one_in_use_stays_as_it_is() {
    a_new_directory_is_private_and_marked_and_one_in_use_is_left_alone(|cache| {
        scache("name").dir(cache).open::<u8>().unwrap().insert("key", &1).unwrap();
        cache.join("scache")
    });
}

#[cfg(unix)]
#[test]
fn no_other_user_can_read_a_file_of_the_database() {
    use twat_cache_core::testing::owners::mode;
    let dir = volatile_dir();
    let store = scache("name").dir(dir.path()).open::<u8>().unwrap();
    store.insert("key", &1).unwrap();
    let database = first(dir.path());
    assert_eq!([dir.path().join("scache"), database.parent().unwrap().to_owned()].map(|dir| mode(&dir)), [0o700; 2]);
    assert_eq!(mode(&dir.path().join("scache/meta-1")), 0o600);
}

#[test]
fn child_without_a_directory() {
    let Some(task) = Task::given() else { return };
    let store = scache("name").open::<u8>().unwrap();
    store.insert("key", &1).unwrap();
    task.say(store.path().display());
}

#[test]
fn the_environment_says_where_caches_are_by_default() {
    let dir = volatile_dir();
    let cache = dir.path().join("from the environment");
    let child = Child::with("child_without_a_directory", dir.path(), [("TWAT_CACHE_DIR", &cache.display())]);
    let expected = dir.path().canonicalize().unwrap().join("from the environment/scache");
    assert_eq!(child.finish(), [expected.display().to_string()]);
    assert!(expected.is_dir());
}

#[test]
fn all_caches_of_a_directory_share_one_database() {
    let dir = volatile_dir();
    let stores = ["a", "b", "c"].map(|name| scache(name).dir(dir.path()).open::<usize>().unwrap());
    let by_another_path = scache("a").dir(dir.path().join("../").join(dir.path().file_name().unwrap())).open().unwrap();
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
    assert_eq!(names(&dir.path().join("scache")), ["1", "meta-1", "tmp"]);
}

/// SQLite follows no link on the whole path of the database.
#[cfg(unix)]
#[test]
fn a_directory_that_is_reached_through_links_is_used() {
    let dir = volatile_dir();
    let [real, link, deep] = ["real", "link", "link/a/b"].map(|name| dir.path().join(name));
    fs::create_dir(&real).unwrap();
    std::os::unix::fs::symlink(&real, &link).unwrap();
    for cache in [&link, &deep] {
        let store = scache("name").dir(cache).open::<u8>().unwrap();
        store.insert("key", &1).unwrap();
        assert!(store.path().starts_with(real.canonicalize().unwrap()), "{}", store.path().display());
    }
}

#[test]
fn a_database_can_be_opened_while_its_last_user_closes_it() {
    let dir = volatile_dir();
    let path = dir.path().to_owned();
    record_logs();
    within(Duration::from_secs(30), move || {
        thread::scope(|scope| {
            for part in 0..4_u64 {
                let path = &path;
                scope.spawn(move || {
                    for n in 0..30_u64 {
                        let store = scache("name").dir(path).open::<u64>().unwrap();
                        store.insert(&(part, n), &n).unwrap();
                        assert!((0..=n).all(|n| store.get(&(part, n)).unwrap() == Some(n)));
                    }
                });
            }
        });
    });
    assert_eq!(warnings(dir.path()), [""; 0]);
}

#[test]
fn child_that_removes_until_it_is_told_to_end() {
    let Some(mut task) = Task::given() else { return };
    let store = scache("others").dir(&task.dir).open::<u64>().unwrap();
    let thread = thread::spawn(move || {
        loop {
            store.remove(&1_u64).unwrap();
        }
    });
    task.say("begun");
    task.order();
    assert!(!thread.is_finished());
}

/// What is removed is counted in the database first, and then in memory that processes share.
#[test]
fn a_database_can_be_opened_while_another_process_removes_entries() {
    let dir = volatile_dir();
    record_logs();
    let mut child = Child::start("child_that_removes_until_it_is_told_to_end", dir.path());
    assert_eq!(child.hear().unwrap(), "begun");
    for _ in 0..500 {
        scache("name").dir(dir.path()).open::<u64>().unwrap();
    }
    child.finish();
    assert_eq!(warnings(dir.path()), [""; 0]);
    assert!(!common::numbers::numbered(dir.path(), 2).exists());
}

#[test]
fn where_open_fails_a_memo_uses_memory() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let error = scache("name").dir(&file).open::<u8>().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert_eq!(error.path(), Some(&*file.canonicalize().unwrap()));
    let (memo, _) = memo(&file);
    assert_eq!(memo.call(&1), "value of 1");
}

#[test]
fn where_the_path_is_too_long_for_the_engine_a_memo_uses_memory() {
    let dir = volatile_dir();
    let deep = (0..10).fold(dir.path().to_owned(), |dir, _| dir.join("d".repeat(100)));
    let (memo, computed) = memo(&deep);
    record_logs();
    (0..20).chain(0..20).for_each(|key| assert_eq!(memo.call(&key), format!("value of {key}")));
    assert_eq!(computed.get(), 20);
    assert_eq!(warnings(&deep).len(), 1, "{:#?}", warnings(&deep));
    assert!(!memo.store().has_switched());
}

#[test]
fn the_file_is_a_database_that_shows_names_and_versions() {
    let dir = volatile_dir();
    for (name, keys) in [("words", 0..5_u64), ("numbers", 0..3)] {
        let store = scache(name).dir(dir.path()).version(1).open::<String>().unwrap();
        keys.for_each(|key| store.insert(&key, &key.to_string()).unwrap());
    }
    let list = |connection: &Connection| -> Vec<(String, bool, i64)> {
        let query =
            "SELECT name.name, space.version IS NOT NULL, count(*) FROM entry JOIN space ON space.no = entry.space
                     JOIN name ON name.no = space.name GROUP BY space.no ORDER BY name.name";
        let mut list = connection.prepare(query).unwrap();
        list.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap().map(Result::unwrap).collect()
    };
    let expected = [("numbers".to_owned(), true, 3), ("words".to_owned(), true, 5)];
    assert_eq!(list(&Connection::open(first(dir.path())).unwrap()), expected);
    let memo = scache("words").dir(dir.path()).version(1).wrap(|key: &u64| key.to_string());
    assert_eq!(memo.store().with_connection(list).unwrap(), expected);
    let check = |connection: &Connection| -> String {
        connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap()
    };
    assert_eq!(memo.store().with_connection(check).unwrap(), "ok");
}

#[test]
fn whatever_is_done_with_a_connection_the_store_goes_on() {
    let dir = volatile_dir();
    let store = scache("name").dir(dir.path()).open::<u64>().unwrap();
    store.insert(&1_u64, &1).unwrap();
    let deeds = [
        "BEGIN IMMEDIATE; DELETE FROM entry",
        "BEGIN",
        "PRAGMA query_only = ON",
        "PRAGMA locking_mode = EXCLUSIVE; SELECT count(*) FROM entry",
        "ATTACH ':memory:' AS another",
    ];
    for (n, deed) in deeds.into_iter().enumerate() {
        let _ = store.with_connection(|connection| connection.execute_batch(deed)).unwrap();
        store.insert(&(n as u64 + 2), &7).unwrap();
        assert_eq!(store.get(&1_u64).unwrap(), Some(1), "{deed}");
    }
    let panics = || store.with_connection(|_| panic!("as intended"));
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(panics)).is_err());
    // Long enough for a look at the files of the database.
    thread::sleep(Duration::from_millis(20));
    assert_eq!(store.get(&1_u64).unwrap(), Some(1));
    assert_eq!(store.len().unwrap(), 1 + deeds.len());
    assert_eq!(warnings(dir.path()), [""; 0]);
}
