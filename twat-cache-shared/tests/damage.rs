//! Damage to any file of the cache: the values are right, there is one warning at most, and the cache heals.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::numbers::{FILES, Numbers, memo_of, numbered};
use twat_cache_core::testing::child::{Child, Task};
use twat_cache_core::testing::damage::{
    Damage, Deed, Failures, Use, cuts, exchanged, flipped, flips, garbage, inflict, removed,
};
use twat_cache_core::testing::files::{Content, Files};
use twat_cache_core::testing::{PATIENCE, Random, soak, volatile_dir, warnings_from_now, within};
use twat_cache_shared::rusqlite::Connection;
use twat_cache_shared::{KeyedStore as _, scache};

const KEYS: u64 = 24;

fn value(key: u64) -> Vec<u64> {
    (0..key * 8).map(|n| n * key).collect()
}

fn memo(dir: &Path) -> (Numbers, std::sync::Arc<twat_cache_core::testing::Counter>) {
    memo_of(scache("numbers").dir(dir), value)
}

/// Stores all keys, and forgets some that were stored before.
fn fill(dir: &Path) -> Numbers {
    let (memo, _) = memo(dir);
    (0..KEYS + 8).for_each(|key| drop(memo.call(&key)));
    (KEYS..KEYS + 8).for_each(|key| assert!(memo.forget(&key).unwrap()));
    memo
}

#[test]
fn child_that_is_killed() {
    let Some(mut task) = Task::given() else { return };
    let _memo = fill(&task.dir);
    task.say("stored");
    task.order();
}

/// The files of a cache that was closed.
fn closed() -> Files {
    let dir = volatile_dir();
    drop(fill(dir.path()));
    Files::read(dir.path())
}

/// The files of a cache whose process was killed: with a log, and the index of the log.
fn killed() -> Files {
    let dir = volatile_dir();
    drop(memo(dir.path()).0.call(&0));
    let mut child = Child::start("child_that_is_killed", dir.path());
    child.hear();
    child.kill();
    let files = Files::read(dir.path());
    assert!(files.0.contains_key(&Path::new("scache/1").join(FILES[2])));
    files
}

/// Calls every key twice.
fn use_all(dir: &Path) -> Use {
    let warnings = warnings_from_now(dir);
    let (memo, computed) = memo(dir);
    call_all(&memo);
    let computed = computed.get();
    // Whether something can be stored.
    let stored = memo.store().primary().insert(&1000, &vec![1]).err();
    drop(memo);
    Use { computed, warnings: warnings().into_iter().chain(stored.map(|error| error.chain().to_string())).collect() }
}

fn call_all(memo: &Numbers) {
    for key in (0..KEYS).chain(0..KEYS) {
        assert_eq!(memo.call(&key), value(key), "a wrong value for {key}");
    }
}

/// Does it to a cache that was closed, to one whose process was killed, and to one that a process has open.
fn each(deeds: impl Fn(&Files, &mut Random, &Path, &Content) -> Vec<Deed>) {
    for files in [closed(), killed()] {
        let all = files.clone();
        Damage::begin(files, KEYS, use_all).each(|random, path, content| deeds(&all, random, path, content));
    }
    let (files, mut failures, mut random) = (killed(), Failures::default(), Random(1));
    for (path, content) in &files.0 {
        // The system ends a process that has memory of a file that is cut short.
        for deed in deeds(&files, &mut random, path, content) {
            if path.ends_with(FILES[2]) && deed.1.is_some() {
                continue;
            }
            let dir = volatile_dir();
            files.write(dir.path());
            let path = path.clone();
            failures.note(format!("while it is open, {} {}", path.display(), deed.0), || {
                within(PATIENCE, move || in_use(dir.path(), || inflict(&deed, &dir.path().join(&path))));
            });
        }
    }
    failures.end();
}

/// Does it while a memo has the cache open.
fn in_use(dir: &Path, deed: impl FnOnce()) {
    let warnings = warnings_from_now(dir);
    let (memo, computed) = memo(dir);
    call_all(&memo);
    deed();
    call_all(&memo);
    // Long enough for a look at the files.
    std::thread::sleep(std::time::Duration::from_millis(11));
    call_all(&memo);
    assert!(computed.get() as u64 <= KEYS, "{} computed", computed.get());
    let _ = memo.forget(&3);
    call_all(&memo);
    assert!(warnings().len() <= 1, "more than one warning: {:#?}", warnings());
    drop(memo);
    use_all(dir);
    assert!(warnings().len() <= 1, "more than one warning: {:#?}", warnings());
    let Use { computed, warnings } = use_all(dir);
    assert!(computed == 0 && warnings.is_empty(), "not healed: {computed} computed, {warnings:#?}");
}

/// All positions of a short file, and some of a long one.
fn places(content: &Content, random: &mut Random) -> Vec<usize> {
    let some = usize::try_from(soak("TWAT_CACHE_TEST_PLACES", 8)).unwrap();
    let len = content.len();
    if len <= some.max(32) { (0..len).collect() } else { (0..some).map(|_| random.index(len)).collect() }
}

#[test]
fn a_removed_file_does_no_harm() {
    each(|_, _, _, _| vec![removed()]);
}

#[test]
fn any_two_removed_files_do_no_harm() {
    for files in [closed(), killed()] {
        let mut damage = Damage::begin(files, KEYS, use_all);
        let paths = damage.files.paths();
        for (n, one) in paths.iter().enumerate() {
            for other in &paths[n + 1..] {
                damage.survives(format_args!("{} and {} removed", one.display(), other.display()), |root| {
                    for path in [one, other] {
                        fs::remove_file(root.join(path)).unwrap();
                    }
                });
            }
        }
        damage.each(|_, _, _| Vec::new());
    }
}

#[test]
fn a_file_that_is_cut_short_does_no_harm() {
    each(|_, random, _, content| cuts(content, places(content, random)));
}

#[test]
fn a_flipped_byte_does_no_harm() {
    each(|_, random, _, content| flips(content, places(content, random), random));
}

/// SQLite has no checksums there. A long run takes all bytes.
#[test]
fn a_flipped_byte_in_the_head_of_a_file_does_no_harm() {
    each(|_, random, path, content| {
        let len = if path.ends_with(FILES[0]) { 100 } else { 64 };
        let head = if path.starts_with("scache") { 0..content.len().min(len) } else { 0..0 };
        let step = if std::env::var_os("TWAT_CACHE_TEST_PLACES").is_some() { 1 } else { 4 };
        head.skip(random.index(step))
            .step_by(step)
            .map(|at| flipped(content, at, u8::try_from(random.below(255)).unwrap() + 1))
            .collect()
    });
}

#[test]
fn garbage_in_place_of_a_file_does_no_harm() {
    each(|_, random, _, content| [0, 5000].map(|more| garbage(random, content.len() + more)).into());
}

#[test]
fn another_file_in_place_of_a_file_does_no_harm() {
    each(|files, random, _, _| [(); 3].map(|()| exchanged(files, random.choose::<PathBuf>(&files.paths()))).into());
}

/// A database in which these statements were executed.
fn database(statements: &str) -> Content {
    let dir = volatile_dir();
    let path = dir.path().join("database");
    Connection::open(&path).unwrap().execute_batch(statements).unwrap();
    Content::new(fs::read(path).unwrap())
}

#[test]
fn a_database_of_another_program_or_version_does_no_harm() {
    let strangers = [
        "CREATE TABLE entry (id INTEGER PRIMARY KEY, value BLOB)",
        "PRAGMA user_version = 1",
        "PRAGMA application_id = 0x74776174; PRAGMA user_version = 7; CREATE TABLE entry (id INTEGER PRIMARY KEY)",
        "PRAGMA application_id = 0x74776174; PRAGMA user_version = 1",
        "PRAGMA application_id = 0x74776174; PRAGMA user_version = 1; CREATE TABLE state (changes); CREATE TABLE entry (h)",
    ];
    each(|_, _, path, _| {
        let deeds = strangers.map(|statements| (statements.to_owned(), Some(database(statements))));
        if path.ends_with(FILES[0]) { deeds.into() } else { Vec::new() }
    });
}

#[test]
fn whatever_is_changed_by_sql_does_no_harm() {
    let mut failures = Failures::default();
    for statements in [
        "DROP TABLE entry",
        "DROP TABLE state",
        "DELETE FROM state",
        "DELETE FROM name",
        "DELETE FROM space",
        "DELETE FROM entry",
        "UPDATE space SET name = 77",
        "UPDATE space SET cleared = 9e18",
        "UPDATE name SET bytes = 'many', hand = x'00'",
        "UPDATE name SET bytes = 9223372036854775807, hand = 9223372036854775807, last = 9223372036854775807",
        "UPDATE name SET bytes = -9223372036854775807, hand = -1, last = -1",
        "UPDATE state SET changes = 9223372036854775807",
        "UPDATE state SET changes = 'many'",
        "UPDATE entry SET value = 7",
        "UPDATE entry SET value = 'text', sum = NULL WHERE FALSE; UPDATE entry SET digest = 'text'",
        "UPDATE entry SET sum = sum + 1",
        "UPDATE entry SET used = 'often', began = x'07', deadline = 'never'",
        "UPDATE entry SET began = 9223372036854775807",
        "UPDATE entry SET used = 9223372036854775807",
        "UPDATE entry SET deadline = 1",
        "UPDATE entry SET id = id + 1000000",
        "CREATE TRIGGER no BEFORE INSERT ON entry BEGIN SELECT raise(ABORT, 'no'); END; DELETE FROM entry",
        "ALTER TABLE entry ADD COLUMN more",
        "ALTER TABLE entry RENAME COLUMN used TO unused",
        "CREATE UNIQUE INDEX one ON entry (space)",
        "CREATE INDEX more ON entry (digest)",
        "PRAGMA user_version = 2",
    ] {
        failures.note(statements, || {
            within(PATIENCE, move || {
                let dir = volatile_dir();
                drop(fill(dir.path()));
                in_use(dir.path(), || {
                    // Some of these are not possible in all databases.
                    let _ = Connection::open(numbered(dir.path(), 1).join(FILES[0])).unwrap().execute_batch(statements);
                });
            });
        });
    }
    failures.end();
}

#[test]
fn child_that_forgets_and_is_killed() {
    let Some(mut task) = Task::given() else { return };
    let (memo, _) = memo_of(scache("numbers").dir(&task.dir), value);
    forget_and_refresh(&memo);
    task.say("done");
    task.order();
}

fn old(key: u64) -> Vec<u64> {
    vec![key; 3]
}

fn forget_and_refresh(memo: &Numbers) {
    (0..8).for_each(|key| assert!(memo.forget(&key).unwrap()));
    (8..16).for_each(|key| assert_eq!(memo.refresh(&key), value(key)));
}

/// No old value of a key that was forgotten or refreshed is found, in this run and in the next one.
fn nothing_old_is_found(dir: &Path, case: &str) {
    let warnings = warnings_from_now(dir);
    for _ in 0..2 {
        let (memo, _) = memo(dir);
        for key in 0..16 {
            let found = memo.peek(&key).unwrap();
            assert!(found.as_ref().is_none_or(|found| *found == value(key)), "{case}: {key} is {found:?}");
        }
        for key in 0..24 {
            let found = memo.call(&key);
            assert!(found == value(key) || key >= 16 && found == old(key), "{case}: {key}");
        }
    }
    assert!(warnings().len() <= 1, "{case}: {:#?}", warnings());
}

fn with_old_values(dir: &Path) {
    let (memo, _) = memo_of(scache("numbers").dir(dir), old);
    (0..24).for_each(|key| drop(memo.call(&key)));
}

#[test]
fn what_is_forgotten_does_not_come_back_with_an_older_copy_of_the_database() {
    for is_renamed in [false, true] {
        let dir = volatile_dir();
        with_old_values(dir.path());
        let path = numbered(dir.path(), 1).join(FILES[0]);
        let copy = fs::read(&path).unwrap();
        forget_and_refresh(&memo(dir.path()).0);
        if is_renamed {
            fs::write(dir.path().join("copy"), &copy).unwrap();
            fs::rename(dir.path().join("copy"), &path).unwrap();
        } else {
            fs::write(&path, &copy).unwrap();
        }
        nothing_old_is_found(dir.path(), "an older copy");
    }
}

#[test]
fn what_is_forgotten_does_not_come_back_without_the_log() {
    let dir = volatile_dir();
    with_old_values(dir.path());
    let before = Files::read(dir.path());
    let mut child = Child::start("child_that_forgets_and_is_killed", dir.path());
    child.hear();
    child.kill();
    let files = Files::read(dir.path());
    let [database, log, index] = FILES.map(|name| Path::new("scache/1").join(name));
    let mut failures = Failures::default();
    let mut case = |what: String, damage: &dyn Fn(&Path)| {
        let dir = volatile_dir();
        files.write(dir.path());
        damage(dir.path());
        failures.note(what.clone(), || nothing_old_is_found(dir.path(), &what));
    };
    case("nothing".into(), &|_| ());
    case("no log".into(), &|dir| fs::remove_file(dir.join(&log)).unwrap());
    case("no index".into(), &|dir| fs::remove_file(dir.join(&index)).unwrap());
    case("neither".into(), &|dir| [&log, &index].into_iter().for_each(|path| fs::remove_file(dir.join(path)).unwrap()));
    case("garbage in the index".into(), &|dir| fs::write(dir.join(&index), vec![7; 32768]).unwrap());
    case("no log and no counters".into(), &|dir| {
        fs::remove_file(dir.join(&log)).unwrap();
        fs::remove_file(dir.join("scache/meta-1")).unwrap();
    });
    case("an older database".into(), &|dir| before.0[&database].write(&dir.join(&database)));
    let len = files.0[&log].len();
    for cut in (0..40).map(|part| len * part / 40) {
        case(format!("a log of {cut} bytes"), &|dir| files.0[&log].truncated(cut).write(&dir.join(&log)));
    }
    failures.end();
}

#[test]
fn what_is_forgotten_does_not_come_back_when_files_are_exchanged_while_they_are_open() {
    for (what, names) in [("the database", &FILES[..1]), ("all files", &FILES[..])] {
        let dir = volatile_dir();
        with_old_values(dir.path());
        let (memo, _) = memo(dir.path());
        memo.call(&0);
        let copy = Files::read(&numbered(dir.path(), 1));
        forget_and_refresh(&memo);
        for name in names {
            copy.0[Path::new(name)].write(&dir.path().join("copy"));
            fs::rename(dir.path().join("copy"), numbered(dir.path(), 1).join(name)).unwrap();
        }
        std::thread::sleep(std::time::Duration::from_millis(11));
        for key in 0..16 {
            let found = memo.peek(&key).unwrap();
            assert!(found.as_ref().is_none_or(|found| *found == value(key)), "{what}: {key} is {found:?}");
        }
        drop(memo);
        nothing_old_is_found(dir.path(), what);
    }
}

#[test]
fn of_all_damaged_databases_the_last_one_stays() {
    let dir = volatile_dir();
    for number in 1..5 {
        drop(fill(dir.path()));
        fs::write(numbered(dir.path(), number).join(FILES[0]), format!("damaged {number}")).unwrap();
    }
    drop(fill(dir.path()));
    let there: Vec<_> = (1..7).filter(|number| numbered(dir.path(), *number).exists()).collect();
    assert_eq!(there, [4, 5]);
    assert_eq!(fs::read(numbered(dir.path(), 4).join(FILES[0])).unwrap(), b"damaged 4");
}
