//! What lies on disk, read and put back.

#![allow(missing_docs, missing_debug_implementations, reason = "the names say it")]
#![allow(clippy::len_without_is_empty, clippy::should_implement_trait, reason = "these are for tests alone")]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

/// All files below a directory. The zeros at a file's end are not kept, only their number: the engine makes its journal
/// 64 MiB long before it has anything to write.
#[derive(Clone, Debug, Default)]
pub struct Files(pub BTreeMap<PathBuf, Content>);

#[derive(Clone, Debug)]
pub struct Content {
    pub bytes: Vec<u8>,
    pub zeros: u64,
}

impl Files {
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

    pub fn write(&self, root: &Path) {
        for (path, content) in &self.0 {
            content.write(&root.join(path));
        }
    }

    /// The paths of all of them.
    pub fn paths(&self) -> Vec<PathBuf> {
        self.0.keys().cloned().collect()
    }
}

impl Content {
    pub fn new(mut bytes: Vec<u8>) -> Self {
        let written = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        let zeros = (bytes.len() - written) as u64;
        bytes.truncate(written);
        bytes.shrink_to_fit();
        Self { bytes, zeros }
    }

    pub fn write(&self, path: &Path) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut file = File::create(path).unwrap();
        file.write_all(&self.bytes).unwrap();
        file.set_len(self.bytes.len() as u64 + self.zeros).unwrap();
    }

    /// Where something is written in it; the zeros behind it count as a few.
    pub fn len(&self) -> usize {
        self.bytes.len() + usize::try_from(self.zeros.min(16)).unwrap()
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

/// Random numbers, the same in every run.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }
}
