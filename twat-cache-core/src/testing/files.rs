//! The files of a cache, read into memory, so that they can be written again, changed or not, any number of times.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

/// The names of what is in a directory, in order.
pub fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap().map(Result::unwrap);
    let mut names: Vec<_> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// All files below a directory, by their paths in it.
#[derive(Clone, Debug, Default)]
pub struct Files(pub BTreeMap<PathBuf, Content>);

/// What is in a file. The zeros at its end are only counted: the engine of `bcache` makes its journal 64 MiB long before it
/// has anything to write.
#[derive(Clone, Debug)]
pub struct Content {
    /// All bytes before those zeros.
    pub bytes: Vec<u8>,
    /// How many zeros follow.
    pub zeros: u64,
}

impl Files {
    /// Reads all files below this directory.
    pub fn read(root: &Path) -> Self {
        let mut files = Self::default();
        let mut dirs = vec![root.to_owned()];
        while let Some(dir) = dirs.pop() {
            for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
                if entry.file_type().unwrap().is_dir() {
                    dirs.push(entry.path());
                } else {
                    let path = entry.path().strip_prefix(root).unwrap().to_owned();
                    files.0.insert(path, Content::new(fs::read(entry.path()).unwrap()));
                }
            }
        }
        files
    }

    /// Writes them all below another directory.
    pub fn write(&self, root: &Path) {
        for (path, content) in &self.0 {
            content.write(&root.join(path));
        }
    }

    /// The paths of all of them.
    pub fn paths(&self) -> Vec<PathBuf> {
        self.0.keys().cloned().collect()
    }

    /// The first path of which this is so.
    pub fn find(&self, is_it: impl Fn(&Path) -> bool) -> &Path {
        self.0.keys().find(|path| is_it(path)).expect("there is one")
    }
}

#[expect(clippy::len_without_is_empty, reason = "an empty file is like any other here")]
impl Content {
    /// That of a file with these bytes.
    pub fn new(mut bytes: Vec<u8>) -> Self {
        let written = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        let zeros = (bytes.len() - written) as u64;
        bytes.truncate(written);
        bytes.shrink_to_fit();
        Self { bytes, zeros }
    }

    /// Writes it to a file.
    pub fn write(&self, path: &Path) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut file = File::create(path).unwrap();
        file.write_all(&self.bytes).unwrap();
        file.set_len(self.bytes.len() as u64 + self.zeros).unwrap();
    }

    /// How long the part is in which something is written; of the zeros behind it, a few count.
    pub fn len(&self) -> usize {
        self.bytes.len() + usize::try_from(self.zeros.min(16)).unwrap()
    }

    /// How long the file is.
    pub fn file_len(&self) -> u64 {
        self.bytes.len() as u64 + self.zeros
    }

    /// All bytes of the file.
    pub fn all(&self) -> Vec<u8> {
        self.truncated(usize::try_from(self.file_len()).unwrap()).bytes
    }

    /// The first bytes of it.
    pub fn truncated(&self, len: usize) -> Self {
        let mut bytes = self.bytes.clone();
        bytes.resize(len, 0);
        Self { bytes, zeros: 0 }
    }

    /// With these bits of one byte flipped.
    pub fn flipped(&self, at: usize, bits: u8) -> Self {
        let mut bytes = self.bytes.clone();
        let zeros = self.zeros - (self.len().saturating_sub(self.bytes.len()) as u64).min(self.zeros);
        bytes.resize(self.len(), 0);
        bytes[at] ^= bits;
        Self { bytes, zeros }
    }
}
