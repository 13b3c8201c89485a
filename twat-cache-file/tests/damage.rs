//! Damage to any file of the cache before it is opened: the values are right, there is one warning at most, and the cache
//! heals.
#![cfg(unix)]

mod common;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use common::is_entry;
use common::varied::{KEYS, memo, use_all};
use twat_cache_core::testing::damage::{Act, Damage, Deed, cuts, exchanged, flips, garbage, removed};
use twat_cache_core::testing::files::{Content, Files};
use twat_cache_core::testing::obstacles::{
    DIRECTORY, EMPTY_DIRECTORY, FILE, LINK_TO_ITSELF, LINK_TO_NOTHING, PIPE, put,
};
use twat_cache_core::testing::{Random, soak, volatile_dir};
use xxhash_rust::xxh3::xxh3_64;

/// A cache with something of everything.
fn damage() -> Damage {
    let dir = volatile_dir();
    let (memo, _) = memo(dir.path());
    for key in 0..KEYS {
        assert_eq!(memo.view(&key).is_mapped(), key.is_multiple_of(15));
    }
    Damage::begin(Files::read(dir.path()), KEYS, use_all)
}

/// The file with a small entry: header, five numbers, and what rkyv adds.
fn small_entry(files: &Files) -> PathBuf {
    files.find(|path| is_entry(path) && files.0[path].file_len() == 64 + 5 * 8 + 8).to_owned()
}

/// The directory of the cache's name.
fn directory(files: &Files) -> PathBuf {
    files.find(|path| path.ends_with("meta")).parent().unwrap().to_owned()
}

/// All positions in a small entry and in the secret and counters of the cache, and some in the other files.
fn places(small_entry: &Path, path: &Path, content: &Content, random: &mut Random) -> Vec<usize> {
    let some = usize::try_from(soak("TWAT_CACHE_TEST_PLACES", 4)).unwrap();
    let len = content.len();
    if path == small_entry || len <= some {
        (0..len).collect()
    } else if path.ends_with("meta") {
        // The many stripes follow.
        (0..64).chain((0..16).map(|_| random.index(len))).collect()
    } else {
        // The header is where most can go wrong, and a small part of a large file.
        (0..=some).map(|nth| random.index(if nth == 0 { len.min(64) } else { len })).collect()
    }
}

#[test]
fn a_removed_file_does_no_harm() {
    damage().each(|_, _, _| vec![removed()]);
}

#[test]
fn something_else_in_place_of_a_file_does_no_harm() {
    let acts: [Act; 6] = [
        ("made an empty directory", |path| put(EMPTY_DIRECTORY, path)),
        ("made a directory with something in it", |path| put(DIRECTORY, path)),
        ("made a pipe", |path| put(PIPE, path)),
        ("made a link to nothing", |path| put(LINK_TO_NOTHING, path)),
        ("made a link to itself", |path| put(LINK_TO_ITSELF, path)),
        ("made a link to what it was", |path| {
            fs::rename(path, path.with_extension("was")).unwrap();
            symlink(path.with_extension("was"), path).unwrap();
        }),
    ];
    let damage = damage();
    let paths = damage.files.paths();
    damage.each_of(&paths, &acts);
}

#[test]
fn a_file_that_is_cut_short_does_no_harm() {
    let damage = damage();
    let small = small_entry(&damage.files);
    damage.each(|random, path, content| cuts(content, places(&small, path, content, random)));
}

#[test]
fn a_file_that_is_too_long_does_no_harm() {
    damage().each(|_, _, content| {
        let longer = |more| Content { zeros: content.zeros + more, ..content.clone() };
        [1, 5000, 200_000].map(|more| (format!("longer by {more} bytes"), Some(longer(more)))).into()
    });
}

#[test]
fn a_flipped_byte_does_no_harm() {
    let damage = damage();
    let small = small_entry(&damage.files);
    damage.each(|random, path, content| flips(content, places(&small, path, content, random), random));
}

#[test]
fn garbage_in_place_of_a_file_does_no_harm() {
    damage().each(|random, _, content| [content.all().len(), 64, 200_000].map(|len| garbage(random, len)).into());
}

#[test]
fn another_file_in_place_of_a_file_does_no_harm() {
    let damage = damage();
    let (files, small) = (damage.files.clone(), small_entry(&damage.files));
    damage.each(|random, path, _| {
        let others: Vec<_> = files.paths().into_iter().filter(|other| other != path).collect();
        let entries: Vec<_> = others.iter().filter(|other| is_entry(other)).collect();
        let some = [*random.choose(&entries), *random.choose(&entries), &small].into_iter();
        let large = others.iter().find(|other| files.0[*other].len() > 100_000);
        let counters = files.0.keys().find(|other| other.ends_with("meta"));
        some.chain(large).chain(counters).map(|other| exchanged(&files, other)).collect()
    });
}

#[test]
fn a_file_of_a_later_format_does_no_harm() {
    damage().each(|_, path, content| {
        let sum = match () {
            () if is_entry(path) => 56,
            () if path.ends_with("meta") => 24,
            () => return Vec::new(),
        };
        let mut later = content.all();
        later[6] = 2;
        let digest = xxh3_64(&later[..sum]).to_le_bytes();
        later[sum..sum + 8].copy_from_slice(&digest);
        vec![("of a later format".to_owned(), Some(Content::new(later)))]
    });
}

/// An entry whose header is correct, but whose value is damaged.
fn forged(content: &Content, random: &mut Random) -> Deed {
    let mut forged = content.all();
    // The root, which leads to the rest.
    let at = forged.len() - 8 + random.index(8);
    forged[at] ^= 0x80;
    let sum = xxh3_64(&forged[64..]).to_le_bytes();
    forged[48..56].copy_from_slice(&sum);
    let sum = xxh3_64(&forged[..56]).to_le_bytes();
    forged[56..64].copy_from_slice(&sum);
    (format!("forged at {at}"), Some(Content::new(forged)))
}

#[test]
fn a_value_that_was_never_valid_does_no_harm() {
    let Damage { files, mut failures, .. } = damage();
    let mut random = Random(5);
    for (path, content) in files.0.iter().filter(|(path, _)| is_entry(path)) {
        for (what, forged) in (0..4).map(|_| forged(content, &mut random)) {
            let dir = volatile_dir();
            files.write(dir.path());
            forged.unwrap().write(&dir.path().join(path));
            // The bytes may be another valid value. So the test can only check that nothing crashes.
            failures.note(format_args!("{} {what}", path.display()), || {
                let (memo, _) = memo(dir.path());
                for key in 0..KEYS {
                    let view = memo.view(&key);
                    assert_eq!(view.iter().map(|n| n.to_native()).collect::<Vec<_>>(), memo.call(&key));
                }
            });
        }
    }
    failures.end();
}

/// Also where there is no such directory yet.
fn add(act: Act, path: &Path) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    put(act, path);
}

#[test]
fn unknown_files_and_directories_beside_those_of_the_cache_do_no_harm() {
    let damage = damage();
    let (cache, part) = (directory(&damage.files), small_entry(&damage.files).parent().unwrap().to_owned());
    let dirs = [PathBuf::new(), cache.clone(), part, cache.join("tmp"), cache.join("lock")];
    // As directories of entries are called, of another version and of one that was cleared.
    let names = ["stranger", "fedcba9876543210", "0123456789abcdef-fedcba9876543210", "room", ".hidden"];
    let paths: Vec<_> = dirs.iter().flat_map(|dir| names.map(|name| dir.join(name))).collect();
    let acts: [Act; 4] = [
        ("made as a file", |path| add(FILE, path)),
        ("made as a directory", |path| fs::create_dir_all(path).unwrap()),
        ("made as a pipe", |path| add(PIPE, path)),
        ("made as a link", |path| add(LINK_TO_NOTHING, path)),
    ];
    damage.each_of(&paths, &acts);
}

#[test]
fn something_else_in_place_of_a_directory_does_no_harm() {
    let damage = damage();
    let (cache, part) = (directory(&damage.files), small_entry(&damage.files).parent().unwrap().to_owned());
    let acts: [Act; 4] = [
        ("made a file", |path| put(FILE, path)),
        ("made a pipe", |path| put(PIPE, path)),
        ("made a link to nothing", |path| put(LINK_TO_NOTHING, path)),
        ("made a link to itself", |path| put(LINK_TO_ITSELF, path)),
    ];
    damage.each_of(&[part, cache.join("tmp"), cache.join("lock")], &acts);
}
