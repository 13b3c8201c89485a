//! What one process has stored, the next one finds, and nobody else.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use common::child::{Child, Task};
use common::files::Files;
use common::numbers::{call_all, memo, memo_of, value, warnings};
use twat_cache_file::{ErrorKind, FileStore, KeyedStore as _, ManualClock, Store as _, fcache};

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

/// What a new process finds, and what it computes. Of the values, five are large.
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
    // And what was not forgotten by who was not first to ask.
    assert_eq!(in_another_process(dir.path()), [40, 0, 5, 0]);
}

#[test]
fn caches_that_differ_in_anything_do_not_see_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let cache = |name: &str| fcache(name).dir(dir.path());
    let texts = [cache("a"), cache("b"), cache("a").version(1), cache("a").version("1"), cache("a").version((1, 1))];
    for round in 0..2 {
        for (n, builder) in texts.iter().cloned().enumerate() {
            let store = builder.open::<String>().unwrap();
            assert_eq!(store.get("key").unwrap(), (round > 0).then(|| n.to_string()));
            store.insert("key", &n.to_string()).unwrap();
            assert_eq!(store.len().unwrap(), 1);
        }
        // All three are the same bytes to rkyv.
        let (bytes, signed, wrapped) = (1, 2, 3);
        let store = cache("a").open::<Vec<u8>>().unwrap();
        assert_eq!(store.get("key").unwrap(), (round > 0).then(|| vec![bytes]));
        store.insert("key", &vec![bytes]).unwrap();
        let store = cache("a").open::<Vec<i8>>().unwrap();
        assert_eq!(store.get("key").unwrap(), (round > 0).then(|| vec![signed]));
        store.insert("key", &vec![signed]).unwrap();
        let store = cache("a").open::<(Vec<u8>,)>().unwrap();
        assert_eq!(store.get("key").unwrap(), (round > 0).then(|| (vec![wrapped],)));
        store.insert("key", &(vec![wrapped],)).unwrap();
    }
    cache("a").open::<String>().unwrap().clear().unwrap();
    assert_eq!(cache("b").open::<String>().unwrap().get("key").unwrap().as_deref(), Some("1"));
    assert_eq!(cache("a").version(1).open::<String>().unwrap().get("key").unwrap().as_deref(), Some("2"));
    assert_eq!(cache("a").open::<Vec<u8>>().unwrap().len().unwrap(), 1);
}

fn listed(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap().map(Result::unwrap);
    let mut names: Vec<_> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn any_name_is_a_name() {
    let dir = tempfile::tempdir().unwrap();
    let cache = dir.path().join("cache");
    let [long, longer] = ["long".repeat(2500), "long".repeat(2500) + "er"];
    let awkward =
        ["", ".", "..", "/", "a/b", "a_b", "a b", "../../etc/passwd", "a\0b", "ключ 鍵 🔑", "con", " ", "A_B"];
    let ours = ["meta", "tmp", "lock", "CACHEDIR.TAG", ".gitignore", "numbers", &long, &longer];
    let names: Vec<&str> = awkward.into_iter().chain(ours).collect();
    let mut paths = BTreeSet::new();
    for round in 0..2 {
        for (n, name) in names.iter().enumerate() {
            let store = fcache(*name).dir(&cache).open::<usize>().unwrap();
            assert_eq!(store.get(&()).unwrap(), (round > 0).then_some(n), "{name:.20}");
            store.insert(&(), &n).unwrap();
            assert_eq!(store.path().parent(), Some(&*cache));
            paths.insert(store.path().to_owned());
        }
    }
    assert_eq!(paths.len(), names.len());
    assert_eq!(listed(dir.path()), ["cache"]);
    // Each is a name on any file system, even one that cannot tell capitals from small letters.
    let mut listed: Vec<_> = listed(&cache).iter().map(|name| name.to_ascii_lowercase()).collect();
    listed.dedup();
    assert_eq!(listed.len(), names.len() + 2, "{listed:#?}");
    assert!(listed.iter().all(|name| name.len() < 100 && name.is_ascii()), "{listed:#?}");
}

#[test]
fn a_ttl_goes_on_while_nobody_runs() {
    let dir = tempfile::tempdir().unwrap();
    let hand = ManualClock::new();
    let forever = || fcache("name").dir(dir.path()).clock(hand.clock());
    let with_ttl = |seconds| forever().ttl(Duration::from_secs(seconds)).open::<u8>().unwrap();
    with_ttl(60).insert("key", &1).unwrap();
    hand.advance(Duration::from_millis(59_999));
    assert_eq!(with_ttl(60).get("key").unwrap(), Some(1));
    hand.advance(Duration::from_millis(1));
    assert_eq!(with_ttl(60).get("key").unwrap(), None);
    // Storing restarts it, in a later run as well.
    with_ttl(60).insert("key", &2).unwrap();
    hand.advance(Duration::from_secs(30));
    with_ttl(60).insert("key", &3).unwrap();
    hand.advance(Duration::from_secs(59));
    assert_eq!(with_ttl(60).get("key").unwrap(), Some(3));
    // Who asks without a TTL asks for what is there, and that expires all the same.
    assert_eq!(forever().open::<u8>().unwrap().get("key").unwrap(), Some(3));
    hand.advance(Duration::from_secs(1));
    assert_eq!(forever().open::<u8>().unwrap().get("key").unwrap(), None);
}

#[test]
fn a_shorter_ttl_applies_to_what_is_there() {
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

/// The files of entries.
fn entries(store: &FileStore<impl twat_cache_file::persist::RkyvValue>) -> Vec<PathBuf> {
    let mut paths = Files::read(store.path()).paths();
    paths.retain(|path| path.file_name().unwrap().len() == 48);
    paths
}

#[test]
fn what_has_expired_leaves_the_disk_whoever_stored_it() {
    let dir = common::volatile_dir();
    let hand = ManualClock::new();
    let ttl = Duration::from_secs(60);
    let open = || fcache("name").dir(dir.path()).ttl(ttl).clock(hand.clock()).open::<u64>().unwrap();
    let store = open();
    (0..300_u64).for_each(|key| store.insert(&key, &key).unwrap());
    assert_eq!(entries(&store).len(), 300);
    // By who stored it: some with each that is stored.
    hand.advance(ttl);
    (1000..1100_u64).for_each(|key| store.insert(&key, &key).unwrap());
    assert_eq!(entries(&store).len(), 100);
    assert_eq!(store.len().unwrap(), 100);
    drop(store);
    // By the next run: it takes some more, for it has to find them.
    hand.advance(ttl);
    let store = open();
    (2000..2700_u64).for_each(|key| store.insert(&key, &key).unwrap());
    assert_eq!(entries(&store).len(), 700);
    // At once, if it is asked for.
    hand.advance(ttl);
    assert_eq!(store.get(&2000_u64).unwrap(), None);
    assert_eq!(entries(&store).len(), 699);
}

#[test]
fn before_the_first_call_nothing_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let cache = dir.path().join("cache");
    let (memo, computed) = memo_of(fcache("numbers").dir(&cache));
    assert!(!cache.exists());
    assert_eq!(memo.call(&1), value(1));
    assert!(memo.store().path().is_dir());
    assert_eq!(computed.get(), 1);
}

#[test]
fn child_without_a_directory() {
    let Some(task) = Task::given() else { return };
    let memo = fcache("name").wrap(|n: &u8| *n);
    // The program goes elsewhere before it first calls.
    std::env::set_current_dir("/").unwrap();
    memo.call(&1);
    task.say(memo.store().path().parent().unwrap().display());
}

#[test]
fn the_environment_says_where_caches_go_by_default() {
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
fn a_new_directory_is_private_and_marked_and_somebody_elses_stays_as_it_is() {
    use std::os::unix::fs::PermissionsExt;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let dir = tempfile::tempdir().unwrap();
    let [new, foreign] = ["a/b/new", "foreign"].map(|name| dir.path().join(name));
    fs::create_dir(&foreign).unwrap();
    fs::set_permissions(&foreign, fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(foreign.join("theirs"), "").unwrap();
    for cache in [&new, &foreign] {
        // Whatever is granted to files by default.
        Child::start_with("child_that_asks_for_everything", cache, |binary| {
            let mut shell = Command::new("sh");
            shell.arg("-c").arg("umask 0; exec \"$0\" \"$@\"").arg(binary);
            shell
        })
        .finish();
        let store = fcache("numbers").dir(cache).open::<Vec<u64>>().unwrap();
        let [path, entry] = [store.path().to_owned(), store.path_of(&8_u64).unwrap()];
        assert_eq!(mode(&entry), 0o400);
        assert_eq!(mode(&path.join("meta")), 0o600);
        for dir in [&*path, entry.parent().unwrap(), &path.join("tmp"), &path.join("lock")] {
            assert_eq!(mode(dir), 0o700, "{}", dir.display());
        }
        // Where the directory around it is marked, one mark is enough.
        assert_eq!(path.join("CACHEDIR.TAG").exists(), *cache == foreign);
    }
    assert_eq!([&*new, new.parent().unwrap()].map(mode), [0o700; 2]);
    let tag = fs::read_to_string(new.join("CACHEDIR.TAG")).unwrap();
    assert!(tag.starts_with("Signature: 8a477f597d28d172789f06886806bc55"));
    assert_eq!(fs::read_to_string(new.join(".gitignore")).unwrap(), "*\n");
    assert_eq!(mode(&foreign), 0o755);
    assert_eq!(listed(&foreign).len(), 2, "{:?}", listed(&foreign));
}

#[test]
fn open_is_strict_and_wrap_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let error = fcache("numbers").dir(&file).open::<u8>().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert_eq!(error.path(), Some(&*file));
    let (memo, _) = memo(&file);
    call_all(&memo, 0..10);
}
