//! Whatever a file of the database is damaged by: the values are right, the log has one warning, and the cache heals.

mod common;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use common::files::{Content, Files, Random};
use common::volatile_dir;
use twat_cache_core::testing::{Counter, record_logs, within};
use twat_cache_disk::{DiskFallback, Memo, bcache};

const KEYS: u64 = 24;

fn value(key: u64) -> Vec<u64> {
    (0..key * 8).map(|n| n * key).collect()
}

type Numbers = Memo<DiskFallback<Vec<u64>>, Box<dyn Fn(&u64) -> Vec<u64> + Send + Sync>>;

fn memo(dir: &Path) -> (Numbers, Arc<Counter>) {
    let computed = Arc::new(Counter::new());
    let counter = computed.clone();
    let memo: Numbers = bcache("numbers").dir(dir).wrap(Box::new(move |key: &u64| {
        counter.count();
        value(*key)
    }));
    (memo, computed)
}

/// A database with something of everything: tables of two levels, and a journal.
fn whole() -> Files {
    let dir = tempfile::tempdir().unwrap();
    let (memo, _) = memo(dir.path());
    for part in 0..3 {
        (part * KEYS / 3..(part + 1) * KEYS / 3).for_each(|key| drop(memo.call(&key)));
        let keyspace = memo.store().keyspace().unwrap();
        if part < 2 {
            keyspace.rotate_memtable_and_wait().unwrap();
        }
        if part == 0 {
            keyspace.major_compact().unwrap();
        }
    }
    drop(memo);
    Files::read(dir.path())
}

/// Asks for everything twice; gives how many were computed, and what was warned of.
fn round(dir: &Path) -> (usize, Vec<String>) {
    let ours = dir.display().to_string();
    let before = record_logs().warnings(&ours).len();
    let (memo, computed) = memo(dir);
    for _ in 0..2 {
        for key in 0..KEYS {
            assert_eq!(memo.call(&key), value(key), "a wrong value for {key}");
        }
    }
    drop(memo);
    (computed.get(), record_logs().warnings(&ours).split_off(before))
}

/// One test: a database, damaged over and over.
struct Damage {
    files: Files,
    failures: Vec<String>,
}

impl Damage {
    fn new() -> Self {
        Self { files: whole(), failures: Vec::new() }
    }

    /// Damages the database, uses it, and uses it again.
    fn survives(&mut self, what: impl std::fmt::Display, damage: impl FnOnce(&Path)) {
        let dir = volatile_dir();
        self.files.write(dir.path());
        damage(dir.path());
        let tried = move || {
            let (computed, warnings) = round(dir.path());
            assert!(computed <= usize::try_from(KEYS).unwrap(), "{computed} computed");
            assert!(warnings.len() <= 1, "more than one warning: {warnings:#?}");
            let (computed, warnings) = round(dir.path());
            assert!(computed == 0 && warnings.is_empty(), "not healed: {computed} computed, {warnings:#?}");
        };
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| within(Duration::from_secs(20), tried))) {
            let message = panic.downcast_ref::<String>().cloned();
            self.failures.push(format!("{what}: {}", message.unwrap_or_default()));
        }
    }

    fn each(&mut self, mut damage: impl FnMut(&mut Self, &Path, &Content)) {
        for (path, content) in self.files.0.clone() {
            damage(self, &path, &content);
        }
        assert!(self.failures.is_empty(), "{} cases:\n{}", self.failures.len(), self.failures.join("\n"));
    }
}

/// All places of a short file, some of a long one.
fn places(len: usize, random: &mut Random) -> Vec<usize> {
    // A soak run takes as many as it is told to.
    let some = std::env::var("TWAT_CACHE_TEST_PLACES").map_or(10, |some| some.parse().unwrap());
    if len <= some.max(32) { (0..len).collect() } else { (0..some).map(|_| random.below(len)).collect() }
}

#[test]
fn a_file_that_is_gone_does_no_harm() {
    Damage::new().each(|test, path, _| {
        test.survives(format_args!("{} removed", path.display()), |root| fs::remove_file(root.join(path)).unwrap());
    });
}

#[test]
fn a_file_that_is_a_directory_does_no_harm() {
    Damage::new().each(|test, path, _| {
        test.survives(format_args!("{} made a directory", path.display()), |root| {
            fs::remove_file(root.join(path)).unwrap();
            fs::create_dir(root.join(path)).unwrap();
        });
    });
}

#[test]
fn a_file_that_is_cut_short_does_no_harm() {
    let mut random = Random(1);
    Damage::new().each(|test, path, content| {
        let mut lengths = places(content.len(), &mut random);
        lengths.extend([0, content.len().saturating_sub(1)]);
        for len in lengths {
            test.survives(format_args!("{} cut to {len} bytes", path.display()), |root| {
                content.truncated(len).write(&root.join(path));
            });
        }
    });
}

#[test]
fn a_flipped_byte_does_no_harm() {
    let mut random = Random(2);
    Damage::new().each(|test, path, content| {
        for at in places(content.len(), &mut random) {
            let bits = u8::try_from(random.below(255)).unwrap() + 1;
            test.survives(format_args!("{} flipped by {bits:#x} at {at}", path.display()), |root| {
                content.flipped(at, bits).write(&root.join(path));
            });
        }
    });
}

/// Byte by byte: the engine asserts what is in it, under a lock that its own `Drop` needs.
#[test]
fn a_flipped_byte_in_the_list_of_tables_does_no_harm() {
    let mut test = Damage::new();
    let keyspace = Path::new("bcache/keyspaces/1");
    let current = &test.files.0[&keyspace.join("current")].bytes;
    let list = keyspace.join(format!("v{}", u64::from_le_bytes(*current.first_chunk().unwrap())));
    let content = test.files.0[&list].clone();
    for at in 0..content.bytes.len() {
        test.survives(format_args!("{} flipped at {at}", list.display()), |root| {
            content.flipped(at, 1 << (at % 8)).write(&root.join(&list));
        });
    }
    test.each(|_, _, _| ());
}

#[test]
fn garbage_in_place_of_a_file_does_no_harm() {
    let mut random = Random(3);
    Damage::new().each(|test, path, content| {
        let [as_long, longer] = [content.len(), content.len() + 5000];
        for len in [as_long, longer] {
            let garbage = (0..len).map(|_| random.next().to_le_bytes()[0]).collect();
            test.survives(format_args!("{} replaced by {len} bytes of garbage", path.display()), |root| {
                Content::new(garbage).write(&root.join(path));
            });
        }
    });
}

#[test]
fn another_file_in_place_of_a_file_does_no_harm() {
    let mut random = Random(4);
    Damage::new().each(|test, path, _| {
        let others = test.files.paths();
        for _ in 0..2 {
            let other = &others[random.below(others.len())];
            let content = test.files.0[other].clone();
            test.survives(format_args!("{} replaced by {}", path.display(), other.display()), |root| {
                content.write(&root.join(path));
            });
        }
    });
}

#[test]
fn strangers_among_the_files_do_no_harm() {
    let mut test = Damage::new();
    let dirs = ["bcache", "bcache/keyspaces", "bcache/keyspaces/1", "bcache/keyspaces/1/tables"];
    for (dir, name) in
        dirs.iter().flat_map(|dir| ["stranger", "99", "99.jnl", "v99", ".hidden"].map(|name| (dir, name)))
    {
        let path = Path::new(dir).join(name);
        test.survives(format_args!("a file {}", path.display()), |root| fs::write(root.join(&path), "x").unwrap());
        test.survives(format_args!("a directory {}", path.display()), |root| fs::create_dir(root.join(&path)).unwrap());
    }
    test.each(|_, _, _| ());
}

/// A block that cannot be read cannot be compacted either, and the engine gives up when it tries.
#[test]
fn a_damaged_table_is_got_rid_of() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    whole().write(dir);
    let table = Path::new("bcache/keyspaces/1/tables/2");
    let content = Files::read(dir).0[table].clone();
    content.flipped(content.len() / 2, 1).write(&dir.join(table));
    for _ in 0..3 {
        let (memo, _) = memo(dir);
        for batch in 0..6 {
            (0..KEYS).for_each(|key| assert_eq!(memo.call(&key), value(key)));
            // Enough tables for the engine to compact them; whether it can is another matter.
            let _ = memo.store().keyspace().map(|keyspace| keyspace.rotate_memtable());
            (0..KEYS).filter(|key| key % 6 == batch).for_each(|key| assert_eq!(memo.refresh(&key), value(key)));
        }
    }
    let (computed, warnings) = round(dir);
    assert!(warnings.is_empty(), "{computed} computed, {warnings:#?}");
    let (memo, _) = memo(dir);
    assert_eq!(memo.len().unwrap() as u64, KEYS);
    memo.store().keyspace().unwrap().major_compact().unwrap();
}
