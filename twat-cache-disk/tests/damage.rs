//! Damage to any file of the database: the values are right, there is one warning at most, and the cache heals.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::{Numbers, memo_of};
use twat_cache_core::testing::damage::{Damage, Use, cuts, exchanged, flipped, flips, garbage, inflict, removed};
use twat_cache_core::testing::files::{Content, Files};
use twat_cache_core::testing::{Counter, Random, soak, warnings_from_now};

const KEYS: u64 = 24;

fn value(key: u64) -> Vec<u64> {
    (0..key * 8).map(|n| n * key).collect()
}

fn memo(dir: &Path) -> (Numbers, Arc<Counter>) {
    memo_of(dir, value)
}

/// A database that was closed, with something of everything: tables of two levels, and a journal.
fn whole() -> Files {
    let dir = tempfile::tempdir().unwrap();
    call(dir.path(), 0, true);
    call(dir.path(), 1, false);
    // What is stored from here on stays in the journal, which is short now.
    call(dir.path(), 2, false);
    assert!(journal(dir.path()) > 0);
    Files::read(dir.path())
}

/// Calls a third of the keys, and closes the database.
fn call(dir: &Path, part: u64, is_compacted: bool) {
    let (memo, _) = memo(dir);
    (part * KEYS / 3..(part + 1) * KEYS / 3).for_each(|key| drop(memo.call(&key)));
    if part < 2 {
        let keyspace = memo.store().keyspace().unwrap();
        keyspace.rotate_memtable_and_wait().unwrap();
        if is_compacted {
            keyspace.major_compact().unwrap();
        }
    }
}

/// How long the newest journal is.
fn journal(dir: &Path) -> u64 {
    fs::metadata(common::journals(dir).iter().max().unwrap()).unwrap().len()
}

/// A database of which all is in tables, with the journal cut to nothing.
fn in_tables() -> Files {
    let dir = tempfile::tempdir().unwrap();
    let (memo, _) = memo(dir.path());
    (0..KEYS).for_each(|key| drop(memo.call(&key)));
    drop(memo);
    assert_eq!(journal(dir.path()), 0);
    Files::read(dir.path())
}

/// Calls every key twice.
fn use_all(dir: &Path) -> Use {
    let warnings = warnings_from_now(dir);
    let (memo, computed) = memo(dir);
    for key in (0..KEYS).chain(0..KEYS) {
        assert_eq!(memo.call(&key), value(key), "a wrong value for {key}");
    }
    drop(memo);
    Use { computed: computed.get(), warnings: warnings() }
}

fn damage() -> Damage {
    Damage::begin(whole(), KEYS, use_all)
}

/// All positions of a short file, and some of a long one.
fn places(content: &Content, random: &mut Random) -> Vec<usize> {
    let some = usize::try_from(soak("TWAT_CACHE_TEST_PLACES", 10)).unwrap();
    let len = content.len();
    if len <= some.max(32) { (0..len).collect() } else { (0..some).map(|_| random.index(len)).collect() }
}

#[test]
fn a_removed_file_does_no_harm() {
    damage().each(|_, _, _| vec![removed()]);
}

#[test]
fn damage_beside_a_journal_that_was_cut_does_no_harm() {
    Damage::begin(in_tables(), KEYS, use_all).each(|random, _, content| {
        let places = places(content, random);
        let garbage = [0, 5000].map(|more| garbage(random, content.len() + more));
        [removed()]
            .into_iter()
            .chain(garbage)
            .chain(cuts(content, places.clone()))
            .chain(flips(content, places, random))
            .collect()
    });
}

#[test]
fn a_directory_in_place_of_a_file_does_no_harm() {
    let damage = damage();
    let paths = damage.files.paths();
    damage.each_of(
        &paths,
        &[("made a directory", |path| {
            fs::remove_file(path).unwrap();
            fs::create_dir(path).unwrap();
        })],
    );
}

#[test]
fn a_file_that_is_cut_short_does_no_harm() {
    damage().each(|random, _, content| cuts(content, places(content, random)));
}

#[test]
fn a_flipped_byte_does_no_harm() {
    damage().each(|random, _, content| flips(content, places(content, random), random));
}

/// Damages every byte: the engine checks this file by assertions, under a lock that its own `Drop` needs.
#[test]
fn a_flipped_byte_in_the_list_of_tables_does_no_harm() {
    let keyspace = Path::new("bcache/keyspaces/1");
    let damage = damage();
    let current = &damage.files.0[&keyspace.join("current")].bytes;
    let list = keyspace.join(format!("v{}", u64::from_le_bytes(*current.first_chunk().unwrap())));
    damage.each(|_, path, content| {
        let places = if path == list { 0..content.bytes.len() } else { 0..0 };
        places.map(|at| flipped(content, at, 1 << (at % 8))).collect()
    });
}

#[test]
fn garbage_in_place_of_a_file_does_no_harm() {
    damage().each(|random, _, content| [0, 5000].map(|more| garbage(random, content.len() + more)).into());
}

#[test]
fn another_file_in_place_of_a_file_does_no_harm() {
    let damage = damage();
    let (files, paths) = (damage.files.clone(), damage.files.paths());
    damage.each(|random, _, _| [(); 2].map(|()| exchanged(&files, random.choose::<PathBuf>(&paths))).into());
}

#[test]
fn unknown_files_and_directories_beside_those_of_the_database_do_no_harm() {
    let dirs = ["bcache", "bcache/keyspaces", "bcache/keyspaces/1", "bcache/keyspaces/1/tables"];
    let names = ["stranger", "99", "99.jnl", "v99", ".hidden"];
    let paths: Vec<_> = dirs.iter().flat_map(|dir| names.map(|name| Path::new(dir).join(name))).collect();
    damage().each_of(
        &paths,
        &[
            ("made as a file", |path| fs::write(path, "x").unwrap()),
            ("made as a directory", |path| fs::create_dir(path).unwrap()),
        ],
    );
}

/// A block that cannot be read cannot be compacted either. When the engine tries, it fails and closes.
#[test]
fn a_damaged_table_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    whole().write(dir);
    let table = Path::new("bcache/keyspaces/1/tables/2");
    let content = Files::read(dir).0[table].clone();
    inflict(&flipped(&content, content.len() / 2, 1), &dir.join(table));
    for _ in 0..3 {
        let (memo, _) = memo(dir);
        for batch in 0..6 {
            (0..KEYS).for_each(|key| assert_eq!(memo.call(&key), value(key)));
            // Enough tables for the engine to compact them; whether it can is another matter.
            let _ = memo.store().keyspace().map(|keyspace| keyspace.rotate_memtable());
            (0..KEYS).filter(|key| key % 6 == batch).for_each(|key| assert_eq!(memo.refresh(&key), value(key)));
        }
    }
    let Use { computed, warnings } = use_all(dir);
    assert!(warnings.is_empty(), "{computed} computed, {warnings:#?}");
    let (memo, _) = memo(dir);
    assert_eq!(memo.len().unwrap() as u64, KEYS);
    memo.store().keyspace().unwrap().major_compact().unwrap();
}
