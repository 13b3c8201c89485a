//! Damage to any file of the cache while it is in use: the values are right, there is one warning at most, and the cache heals.
#![cfg(unix)]

mod common;

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::varied::{KEYS, assert_right, memo, value};
use common::{Numbers, entries_below, is_entry};
use twat_cache_core::testing::child::{Child, Task};
use twat_cache_core::testing::damage::{Act, Failures};
use twat_cache_core::testing::files::Files;
use twat_cache_core::testing::obstacles::{DIRECTORY, PIPE};
use twat_cache_core::testing::owners::set_mode;
use twat_cache_core::testing::{Counter, Random, volatile_dir, warnings};

/// Puts something else in the place of a file, as editors do.
fn replace(path: &Path, make: impl FnOnce(&Path)) {
    let with = path.with_extension("new");
    make(&with);
    if with.is_dir() {
        fs::remove_file(path).unwrap();
    }
    fs::rename(with, path).unwrap();
}

/// What is done to a file while the cache is in use.
const ACTS: &[Act] = &[
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
    ("replaced by a directory", |path| replace(path, DIRECTORY.1)),
    ("replaced by a pipe", |path| replace(path, PIPE.1)),
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

/// Makes a file shorter or longer, with the mode that it had.
fn set_len(path: &Path, len: impl Fn(u64) -> u64) {
    let before = path.metadata().unwrap();
    set_mode(path, 0o600);
    let file = File::options().write(true).open(path).unwrap();
    fs::set_permissions(path, before.permissions()).unwrap();
    file.set_len(len(before.len())).unwrap();
}

/// The first operation after the damage. Returns how many more computations it may cause.
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
        // The entry may be lost, and this test does not check failures.
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

/// The keys of these tests, of which 0 is mapped.
const LIVE: u64 = 10;

/// Damages one file while a memo has it in use, and uses the memo.
#[test]
fn child_whose_file_is_damaged() {
    let Some(task) = Task::given() else { return };
    let (act, file) = (task.value("ACT"), task.value("FILE"));
    let damage = ACTS.iter().find(|(name, _)| *name == act).unwrap().1;
    for (step, ask) in STEPS {
        // If the process crashes, this is its last output.
        task.say(step);
        let dir = task.dir.join(step);
        let (memo, computed) = memo(&dir);
        (0..LIVE).chain(0..LIVE).for_each(|key| assert_right(&memo, key));
        let (key, path) = match &*file {
            "a large entry" => (0, memo.store().path_of(&0_u64).unwrap()),
            "a small entry" => (5, memo.store().path_of(&5_u64).unwrap()),
            _ => (0, memo.store().path().join("meta")),
        };
        let is_of_counters = path.ends_with("meta");
        // If the counters are lost while they are in use, nothing else is lost, because the store remembers them.
        let lost = match &*act {
            "removed with its directory" => entries_below(path.parent().unwrap()).0,
            _ => usize::from(!is_of_counters),
        };
        let before = computed.get();
        damage(&path);
        let more = ask(&memo, key);
        (0..LIVE).for_each(|key| assert_right(&memo, key));
        let after = computed.get();
        assert!(after - before <= lost + more, "{} computed", after - before);
        (0..=LIVE).for_each(|key| assert_right(&memo, key));
        assert!(computed.get() <= after + 1, "computed again and again");
        drop(memo);
        // Of a small entry there is a copy in memory, and counters that were moved away still count: then the next process that
        // opens the cache finds the damage, and repairs it.
        let is_moved = is_of_counters && act.contains("link");
        // One that others can write to is not used at all any more.
        let is_refused = is_of_counters && act.contains("everybody's");
        let all = usize::try_from(LIVE).unwrap() + 1;
        for bound in [if is_moved || is_refused { all } else { lost }, if is_refused { all } else { 0 }] {
            let (memo, computed) = common::varied::memo(&dir);
            (0..=LIVE).for_each(|key| assert_right(&memo, key));
            assert!(computed.get() <= bound, "not healed: {} computed", computed.get());
        }
        let warnings = warnings(&dir);
        // Each that finds it refused says so.
        let most = if is_refused { 2 } else { 1 };
        assert!(warnings.len() <= most, "more than {most}: {warnings:#?}");
    }
}

fn survives_in_use(file: &str) {
    let mut failures = Failures::default();
    let start = |(act, _): &Act| {
        let dir = volatile_dir();
        let child = Child::with("child_whose_file_is_damaged", dir.path(), [("ACT", act), ("FILE", &file)]);
        (*act, dir, child)
    };
    // Several at a time, which is faster.
    for acts in ACTS.chunks(4) {
        let children: Vec<_> = acts.iter().map(start).collect();
        for (act, _dir, mut child) in children {
            let mut step = String::new();
            while let Some(said) = child.hear() {
                step = said;
            }
            failures.note(format_args!("{file} {act}, then {step}"), || drop(child.finish()));
        }
    }
    failures.end();
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

/// With one system call between two checks.
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
fn a_file_that_is_cut_short_between_two_calls_is_noticed_by_the_second() {
    let dir = volatile_dir();
    let mut child = Child::start("child_whose_file_is_cut_at_once", dir.path());
    let said: Vec<_> = std::iter::from_fn(|| child.hear()).collect();
    let ended = catch_unwind(AssertUnwindSafe(|| drop(child.finish())));
    assert!(ended.is_ok(), "failed at number {}, {:?}", said.len(), said.last());
}

/// Four threads call while files are removed and replaced, but not overwritten.
#[test]
fn child_whose_files_are_replaced() {
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
                    assert_right(memo, random.below(KEYS));
                    calls.count();
                }
            });
        }
        let mut random = Random(7);
        let until = Instant::now() + Duration::from_secs(1);
        // On a slow machine it takes longer.
        while Instant::now() < until || calls.get() < 100 {
            let key = random.below(KEYS);
            let meta = memo.store().path().join("meta");
            let path = if random.below(20) == 0 { meta } else { memo.store().path_of(&key).unwrap() };
            spoil(&path, &mut random);
            thread::yield_now();
        }
        is_over.store(true, Ordering::Relaxed);
    });
    task.say("done");
}

/// Any damage except overwriting a file. The file may be gone already.
fn spoil(path: &Path, random: &mut Random) {
    let with = path.with_extension("new");
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
fn files_may_be_replaced_while_threads_call() {
    let dir = volatile_dir();
    assert_eq!(Child::start("child_whose_files_are_replaced", dir.path()).finish(), ["done"]);
}
