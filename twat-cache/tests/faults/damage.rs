//! Scenario 19: damaged files.

use std::fmt::Display;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use tempfile::TempDir;
use twat_cache_core::testing::damage::{Deed, cut, cuts, exchanged, flipped, flips, garbage, inflict, removed};
use twat_cache_core::testing::files::{Content, Files};
use twat_cache_core::testing::{PATIENCE, Random, soak, within};

use super::cell::{Amount, Cell, Fault, Rule};
use super::session::{Round, Session, round, twice};
use super::wrappers::Kind;

const KEYS: u64 = 12;

pub(crate) fn faults() -> Vec<Fault> {
    let fault = |name, damage: fn(&mut Damage<'_>)| {
        let run = move |cell: &mut Cell| damage(&mut Damage::begin(cell));
        Fault { scenario: 19, name, keys: KEYS, run: Box::new(run), rule }
    };
    vec![
        fault("a file is deleted", |test| test.each(|_, _, _| vec![removed()])),
        fault("two files are deleted", two_deleted),
        fault("a file is emptied", |test| test.each(|_, _, content| vec![cut(content, 0)])),
        fault("a file is cut short", |test| {
            test.each(|random, _, content| cuts(content, places(content, random)));
        }),
        fault("a byte is flipped", |test| {
            test.each(|random, _, content| flips(content, places(content, random), random));
        }),
        fault("a file is replaced by another one of the cache", exchange),
        fault("a file or entry is of another format version", change_version),
        fault("a file is replaced by garbage", |test| {
            test.each(|random, _, content| [0, 5000].map(|more| garbage(random, content.len() + more)).into());
        }),
        fault("a file is deleted while it is open", |test| test.each_while_open(|_, _| vec![removed()])),
        fault("a file is emptied while it is open", |test| test.each_while_open(|_, content| vec![cut(content, 0)])),
        fault("a file is overwritten with garbage while it is open", |test| {
            test.each_while_open(|random, content| {
                vec![garbage(random, content.len()), garbage(random, content.len())]
            });
        }),
    ]
}

fn rule(kind: Kind) -> Rule {
    match kind {
        // It has no files.
        Kind::Memory => Rule::new(Amount::Exactly(12), Amount::Exactly(0)),
        _ => Rule::new(Amount::AtMost(12), Amount::AtMost(1)),
    }
}

/// All positions of a tiny file. In other files, some in the header, which matters most, and some anywhere.
fn places(content: &Content, random: &mut Random) -> Vec<usize> {
    let len = content.len();
    let some = usize::try_from(soak("TWAT_CACHE_TEST_PLACES", 3)).unwrap();
    if len <= some {
        return (0..len).collect();
    }
    (0..=some).map(|nth| random.index(if nth == 0 { len.min(64) } else { len })).collect()
}

/// A cache with something of everything: a table, and a journal.
fn filled(kind: Kind, dir: &Path) -> Session {
    let session = Session::open(kind, dir);
    session.call_all(0..KEYS / 2);
    session.wrapper.change_entries(|_| ());
    session.call_all(KEYS / 2..KEYS);
    session
}

/// Whether this makes the file shorter.
fn is_cut((_, after): &Deed, before: &Content) -> bool {
    after.as_ref().is_some_and(|after| after.file_len() < before.file_len())
}

/// Does it to a file that is open: what is written is seen by those who have it open.
fn overwrite((_, content): &Deed, path: &Path) {
    let Some(content) = content else { return fs::remove_file(path).unwrap() };
    let file = File::options().write(true).open(path).unwrap();
    file.write_all_at(&content.bytes, 0).unwrap();
    file.set_len(content.file_len()).unwrap();
}

/// The files of `fcache` that have one entry each.
fn is_entry(path: &Path) -> bool {
    path.file_name().unwrap().len() == 32
}

/// A cache that is damaged repeatedly.
struct Damage<'a> {
    cell: &'a mut Cell,
    files: Files,
    random: Random,
}

impl<'a> Damage<'a> {
    fn begin(cell: &'a mut Cell) -> Self {
        let dir = cell.dir.join("whole");
        let session = filled(cell.kind, &dir);
        // The last process that ends removes the log of a shared database. One that is killed does not.
        let killed = cell.kind.is_in_shared_database().then(|| Files::read(&dir));
        session.end();
        let ended = || if cell.kind == Kind::Memory { Files::default() } else { Files::read(&dir) };
        Self { files: killed.unwrap_or_else(ended), cell, random: Random(1) }
    }

    /// Damages each file of a cache that is open, uses it, and uses it again after it was closed.
    fn each_while_open(&mut self, deeds: impl Fn(&mut Random, &Content) -> Vec<Deed>) {
        for (path, content) in self.files.0.clone() {
            let mut deeds = deeds(&mut self.random, &content);
            let is_mapped = self.cell.kind.maps(&path);
            // The system ends a process that reads mapped memory whose file was cut short.
            deeds.retain(|deed| !is_mapped || !is_cut(deed, &content));
            for deed in deeds {
                let (kind, place) = (self.cell.kind, path.clone());
                let case = format!("{} {} while open", path.display(), deed.0);
                let dir = tempfile::tempdir_in(&self.cell.dir).unwrap();
                self.judge(&case, &dir, move |root| {
                    let session = filled(kind, root);
                    if root.join(&place).exists() {
                        overwrite(&deed, &root.join(&place));
                    }
                    // It need not be noticed at once. An engine that keeps files open notices it when it is opened again.
                    sleep(Duration::from_millis(20));
                    let before = session.computed.get();
                    let mut seen = twice(session, 0..KEYS);
                    seen.computed -= before;
                    vec![seen, round(kind, root, 0..KEYS), round(kind, root, 0..KEYS)]
                });
            }
        }
        if self.cell.kind == Kind::Memory {
            self.survives(&"no files", |_| ());
        }
    }

    fn each(&mut self, deeds: impl Fn(&mut Random, &Path, &Content) -> Vec<Deed>) {
        for (path, content) in self.files.0.clone() {
            for deed in deeds(&mut self.random, &path, &content) {
                self.survives(&format!("{} {}", path.display(), deed.0), |root| inflict(&deed, &root.join(&path)));
            }
        }
        if self.cell.kind == Kind::Memory {
            self.survives(&"no files", |_| ());
        }
    }

    /// Damages the cache, uses it, and uses it again.
    fn survives(&mut self, case: &impl Display, damage: impl FnOnce(&Path)) {
        let dir = tempfile::tempdir_in(&self.cell.dir).unwrap();
        self.files.write(dir.path());
        damage(dir.path());
        let kind = self.cell.kind;
        self.judge(case, &dir, move |root| [0, 1].map(|_| round(kind, root, 0..KEYS)).into());
    }

    /// Judges what was seen with the fault, and last after it.
    fn judge(&mut self, case: &impl Display, dir: &TempDir, tried: impl FnOnce(&Path) -> Vec<Round> + Send + 'static) {
        let root = dir.path().to_owned();
        // A case that panics or hangs must not hide the others.
        match catch_unwind(AssertUnwindSafe(|| within(PATIENCE, move || tried(&root)))) {
            Ok(mut rounds) => {
                let last = rounds.pop().filter(|_| self.cell.kind != Kind::Memory);
                for seen in &rounds {
                    self.cell.check(case, seen);
                }
                if let Some(seen) = &last {
                    self.cell.healed(case, seen);
                }
            }
            Err(panic) => {
                let message = panic.downcast_ref::<String>().cloned().unwrap_or_default();
                self.cell.expect(false, case, message);
            }
        }
    }
}

/// Some pairs of files. The tests of the database cover all pairs.
fn two_deleted(test: &mut Damage<'_>) {
    let files = test.files.paths();
    for _ in 0..2 * soak("TWAT_CACHE_TEST_PLACES", 3) {
        let [one, other] = [(); 2].map(|()| files.get(test.random.index(files.len().max(1))).cloned());
        let case = format!("{one:?} and {other:?} deleted");
        test.survives(&case, |root| {
            for path in one.iter().chain(other.iter().filter(|other| Some(*other) != one.as_ref())) {
                fs::remove_file(root.join(path)).unwrap();
            }
        });
    }
}

/// By a byte that is likely in this kind of file, and by one that is not.
fn exchange(test: &mut Damage<'_>) {
    let files = test.files.clone();
    let is_beside = |one: &Path, other: &Path| is_entry(one) == is_entry(other) && one.extension() == other.extension();
    test.each(|random, path, _| {
        let others: Vec<_> = files.paths().into_iter().filter(|other| other != path).collect();
        let (alike, unlike): (Vec<PathBuf>, Vec<_>) = others.into_iter().partition(|other| is_beside(path, other));
        let groups = [alike, unlike].into_iter().filter(|others| !others.is_empty());
        groups.map(|others| exchanged(&files, random.choose::<PathBuf>(&others))).collect()
    });
}

fn change_version(test: &mut Damage<'_>) {
    test.each(|_, path, content| match () {
        // After six letters of magic.
        () if is_entry(path) || path.ends_with("meta") || path.ends_with("meta-1") => vec![flipped(content, 6, 3)],
        // SQLite's `user_version`.
        () if path.ends_with("entries-1.db") => vec![flipped(content, 63, 2)],
        // Behind three letters.
        () if path.ends_with("bcache/version") => vec![flipped(content, 3, 4)],
        () => Vec::new(),
    });
    if test.cell.kind.has_database() {
        let kind = test.cell.kind;
        test.survives(&"all entries in the database", |root| {
            let session = Session::open(kind, root);
            session.call_all(0..1);
            session.wrapper.change_entries(|entry| entry[0] = 2);
            session.end();
        });
    }
}
