//! Damage to the files of a cache: each of them in turn, in any way, and each time the cache must give right values, warn
//! once at most, and heal.

use std::fmt::Display;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use super::dirs::volatile_dir;
use super::files::{Content, Files};
use super::random::Random;
use super::time::{PATIENCE, within};

/// Something that is done at a path, and what it is called.
pub type Act = (&'static str, fn(&Path));

/// What a file becomes, or `None` if it is removed; and what that is called.
pub type Deed = (String, Option<Content>);

/// It is removed.
pub fn removed() -> Deed {
    ("removed".to_owned(), None)
}

/// It is cut to this length.
pub fn cut(content: &Content, len: usize) -> Deed {
    (format!("cut to {len} bytes"), Some(content.truncated(len)))
}

/// Some bits of this byte are flipped.
pub fn flipped(content: &Content, at: usize, bits: u8) -> Deed {
    (format!("flipped by {bits:#x} at {at}"), Some(content.flipped(at, bits)))
}

/// It is replaced by garbage of this length.
pub fn garbage(random: &mut Random, len: usize) -> Deed {
    (format!("replaced by {len} bytes of garbage"), Some(Content::new(random.bytes(len))))
}

/// It is replaced by another one of the cache.
pub fn exchanged(files: &Files, other: &Path) -> Deed {
    (format!("replaced by {}", other.display()), Some(files.0[other].clone()))
}

/// It is cut to each of these lengths, to nothing, and by one byte.
pub fn cuts(content: &Content, lengths: impl IntoIterator<Item = usize>) -> Vec<Deed> {
    let lengths = lengths.into_iter().chain([0, content.len().saturating_sub(1)]);
    lengths.map(|len| cut(content, len)).collect()
}

/// It has some bits flipped at each of these places.
pub fn flips(content: &Content, places: impl IntoIterator<Item = usize>, random: &mut Random) -> Vec<Deed> {
    let mut bits = || u8::try_from(random.below(255)).unwrap() + 1;
    places.into_iter().map(|at| flipped(content, at, bits())).collect()
}

/// Does it to the file at this path.
pub fn inflict(deed: &Deed, path: &Path) {
    match &deed.1 {
        Some(content) => content.write(path),
        None => fs::remove_file(path).unwrap(),
    }
}

/// What the use of a cache came to.
#[derive(Debug)]
pub struct Use {
    /// How many results were computed.
    pub computed: usize,
    /// What was warned of.
    pub warnings: Vec<String>,
}

/// What failed in a test that continues after a failure, so that it reports all cases.
#[derive(Debug, Default)]
pub struct Failures(Vec<String>);

impl Failures {
    /// Runs one case.
    pub fn note(&mut self, case: impl Display, test: impl FnOnce()) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(test)) {
            let message = panic.downcast_ref::<String>().cloned();
            self.0.push(format!("{case}: {}", message.unwrap_or_default()));
        }
    }

    /// None may have failed.
    pub fn end(self) {
        assert!(self.0.is_empty(), "{} cases:\n{}", self.0.len(), self.0.join("\n"));
    }
}

/// A cache that is damaged and used, over and over.
#[derive(Debug)]
pub struct Damage {
    /// Its files, as they are when all is well.
    pub files: Files,
    /// What failed so far.
    pub failures: Failures,
    random: Random,
    results: usize,
    using: fn(&Path) -> Use,
}

impl Damage {
    /// Begins with these files. `using` asks the cache in a directory for this many results, each more than once, and
    /// asserts that they are right.
    pub fn begin(files: Files, results: u64, using: fn(&Path) -> Use) -> Self {
        let (failures, results) = (Failures::default(), usize::try_from(results).unwrap());
        Self { files, failures, random: Random(1), results, using }
    }

    /// Damages a copy of the cache, uses it, and uses it again.
    pub fn survives(&mut self, case: impl Display, damage: impl FnOnce(&Path)) {
        let dir = volatile_dir();
        self.files.write(dir.path());
        damage(dir.path());
        let (using, results) = (self.using, self.results);
        let tried = move || {
            let Use { computed, warnings } = using(dir.path());
            assert!(computed <= results, "{computed} computed");
            assert!(warnings.len() <= 1, "more than one warning: {warnings:#?}");
            let Use { computed, warnings } = using(dir.path());
            assert!(computed == 0 && warnings.is_empty(), "not healed: {computed} computed, {warnings:#?}");
        };
        self.failures.note(case, || within(PATIENCE, tried));
    }

    /// Does something to each file.
    pub fn each(mut self, deeds: impl Fn(&mut Random, &Path, &Content) -> Vec<Deed>) {
        for (path, content) in self.files.0.clone() {
            for deed in deeds(&mut self.random, &path, &content) {
                let case = format!("{} {}", path.display(), deed.0);
                self.survives(case, |root| inflict(&deed, &root.join(&path)));
            }
        }
        self.failures.end();
    }

    /// Does each of these things at each of these paths.
    pub fn each_of(mut self, paths: &[PathBuf], acts: &[Act]) {
        for path in paths {
            for (what, act) in acts {
                self.survives(format_args!("{} {what}", path.display()), |root| act(&root.join(path)));
            }
        }
        self.failures.end();
    }
}
