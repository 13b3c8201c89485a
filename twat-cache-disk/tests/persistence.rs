//! What one process has stored, the next one finds, and nobody else.

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use common::child::{Child, Task};
use twat_cache_core::testing::{Counter, record_logs, within};
use twat_cache_disk::{DiskBuilder, DiskFallback, ErrorKind, KeyedStore as _, ManualClock, Memo, Store as _, bcache};

type Texts = Memo<DiskFallback<String>, Box<dyn Fn(&u64) -> String + Send + Sync>>;

fn memo(builder: DiskBuilder) -> (Texts, Arc<Counter>) {
    let computed = Arc::new(Counter::new());
    let counter = computed.clone();
    let memo: Texts = builder.wrap(Box::new(move |key: &u64| {
        counter.count();
        format!("value of {key}")
    }));
    (memo, computed)
}

#[test]
fn child_that_asks_for_everything() {
    let Some(task) = Task::given() else { return };
    let (memo, computed) = memo(bcache("name").dir(&task.dir));
    let found = (0..100_u64).filter(|key| memo.peek(key).unwrap().is_some()).count();
    (0..100).for_each(|key| assert_eq!(memo.call(&key), format!("value of {key}")));
    task.say(found);
    task.say(computed.get());
}

/// What a new process finds, and what it computes.
fn in_another_process(dir: &Path) -> (usize, usize) {
    let said = Child::start("child_that_asks_for_everything", dir).finish();
    let [found, computed] = &*said else { panic!("{said:?}") };
    (found.parse().unwrap(), computed.parse().unwrap())
}

#[test]
fn another_process_finds_what_was_stored_and_not_what_was_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let fill = |keys: std::ops::Range<u64>| {
        let (memo, _) = memo(bcache("name").dir(dir.path()));
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
fn caches_that_differ_in_anything_do_not_see_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let cache = |name: &str| bcache(name).dir(dir.path());
    let texts = [cache("a"), cache("b"), cache("a").version(1), cache("a").version("1"), cache("a").version((1, 1))];
    for round in 0..2 {
        for (n, builder) in texts.iter().cloned().enumerate() {
            let store = builder.open::<String>().unwrap();
            assert_eq!(store.get("key").unwrap(), (round > 0).then(|| n.to_string()));
            store.insert("key", &n.to_string()).unwrap();
            assert_eq!(store.len().unwrap(), 1);
        }
        let numbers = cache("a").open::<Vec<u8>>().unwrap();
        assert_eq!(numbers.get("key").unwrap(), (round > 0).then(|| vec![1]));
        numbers.insert("key", &vec![1]).unwrap();
        #[cfg(feature = "serde")]
        {
            let packed = cache("a").serde().open::<String>().unwrap();
            assert_eq!(packed.get("key").unwrap().as_deref(), (round > 0).then_some("packed"));
            packed.insert("key", &"packed".to_owned()).unwrap();
        }
    }
    cache("a").open::<String>().unwrap().clear().unwrap();
    assert_eq!(cache("b").open::<String>().unwrap().get("key").unwrap().as_deref(), Some("1"));
}

#[test]
fn any_name_is_a_name() {
    let dir = tempfile::tempdir().unwrap();
    let cache = dir.path().join("cache");
    let long = "long".repeat(2500);
    let names = ["", ".", "..", "/", "a/b", "../../etc/passwd", "a\0b", "ключ 鍵 🔑", "con", " ", &long];
    for round in 0..2 {
        for (n, name) in names.iter().enumerate() {
            let store = bcache(*name).dir(&cache).open::<usize>().unwrap();
            assert_eq!(store.get(&()).unwrap(), (round > 0).then_some(n), "{name:.20}");
            store.insert(&(), &n).unwrap();
        }
    }
    let listed = |dir: &Path| {
        let mut names: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    assert_eq!(listed(dir.path()), ["cache"]);
    assert_eq!(listed(&cache), [".gitignore", "CACHEDIR.TAG", "bcache", "bcache.lock"]);
}

#[test]
fn a_ttl_goes_on_while_nobody_runs() {
    let dir = tempfile::tempdir().unwrap();
    let hand = ManualClock::new();
    let open = || bcache("name").dir(dir.path()).ttl(Duration::from_secs(60)).clock(hand.clock()).open::<u8>().unwrap();
    open().insert("key", &1).unwrap();
    hand.advance(Duration::from_millis(59_999));
    assert_eq!(open().get("key").unwrap(), Some(1));
    hand.advance(Duration::from_millis(1));
    assert_eq!(open().get("key").unwrap(), None);
    open().insert("key", &2).unwrap();
    // Who asks without a TTL asks for what is there, and that expires all the same.
    let forever = || bcache("name").dir(dir.path()).clock(hand.clock()).open::<u8>().unwrap();
    assert_eq!(forever().get("key").unwrap(), Some(2));
    hand.advance(Duration::from_secs(60));
    assert_eq!(forever().get("key").unwrap(), None);
}

#[cfg(unix)]
#[test]
fn a_new_directory_is_private_and_marked_and_somebody_elses_stays_as_it_is() {
    use std::os::unix::fs::PermissionsExt;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let dir = tempfile::tempdir().unwrap();
    let [new, foreign] = ["a/b/new", "foreign"].map(|name| dir.path().join(name));
    fs::create_dir(&foreign).unwrap();
    fs::set_permissions(&foreign, fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(foreign.join("theirs"), "").unwrap();
    for cache in [&new, &foreign] {
        bcache("name").dir(cache).open::<u8>().unwrap().insert("key", &1).unwrap();
        assert_eq!(mode(&cache.join("bcache")), 0o700);
        // Where the directory around it is marked, one mark is enough.
        assert_eq!(cache.join("bcache/CACHEDIR.TAG").exists(), *cache == foreign);
    }
    assert_eq!(mode(&new), 0o700);
    assert!(
        fs::read_to_string(new.join("CACHEDIR.TAG"))
            .unwrap()
            .starts_with("Signature: 8a477f597d28d172789f06886806bc55")
    );
    assert_eq!(fs::read_to_string(new.join(".gitignore")).unwrap(), "*\n");
    assert_eq!(mode(&foreign), 0o755);
    assert!(!foreign.join("CACHEDIR.TAG").exists() && !foreign.join(".gitignore").exists());
}

#[test]
fn child_without_a_directory() {
    let Some(task) = Task::given() else { return };
    let store = bcache("name").open::<u8>().unwrap();
    store.insert("key", &1).unwrap();
    task.say(store.path().display());
}

#[test]
fn the_environment_says_where_caches_go_by_default() {
    let dir = tempfile::tempdir().unwrap();
    let cache = dir.path().join("from the environment");
    let child = Child::start_with("child_without_a_directory", dir.path(), |binary| {
        let mut command = Command::new(binary);
        command.env("TWAT_CACHE_DIR", &cache);
        command
    });
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
fn a_database_can_be_opened_while_its_last_user_lets_go_of_it() {
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
    assert_eq!(record_logs().warnings(&dir.path().display().to_string()), [""; 0]);
}

/// Between its fork and its own program, a child has all that was open in its parent, locks too.
#[cfg(unix)]
#[test]
fn processes_that_are_just_being_started_do_not_keep_a_database_locked() {
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
fn open_is_strict_and_wrap_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let error = bcache("name").dir(&file).open::<u8>().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert_eq!(error.path(), Some(&*file.canonicalize().unwrap()));
    let (memo, _) = memo(bcache("name").dir(&file));
    assert_eq!(memo.call(&1), "value of 1");
}
