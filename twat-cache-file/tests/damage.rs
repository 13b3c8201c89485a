//! Whatever a file of the cache is damaged by before it is opened: the values are right, the log has one warning, and the
//! cache heals.
#![cfg(unix)]

mod common;

use std::fmt::Display;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use common::damage::{Deed, Failures, KEYS, assert_right, is_entry, make_full_dir, memo, replace};
use common::files::{Content, Files, Random};
use common::numbers::warnings;
use common::system::run;
use common::volatile_dir;
use twat_cache_core::testing::within;
use twat_cache_file::fcache;
use xxhash_rust::xxh3::xxh3_64;

/// A cache with something of everything.
fn whole() -> Files {
    let dir = volatile_dir();
    let (memo, _) = memo(dir.path());
    for key in 0..KEYS {
        assert_eq!(memo.view(&key).is_mapped(), key.is_multiple_of(15));
    }
    Files::read(dir.path())
}

/// Asks for everything twice; gives how many were computed, and what was warned of.
fn round(dir: &Path) -> (usize, Vec<String>) {
    let before = warnings(dir).len();
    let (memo, computed) = memo(dir);
    (0..KEYS).chain(0..KEYS).for_each(|key| assert_right(&memo, key));
    drop(memo);
    (computed.get(), warnings(dir).split_off(before))
}

/// One test: a cache, damaged over and over.
struct Damage {
    files: Files,
    failures: Failures,
}

impl Damage {
    fn new() -> Self {
        Self { files: whole(), failures: Failures::default() }
    }

    /// Damages the cache, uses it, and uses it again.
    fn survives(&mut self, what: impl Display, damage: impl FnOnce(&Path)) {
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
        self.failures.note(what, || within(Duration::from_secs(5), tried));
    }

    fn each(mut self, mut damage: impl FnMut(&mut Self, &Path, &Content)) {
        for (path, content) in self.files.0.clone() {
            damage(&mut self, &path, &content);
        }
        self.failures.end();
    }

    /// The file with the entry of this length.
    fn entry_of(&self, len: usize) -> &Path {
        let mut entries = self.files.0.iter().filter(|(path, _)| is_entry(path));
        entries.find(|(_, content)| bytes_of(content).len() == len).unwrap().0
    }
}

fn bytes_of(content: &Content) -> Vec<u8> {
    content.truncated(content.bytes.len() + usize::try_from(content.zeros).unwrap()).bytes
}

/// Header, numbers, and what rkyv adds.
const SMALL: usize = 64 + 5 * 8 + 8;

/// All places in the counters and in one small entry, some in the other files.
fn places(test: &Damage, path: &Path, content: &Content, random: &mut Random) -> Vec<usize> {
    // A soak run takes as many as it is told to.
    let some = std::env::var("TWAT_CACHE_TEST_PLACES").map_or(4, |some| some.parse().unwrap());
    let len = content.len();
    if path == test.entry_of(SMALL) || len <= some {
        (0..len).collect()
    } else if path.ends_with("meta") {
        // Secret and counters, and some of the many stripes behind them.
        (0..64).chain((0..16).map(|_| random.below(len))).collect()
    } else {
        // The header is where most can go wrong, and a small part of a large file.
        (0..=some).map(|nth| random.below(if nth == 0 { len.min(64) } else { len })).collect()
    }
}

#[test]
fn a_file_that_is_gone_does_no_harm() {
    Damage::new().each(|test, path, _| {
        test.survives(format_args!("{} removed", path.display()), |root| fs::remove_file(root.join(path)).unwrap());
    });
}

#[test]
fn a_file_that_is_no_file_does_no_harm() {
    let deeds: [Deed; 6] = [
        ("a directory", |path| replace(path, |with| fs::create_dir(with).unwrap())),
        ("a directory with something in it", |path| replace(path, make_full_dir)),
        ("a pipe", |path| replace(path, |with| assert!(run("mkfifo", &[&with])))),
        ("a link to nothing", |path| replace(path, |with| symlink("nothing", with).unwrap())),
        ("a link to itself", |path| replace(path, |with| symlink(path, with).unwrap())),
        ("a link to what it was", |path| {
            fs::copy(path, path.with_extension("was")).unwrap();
            replace(path, |with| symlink(path.with_extension("was"), with).unwrap());
        }),
    ];
    Damage::new().each(|test, path, _| {
        for (what, deed) in deeds {
            test.survives(format_args!("{} made {what}", path.display()), |root| deed(&root.join(path)));
        }
    });
}

#[test]
fn a_file_that_is_cut_short_does_no_harm() {
    let mut random = Random(1);
    Damage::new().each(|test, path, content| {
        let mut lengths = places(test, path, content, &mut random);
        lengths.extend([0, content.len().saturating_sub(1)]);
        for len in lengths {
            test.survives(format_args!("{} cut to {len} bytes", path.display()), |root| {
                content.truncated(len).write(&root.join(path));
            });
        }
    });
}

#[test]
fn a_file_that_is_too_long_does_no_harm() {
    Damage::new().each(|test, path, content| {
        for more in [1, 5000, 200_000] {
            test.survives(format_args!("{} longer by {more} bytes", path.display()), |root| {
                Content { zeros: content.zeros + more, ..content.clone() }.write(&root.join(path));
            });
        }
    });
}

#[test]
fn a_flipped_byte_does_no_harm() {
    let mut random = Random(2);
    Damage::new().each(|test, path, content| {
        for at in places(test, path, content, &mut random) {
            let bits = u8::try_from(random.below(255)).unwrap() + 1;
            test.survives(format_args!("{} flipped by {bits:#x} at {at}", path.display()), |root| {
                content.flipped(at, bits).write(&root.join(path));
            });
        }
    });
}

#[test]
fn garbage_in_place_of_a_file_does_no_harm() {
    let mut random = Random(3);
    Damage::new().each(|test, path, content| {
        for len in [bytes_of(content).len(), 64, 200_000] {
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
        let entries: Vec<_> = test.files.paths().into_iter().filter(|other| is_entry(other) && other != path).collect();
        let any = |random: &mut Random| entries[random.below(entries.len())].clone();
        let others = [any(&mut random), any(&mut random), test.entry_of(SMALL).to_owned()];
        let large = test.files.0.iter().find(|(other, content)| *other != path && content.len() > 100_000);
        let meta = test.files.paths().into_iter().find(|other| other.ends_with("meta"));
        for other in others.into_iter().chain(large.map(|(other, _)| other.clone())).chain(meta) {
            let content = test.files.0[&other].clone();
            test.survives(format_args!("{} replaced by {}", path.display(), other.display()), |root| {
                content.write(&root.join(path));
            });
        }
    });
}

#[test]
fn a_file_of_a_later_format_does_no_harm() {
    Damage::new().each(|test, path, content| {
        let sum = if is_entry(path) {
            56
        } else if path.ends_with("meta") {
            24
        } else {
            return;
        };
        let mut later = bytes_of(content);
        later[6] = 2;
        let digest = xxh3_64(&later[..sum]).to_le_bytes();
        later[sum..sum + 8].copy_from_slice(&digest);
        test.survives(format_args!("{} of a later format", path.display()), |root| {
            Content::new(later).write(&root.join(path));
        });
    });
}

/// The header says that all is well, and is right about it but for the value.
#[test]
fn a_value_that_was_never_valid_does_no_harm() {
    let mut random = Random(5);
    Damage::new().each(|test, path, content| {
        if !is_entry(path) {
            return;
        }
        for _ in 0..4 {
            let mut forged = bytes_of(content);
            // The root, which leads to the rest.
            let root = forged.len() - 8;
            let at = root + random.below(8);
            forged[at] ^= 0x80;
            let sum = xxh3_64(&forged[64..]).to_le_bytes();
            forged[48..56].copy_from_slice(&sum);
            let sum = xxh3_64(&forged[..56]).to_le_bytes();
            forged[56..64].copy_from_slice(&sum);
            let dir = volatile_dir();
            test.files.write(dir.path());
            Content::new(forged).write(&dir.path().join(path));
            // What it says may be another value: all that can be asked is that nothing breaks.
            test.failures.note(format_args!("{} forged at {at}", path.display()), || {
                let (memo, _) = memo(dir.path());
                for key in 0..KEYS {
                    let view = memo.view(&key);
                    assert_eq!(view.iter().map(|n| n.to_native()).collect::<Vec<_>>(), memo.call(&key));
                }
            });
        }
    });
}

#[test]
fn strangers_among_the_files_do_no_harm() {
    let mut test = Damage::new();
    let cache = test.files.paths().iter().find(|path| path.ends_with("meta")).unwrap().parent().unwrap().to_owned();
    let part = test.entry_of(SMALL).parent().unwrap().to_owned();
    let dirs = [Path::new("").to_owned(), cache.clone(), part, cache.join("tmp"), cache.join("lock")];
    // As a directory of entries is called, of which there are none yet: where they lie is another in every cache.
    let is_free = |part: &String| !test.files.0.keys().any(|path| path.starts_with(cache.join(part)));
    let free = (0..=u8::MAX).map(|part| format!("{part:02x}")).find(is_free).unwrap();
    let names = ["stranger", &free, "room", "0123456789abcdef-0", ".hidden"];
    for path in dirs.iter().flat_map(|dir| names.map(|name| dir.join(name))) {
        let shown = path.display();
        let make = |root: &Path| fs::create_dir_all(root.join(path.parent().unwrap())).unwrap();
        test.survives(format_args!("a file {shown}"), |root| {
            make(root);
            fs::write(root.join(&path), "x").unwrap();
        });
        test.survives(format_args!("a directory {shown}"), |root| fs::create_dir_all(root.join(&path)).unwrap());
        test.survives(format_args!("a pipe {shown}"), |root| {
            make(root);
            assert!(run("mkfifo", &[&root.join(&path)]));
        });
        test.survives(format_args!("a link {shown}"), |root| {
            make(root);
            symlink("nothing", root.join(&path)).unwrap();
        });
    }
    test.failures.end();
}

#[test]
fn a_file_in_place_of_a_directory_does_no_harm() {
    let mut test = Damage::new();
    let cache = test.files.paths().iter().find(|path| path.ends_with("meta")).unwrap().parent().unwrap().to_owned();
    let part = test.entry_of(SMALL).parent().unwrap().to_owned();
    let deeds: [Deed; 4] = [
        ("a file", |path| fs::write(path, "x").unwrap()),
        ("a pipe", |path| assert!(run("mkfifo", &[&path]))),
        ("a link to nothing", |path| symlink("nothing", path).unwrap()),
        ("a link to itself", |path| symlink(path, path).unwrap()),
    ];
    for (path, (what, deed)) in
        [part, cache.join("tmp"), cache.join("lock")].iter().flat_map(|path| deeds.map(|deed| (path, deed)))
    {
        test.survives(format_args!("{} made {what}", path.display()), |root| {
            let _ = fs::remove_dir_all(root.join(path));
            deed(&root.join(path));
        });
    }
    test.failures.end();
}

/// What holds up those who make room, or misleads them, must not make the cache grow without bounds.
#[test]
fn the_limit_holds_whatever_is_in_the_way() {
    const LIMIT: u64 = 64 << 10;
    let strangers: [Deed; 7] = [
        ("nothing", |_| ()),
        ("a file `room`", |cache| fs::write(cache.join("lock/room"), "x").unwrap()),
        ("a directory `room`", |cache| fs::create_dir(cache.join("lock/room")).unwrap()),
        ("a link `room`", |cache| symlink("nothing", cache.join("lock/room")).unwrap()),
        ("no locks", |cache| {
            let _ = fs::remove_dir_all(cache.join("lock"));
            fs::write(cache.join("lock"), "x").unwrap();
        }),
        ("a directory among the entries", |cache| fs::create_dir_all(cache.join("00/a/b")).unwrap()),
        ("counters that say zero", |cache| {
            let mut meta = fs::read(cache.join("meta")).unwrap();
            meta[32..].fill(0);
            fs::write(cache.join("meta"), meta).unwrap();
        }),
    ];
    let mut failures = Failures::default();
    for (what, make) in strangers {
        let dir = volatile_dir();
        let open = || fcache("limited").dir(dir.path()).max_bytes(LIMIT).wrap(|key: &u64| vec![*key; 500]);
        let memo = open();
        memo.call(&0);
        let cache = memo.store().path().to_owned();
        fs::create_dir_all(cache.join("lock")).unwrap();
        make(&cache);
        drop(memo);
        failures.note(what, || {
            let memo = open();
            (0..100_u64).for_each(|key| assert_eq!(memo.call(&key), vec![key; 500]));
            let bytes = held(&cache);
            assert!(bytes <= LIMIT + LIMIT / 10, "{bytes} bytes where {LIMIT} may be");
        });
    }
    failures.end();
}

/// Bytes of all entries that there are.
fn held(cache: &Path) -> u64 {
    let in_dir = |dir: &Path| fs::read_dir(dir).into_iter().flatten().map(Result::unwrap).collect::<Vec<_>>();
    let entries = in_dir(cache).into_iter().flat_map(|part| in_dir(&part.path()));
    entries.filter(|entry| is_entry(&entry.path())).map(|entry| entry.metadata().unwrap().len()).sum()
}
