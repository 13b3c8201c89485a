//! The next process finds what a process has stored, and other caches do not.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use common::{call_all, entries_below, memo, value};
use twat_cache_core::testing::child::{Child, Task};
use twat_cache_core::testing::files::names;
use twat_cache_core::testing::persistent::Persistent;
use twat_cache_core::testing::{volatile_dir, warnings};
use twat_cache_file::{ErrorKind, FileBuilder, FileStore, KeyedStore as _, ManualClock, Store as _, fcache};

const FILES: Persistent<FileStore<String>> =
    Persistent { open: |options| FileBuilder::from(options).open(), overhead: 72 };

#[test]
fn child_that_asks_for_everything() {
    let Some(task) = Task::given() else { return };
    let (memo, computed) = memo(&task.dir);
    let found = (0..40_u64).filter(|key| memo.peek(key).unwrap().is_some()).count();
    call_all(&memo, 0..40);
    task.say(found);
    task.say(computed.get());
    task.say((0..40_u64).filter(|key| memo.view(key).is_mapped()).count());
    task.say(warnings(&task.dir).len());
}

/// The entries that a new process finds, and the results that it computes. Five values are large.
fn in_another_process(dir: &Path) -> [usize; 4] {
    let said = Child::start("child_that_asks_for_everything", dir).finish();
    let said: Vec<usize> = said.iter().map(|number| number.parse().unwrap()).collect();
    said.try_into().unwrap()
}

#[test]
fn another_process_finds_what_was_stored_and_not_what_was_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let fill = || {
        let (memo, _) = memo(dir.path());
        call_all(&memo, 0..40);
        memo
    };
    drop(fill());
    assert_eq!(in_another_process(dir.path()), [40, 0, 5, 0]);
    let memo = fill();
    (5..20_u64).for_each(|key| assert!(memo.forget(&key).unwrap()));
    drop(memo);
    assert_eq!(in_another_process(dir.path()), [25, 15, 5, 0]);
    fill().clear().unwrap();
    assert_eq!(in_another_process(dir.path()), [0, 40, 5, 0]);
    let memo = fill();
    memo.clear().unwrap();
    call_all(&memo, 0..10);
    drop(memo);
    assert_eq!(in_another_process(dir.path()), [10, 30, 5, 0]);
    // And that process has stored the others again.
    assert_eq!(in_another_process(dir.path()), [40, 0, 5, 0]);
}

#[test]
fn caches_of_another_name_or_version_share_nothing() {
    FILES.caches_of_another_name_or_version_share_nothing();
}

#[test]
fn caches_of_another_type_share_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let cache = || fcache("name").dir(dir.path());
    for round in 0..2 {
        // The last three are the same bytes to rkyv.
        let (text, bytes, signed, wrapped) = ("text", 1, 2, 3);
        let store = cache().open::<String>().unwrap();
        assert_eq!(store.get("key").unwrap().as_deref(), (round > 0).then_some(text));
        store.insert("key", &text.to_owned()).unwrap();
        let store = cache().open::<Vec<u8>>().unwrap();
        assert_eq!(store.get("key").unwrap(), (round > 0).then(|| vec![bytes]));
        store.insert("key", &vec![bytes]).unwrap();
        let store = cache().open::<Vec<i8>>().unwrap();
        assert_eq!(store.get("key").unwrap(), (round > 0).then(|| vec![signed]));
        store.insert("key", &vec![signed]).unwrap();
        let store = cache().open::<(Vec<u8>,)>().unwrap();
        assert_eq!(store.get("key").unwrap(), (round > 0).then(|| (vec![wrapped],)));
        store.insert("key", &(vec![wrapped],)).unwrap();
    }
    cache().open::<String>().unwrap().clear().unwrap();
    assert_eq!(cache().open::<Vec<u8>>().unwrap().len().unwrap(), 1);
}

#[test]
fn any_string_is_a_name() {
    let (dir, all) = FILES.any_string_is_a_name();
    let cache = dir.path().join("cache");
    let path = |name: &String| fcache(name).dir(&cache).open::<String>().unwrap().path().to_owned();
    let paths: BTreeSet<_> = all.iter().map(path).collect();
    assert!(paths.len() == all.len() && paths.iter().all(|path| path.parent() == Some(&cache)), "{paths:#?}");
    // Each name is valid and distinct on any file system, even one that ignores case.
    let listed: BTreeSet<_> = names(&cache).iter().map(|name| name.to_ascii_lowercase()).collect();
    assert_eq!(listed.len(), all.len() + 2, "{listed:#?}");
    assert!(listed.iter().all(|name| name.len() < 100 && name.is_ascii()), "{listed:#?}");
}

#[test]
fn a_ttl_goes_on_while_no_process_runs() {
    FILES.a_ttl_goes_on_while_no_process_runs();
}

#[test]
fn a_shorter_ttl_applies_to_entries_that_are_there() {
    let dir = tempfile::tempdir().unwrap();
    let hand = ManualClock::new();
    let forever = || fcache("name").dir(dir.path()).clock(hand.clock());
    forever().open::<u8>().unwrap().insert("endless", &1).unwrap();
    forever().ttl(Duration::from_secs(3600)).open::<u8>().unwrap().insert("long", &2).unwrap();
    let store = forever().ttl(Duration::from_secs(60)).open::<u8>().unwrap();
    for key in ["endless", "long"] {
        assert_eq!(store.get(key).unwrap(), None, "nobody knows that it is not older");
    }
    store.insert("long", &3).unwrap();
    assert_eq!(store.get("long").unwrap(), Some(3));
}

#[test]
fn expired_entries_leave_the_disk_whichever_run_has_stored_them() {
    let dir = volatile_dir();
    let hand = ManualClock::new();
    let ttl = Duration::from_secs(60);
    let open = || fcache("name").dir(dir.path()).ttl(ttl).clock(hand.clock()).open::<u64>().unwrap();
    let store = open();
    (0..300_u64).for_each(|key| store.insert(&key, &key).unwrap());
    assert_eq!(entries_below(store.path()).0, 300);
    // The run that stored them removes some at each store.
    hand.advance(ttl);
    (1000..1100_u64).for_each(|key| store.insert(&key, &key).unwrap());
    assert_eq!(entries_below(store.path()).0, 100);
    assert_eq!(store.len().unwrap(), 100);
    drop(store);
    // The next run needs some more stores, because it must find them first.
    hand.advance(ttl);
    let store = open();
    (2000..2700_u64).for_each(|key| store.insert(&key, &key).unwrap());
    assert_eq!(entries_below(store.path()).0, 700);
    // At once, if it is asked for.
    hand.advance(ttl);
    assert_eq!(store.get(&2000_u64).unwrap(), None);
    assert_eq!(entries_below(store.path()).0, 699);
}

#[test]
fn before_the_first_call_no_directory_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let cache = dir.path().join("cache");
    let (memo, computed) = memo(&cache);
    assert!(!cache.exists());
    assert_eq!(memo.call(&1), value(1));
    assert!(memo.store().path().is_dir());
    assert_eq!(computed.get(), 1);
}

#[test]
fn child_without_a_directory() {
    let Some(task) = Task::given() else { return };
    let memo = fcache("name").wrap(|n: &u8| *n);
    // The program changes its working directory before its first call.
    std::env::set_current_dir("/").unwrap();
    memo.call(&1);
    task.say(memo.store().path().parent().unwrap().display());
}

#[test]
fn the_environment_says_where_caches_are_by_default() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().canonicalize().unwrap();
    let program = std::env::current_exe().unwrap().file_stem().unwrap().to_owned();
    let set = root.join("from the environment");
    let by_default = root.join("twat-cache").join(program);
    for (variable, path) in [(Some(&*set), &set), (Some(Path::new("a/b")), &root.join("a/b")), (None, &by_default)] {
        let child = Child::start_with("child_without_a_directory", &root, |binary| {
            let mut command = Command::new(binary);
            command.env_remove("TWAT_CACHE_DIR").env("XDG_CACHE_HOME", &root).current_dir(&root);
            command.envs(variable.map(|path| ("TWAT_CACHE_DIR", path)));
            command
        });
        assert_eq!(child.finish(), [path.display().to_string()]);
        assert!(path.join("CACHEDIR.TAG").is_file());
    }
}

#[cfg(unix)]
#[test]
fn a_new_directory_is_private_and_marked_and_one_in_use_stays_as_it_is() {
    use twat_cache_core::testing::owners::mode;
    use twat_cache_core::testing::persistent::a_new_directory_is_private_and_marked_and_one_in_use_is_left_alone;

    a_new_directory_is_private_and_marked_and_one_in_use_is_left_alone(|cache| {
        // The modes do not depend on the umask.
        Child::after("umask 0", "child_that_asks_for_everything", cache).finish();
        let store = fcache("numbers").dir(cache).open::<Vec<u64>>().unwrap();
        let [path, entry] = [store.path().to_owned(), store.path_of(&8_u64).unwrap()];
        assert_eq!([&entry, &path.join("meta")].map(|path| mode(path)), [0o400, 0o600]);
        for dir in [entry.parent().unwrap(), &path.join("tmp"), &path.join("lock")] {
            assert_eq!(mode(dir), 0o700, "{}", dir.display());
        }
        assert_eq!(names(cache).len(), if cache.ends_with("new") { 3 } else { 2 }, "{:?}", names(cache));
        path
    });
}

#[test]
fn where_open_fails_a_memo_uses_memory() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let error = fcache("numbers").dir(&file).open::<u8>().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert_eq!(error.path(), Some(&*file));
    let (memo, _) = memo(&file);
    call_all(&memo, 0..10);
}
