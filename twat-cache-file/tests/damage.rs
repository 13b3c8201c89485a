//! Whatever a file of the cache is damaged by, before it is opened or behind its back: the values are right, the log has one
//! warning, and the cache heals.
#![cfg(unix)]

mod common;

use std::fmt::Display;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::thread;
use std::time::{Duration, Instant};

use common::child::{Child, Task};
use common::files::{Content, Files, Random};
use common::system::run;
use common::volatile_dir;
use twat_cache_core::testing::{Counter, record_logs, within};
use twat_cache_file::{FileFallback, Memo, fcache};
use xxhash_rust::xxh3::xxh3_64;

const KEYS: u64 = 24;

/// Up to 200 bytes for most keys, which are read; 136 KB for those that are divisible by 8, which are mapped.
fn value(key: u64) -> &'static [u64] {
    static VALUES: LazyLock<Vec<Vec<u64>>> = LazyLock::new(|| {
        let length = |key: u64| if key.is_multiple_of(8) { 17_000 } else { key };
        (0..KEYS).map(|key| (0..length(key)).map(|n| n * 1000 + key).collect()).collect()
    });
    &VALUES[usize::try_from(key).unwrap()]
}

type Numbers = Memo<FileFallback<Vec<u64>>, Box<dyn Fn(&u64) -> Vec<u64> + Send + Sync>>;

fn memo(dir: &Path) -> (Numbers, Arc<Counter>) {
    let computed = Arc::new(Counter::new());
    let counter = computed.clone();
    let memo: Numbers = fcache("numbers").dir(dir).wrap(Box::new(move |key: &u64| {
        counter.count();
        value(*key).to_vec()
    }));
    (memo, computed)
}

/// A cache with something of everything.
fn whole() -> Files {
    let dir = volatile_dir();
    let (memo, _) = memo(dir.path());
    for key in 0..KEYS {
        assert_eq!(memo.view(&key).is_mapped(), key.is_multiple_of(8));
    }
    Files::read(dir.path())
}

fn assert_right(memo: &Numbers, key: u64) {
    assert!(memo.call(&key) == value(key), "a wrong value for {key}");
    assert!(memo.view(&key)[..] == *value(key), "a wrong view for {key}");
}

fn warnings(dir: &Path) -> Vec<String> {
    record_logs().warnings(&dir.display().to_string())
}

/// Asks for everything twice; gives how many were computed, and what was warned of.
fn round(dir: &Path) -> (usize, Vec<String>) {
    let before = warnings(dir).len();
    let (memo, computed) = memo(dir);
    (0..KEYS).chain(0..KEYS).for_each(|key| assert_right(&memo, key));
    drop(memo);
    (computed.get(), warnings(dir).split_off(before))
}

/// What is done to what is at a path, and how it is called.
type Deed = (&'static str, fn(&Path));

/// One test: a cache, damaged over and over.
struct Damage {
    files: Files,
    failures: Vec<String>,
}

impl Damage {
    fn new() -> Self {
        Self { files: whole(), failures: Vec::new() }
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
        self.note(what, || within(Duration::from_secs(5), tried));
    }

    fn note(&mut self, what: impl Display, test: impl FnOnce()) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(test)) {
            let message = panic.downcast_ref::<String>().cloned();
            self.failures.push(format!("{what}: {}", message.unwrap_or_default()));
        }
    }

    fn each(mut self, mut damage: impl FnMut(&mut Self, &Path, &Content)) {
        for (path, content) in self.files.0.clone() {
            damage(&mut self, &path, &content);
        }
        self.end();
    }

    fn end(self) {
        assert!(self.failures.is_empty(), "{} cases:\n{}", self.failures.len(), self.failures.join("\n"));
    }

    /// The file with the entry of this length.
    fn entry_of(&self, len: usize) -> &Path {
        let mut entries = self.files.0.iter().filter(|(path, _)| is_entry(path));
        entries.find(|(_, content)| bytes_of(content).len() == len).unwrap().0
    }
}

fn is_entry(path: &Path) -> bool {
    path.file_name().unwrap().len() == 48
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
    if path.ends_with("meta") || path == test.entry_of(SMALL) || len <= some {
        (0..len).collect()
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
            test.note(format_args!("{} forged at {at}", path.display()), || {
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
    let names = ["stranger", "ff", "room", "0123456789abcdef-0", ".hidden"];
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
    test.end();
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
    test.end();
}

#[test]
fn whatever_is_in_place_of_an_entry_can_be_forgotten_and_cleared() {
    let makes: [Deed; 6] = [
        ("nothing", |_| ()),
        ("a directory", make_full_dir),
        ("a pipe", |path| assert!(run("mkfifo", &[&path]))),
        ("a link", |path| symlink("nothing", path).unwrap()),
        ("an empty file", |path| drop(File::create(path).unwrap())),
        ("garbage", |path| fs::write(path, [7; 1000]).unwrap()),
    ];
    for (what, make) in makes {
        for key in [5_u64, 8] {
            let dir = volatile_dir();
            let (memo, computed) = memo(dir.path());
            (0..KEYS).for_each(|key| assert_right(&memo, key));
            let path = memo.store().path_of(&key).unwrap();
            let spoil = || {
                fs::remove_file(&path).unwrap();
                make(&path);
            };
            spoil();
            memo.forget(&key).unwrap();
            assert!(!path.exists() && path.symlink_metadata().is_err(), "{what} is still there");
            assert_eq!(memo.peek(&key).unwrap(), None, "{what}");
            assert_right(&memo, key);
            spoil();
            memo.clear().unwrap();
            assert!(path.symlink_metadata().is_err(), "{what} is still there");
            assert_eq!(memo.len().unwrap(), 0, "{what}");
            (0..KEYS).for_each(|key| assert_right(&memo, key));
            assert_eq!(computed.get() as u64, KEYS + 1 + KEYS, "{what}");
        }
    }
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
    let mut test = Damage { files: Files::default(), failures: Vec::new() };
    for (what, make) in strangers {
        let dir = volatile_dir();
        let open = || fcache("limited").dir(dir.path()).max_bytes(LIMIT).wrap(|key: &u64| vec![*key; 500]);
        let memo = open();
        memo.call(&0);
        let cache = memo.store().path().to_owned();
        fs::create_dir_all(cache.join("lock")).unwrap();
        make(&cache);
        drop(memo);
        test.note(what, || {
            let memo = open();
            (0..100_u64).for_each(|key| assert_eq!(memo.call(&key), vec![key; 500]));
            let bytes = held(&cache);
            assert!(bytes <= LIMIT + LIMIT / 10, "{bytes} bytes where {LIMIT} may be");
        });
    }
    test.end();
}

/// Bytes of all entries that there are.
fn held(cache: &Path) -> u64 {
    let in_dir = |dir: &Path| fs::read_dir(dir).into_iter().flatten().map(Result::unwrap).collect::<Vec<_>>();
    let entries = in_dir(cache).into_iter().flat_map(|part| in_dir(&part.path()));
    entries.filter(|entry| is_entry(&entry.path())).map(|entry| entry.metadata().unwrap().len()).sum()
}

/// What is done to a file while the cache is in use.
const DEEDS: &[Deed] = &[
    ("removed", |path| fs::remove_file(path).unwrap()),
    ("emptied", |path| set_len(path, |_| 0)),
    ("cut in its header", |path| set_len(path, |len| len.min(63))),
    ("cut to a page", |path| set_len(path, |len| (len - 1).min(4096))),
    ("cut by a byte", |path| set_len(path, |len| len - 1)),
    ("made longer by a byte", |path| set_len(path, |len| len + 1)),
    ("made longer by pages", |path| set_len(path, |len| len + 10_000)),
    ("made nobody's", |path| set_mode(path, 0o000)),
    ("made everybody's", |path| set_mode(path, 0o666)),
    ("replaced by garbage", |path| {
        let garbage = vec![7; usize::try_from(path.metadata().unwrap().len()).unwrap()];
        replace(path, |with| fs::write(with, garbage).unwrap());
    }),
    ("replaced by an empty file", |path| replace(path, |with| drop(File::create(with).unwrap()))),
    ("replaced by a copy", |path| replace(path, |with| assert!(fs::copy(path, with).is_ok()))),
    ("replaced by another entry", |path| {
        let cache = if path.ends_with("meta") { path } else { path.parent().unwrap() }.parent().unwrap();
        let files = Files::read(cache);
        let other = files.paths().into_iter().rev().find(|other| is_entry(other) && !path.ends_with(other)).unwrap();
        replace(path, |with| assert!(fs::copy(cache.join(other), with).is_ok()));
    }),
    ("replaced by a directory", |path| replace(path, make_full_dir)),
    ("replaced by a pipe", |path| replace(path, |with| assert!(run("mkfifo", &[&with])))),
    ("replaced by a link to what it was", |path| {
        let aside = path.with_extension("was");
        fs::rename(path, &aside).unwrap();
        symlink(aside, path).unwrap();
    }),
    ("removed with its directory", |path| fs::remove_dir_all(path.parent().unwrap()).unwrap()),
    ("in a directory of everybody's", |path| set_mode(path.parent().unwrap(), 0o777)),
    ("in a directory that was replaced by a copy", |path| {
        let dir = path.parent().unwrap();
        let files = Files::read(dir);
        fs::rename(dir, dir.with_extension("was")).unwrap();
        files.write(dir);
    }),
];

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Makes a file shorter or longer, with the mode that it had.
fn set_len(path: &Path, len: impl Fn(u64) -> u64) {
    let before = path.metadata().unwrap();
    set_mode(path, 0o600);
    let file = File::options().write(true).open(path).unwrap();
    fs::set_permissions(path, before.permissions()).unwrap();
    file.set_len(len(before.len())).unwrap();
}

fn make_full_dir(path: &Path) {
    fs::create_dir_all(path.join("a/b")).unwrap();
}

/// Puts something else in the place of a file, as editors do.
fn replace(path: &Path, make: impl FnOnce(&Path)) {
    let with = path.with_extension("new");
    make(&with);
    if with.is_dir() {
        fs::remove_file(path).unwrap();
    }
    fs::rename(with, path).unwrap();
}

/// What is asked for first after the damage; gives how many more may be computed for it.
type Step = (&'static str, fn(&Numbers, u64) -> usize);

const STEPS: &[Step] = &[
    ("call", |memo, key| {
        assert!(memo.call(&key) == value(key));
        0
    }),
    ("view", |memo, key| {
        assert!(memo.view(&key)[..] == *value(key));
        0
    }),
    ("peek", |memo, key| {
        // It may have been lost; what fails is not to be asked here.
        assert!(memo.peek(&key).is_ok_and(|found| found.is_none_or(|found| found == value(key))));
        0
    }),
    ("refresh", |memo, key| {
        assert!(memo.refresh(&key) == value(key));
        1
    }),
    ("forget", |memo, key| {
        memo.forget(&key).unwrap();
        assert!(memo.peek(&key).unwrap().is_none());
        1
    }),
    ("len", |memo, _| {
        memo.len().unwrap();
        0
    }),
    ("clear", |memo, key| {
        memo.clear().unwrap();
        assert!(memo.peek(&key).unwrap().is_none());
        usize::try_from(LIVE).unwrap()
    }),
    ("call of another key", |memo, _| {
        assert!(memo.call(&LIVE) == value(LIVE));
        1
    }),
    ("view of a key that is there", |memo, key| {
        let other = u64::from(key == 0);
        assert!(memo.view(&other)[..] == *value(other));
        0
    }),
];

/// The keys of these tests, of which 0 and 8 are mapped.
const LIVE: u64 = 10;

/// Damages one file behind the back of a memo that has used it, and goes on.
#[test]
fn child_whose_file_is_damaged() {
    let Some(task) = Task::given() else { return };
    let said = |name: &str| std::env::var(name).unwrap();
    let deed = DEEDS.iter().find(|(name, _)| *name == said("DEED")).unwrap().1;
    record_logs();
    for (step, ask) in STEPS {
        // Where it fails, this is the last that is heard.
        task.say(step);
        let dir = task.dir.join(step);
        let (memo, computed) = memo(&dir);
        (0..LIVE).chain(0..LIVE).for_each(|key| assert_right(&memo, key));
        let (key, path) = match &*said("FILE") {
            "a large entry" => (0, memo.store().path_of(&0_u64).unwrap()),
            "a small entry" => (5, memo.store().path_of(&5_u64).unwrap()),
            _ => (8, memo.store().path().join("meta")),
        };
        let is_of_counters = path.ends_with("meta");
        // Counters that are lost while they are in use take nothing with them: what they stand for is known.
        let lost = match &*said("DEED") {
            "removed with its directory" => files_below(path.parent().unwrap()),
            _ => usize::from(!is_of_counters),
        };
        let before = computed.get();
        deed(&path);
        let more = ask(&memo, key);
        (0..LIVE).for_each(|key| assert_right(&memo, key));
        let after = computed.get();
        assert!(after - before <= lost + more, "{} computed", after - before);
        (0..=LIVE).for_each(|key| assert_right(&memo, key));
        assert!(computed.get() <= after + 1, "computed again and again");
        drop(memo);
        // Of a small entry there is a copy at hand, and counters that were moved away still count: then whoever opens the
        // cache next finds the damage, and mends it.
        let is_moved = is_of_counters && said("DEED").contains("link");
        for bound in [if is_moved { usize::try_from(LIVE).unwrap() + 1 } else { lost }, 0] {
            let (memo, computed) = self::memo(&dir);
            (0..=LIVE).for_each(|key| assert_right(&memo, key));
            assert!(computed.get() <= bound, "not healed: {} computed", computed.get());
        }
        let warnings = warnings(&dir);
        assert!(warnings.len() <= 1, "more than one warning: {warnings:#?}");
    }
}

fn files_below(dir: &Path) -> usize {
    Files::read(dir).0.keys().filter(|path| is_entry(path)).count()
}

fn survives_in_use(file: &str) {
    let mut test = Damage { files: Files::default(), failures: Vec::new() };
    for (deed, _) in DEEDS {
        let dir = volatile_dir();
        let mut child = Child::start_with("child_whose_file_is_damaged", dir.path(), |binary| {
            let mut command = Command::new(binary);
            command.env("DEED", deed).env("FILE", file);
            command
        });
        let mut step = String::new();
        while let Some(said) = child.hear() {
            step = said;
        }
        test.note(format_args!("{file} {deed}, then {step}"), || drop(child.finish()));
    }
    test.end();
}

#[test]
fn a_large_entry_may_be_damaged_while_it_is_in_use() {
    survives_in_use("a large entry");
}

#[test]
fn a_small_entry_may_be_damaged_while_it_is_in_use() {
    survives_in_use("a small entry");
}

#[test]
fn the_counters_may_be_damaged_while_they_are_in_use() {
    survives_in_use("the counters");
}

/// With one system call between two looks.
#[test]
fn child_whose_file_is_cut_at_once() {
    let Some(task) = Task::given() else { return };
    for what in ["entry", "meta"].into_iter().cycle().take(200) {
        task.say(what);
        let dir = volatile_dir();
        let (memo, _) = memo(dir.path());
        assert!(memo.view(&0_u64).is_mapped());
        let meta = memo.store().path().join("meta");
        let path = if what == "meta" { meta } else { memo.store().path_of(&0_u64).unwrap() };
        set_mode(&path, 0o600);
        let file = File::options().write(true).open(&path).unwrap();
        set_mode(&path, 0o400);
        drop(memo.view(&0_u64));
        drop(memo.view(&0_u64));
        file.set_len(0).unwrap();
        let view = memo.view(&0_u64);
        assert!(view[..] == *value(0), "a wrong view");
    }
}

#[test]
fn a_file_that_is_cut_short_between_two_calls_is_found_out_by_the_second() {
    let dir = volatile_dir();
    let mut child = Child::start("child_whose_file_is_cut_at_once", dir.path());
    let said: Vec<_> = std::iter::from_fn(|| child.hear()).collect();
    let ended = catch_unwind(AssertUnwindSafe(|| drop(child.finish())));
    assert!(ended.is_ok(), "failed at number {}, {:?}", said.len(), said.last());
}

/// Where files come and go but none is written into, four threads get right values.
#[test]
fn child_whose_files_come_and_go() {
    let Some(task) = Task::given() else { return };
    let (memo, _) = memo(&task.dir);
    (0..KEYS).for_each(|key| assert_right(&memo, key));
    let (is_over, calls) = (AtomicBool::new(false), Counter::new());
    thread::scope(|scope| {
        for seed in 0..4 {
            let (memo, is_over, calls) = (&memo, &is_over, &calls);
            scope.spawn(move || {
                let mut random = Random(seed);
                while !is_over.load(Ordering::Relaxed) {
                    assert_right(memo, random.below(usize::try_from(KEYS).unwrap()) as u64);
                    calls.count();
                }
            });
        }
        let mut random = Random(7);
        let until = Instant::now() + Duration::from_secs(1);
        while Instant::now() < until {
            let key = random.below(usize::try_from(KEYS).unwrap()) as u64;
            let meta = memo.store().path().join("meta");
            let path = if random.below(20) == 0 { meta } else { memo.store().path_of(&key).unwrap() };
            spoil(&path, &mut random);
            thread::yield_now();
        }
        is_over.store(true, Ordering::Relaxed);
    });
    task.say(calls.get());
}

/// Anything but to write into a file; it may be gone by now.
fn spoil(path: &Path, random: &mut Random) {
    let with: PathBuf = path.with_extension("new");
    let _ = match random.below(6) {
        0 => fs::remove_file(path),
        1 => fs::set_permissions(path, Permissions::from_mode(0o666)),
        2 => fs::set_permissions(path, Permissions::from_mode(0o400)),
        3 => fs::copy(path, &with).and_then(|_| fs::rename(&with, path)),
        4 => fs::write(&with, [7; 5000]).and_then(|()| fs::rename(&with, path)),
        _ if random.below(20) == 0 => fs::remove_dir_all(path.parent().unwrap()),
        _ => fs::remove_file(path).and_then(|()| fs::create_dir(path)),
    };
}

#[test]
fn files_may_come_and_go_while_threads_call() {
    let dir = volatile_dir();
    let said = Child::start("child_whose_files_come_and_go", dir.path()).finish();
    assert!(said[0].parse::<u64>().unwrap() > 100, "{said:?}");
}
