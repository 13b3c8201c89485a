//! The file that all processes have open: the secret of a cache, its counters, and [the order of its results](super::order).

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use twat_cache_core::persist::trust;
use twat_cache_core::{Clock, Error, ErrorKind, Namespace};
use xxhash_rust::xxh3::xxh3_64;

use super::lock::RangeLock;
use super::order::{self, Order};
use crate::map::Words;
use crate::system;
use crate::system::private::Private;
use crate::temp::Temp;

/// The file `meta`, little-endian. All processes map its first 64 bytes if it is provably private.
///
/// | bytes | |
/// |---|---|
/// | 0–7 | `twatfm`, and the version of this format in 16 bits: 3 |
/// | 8–23 | secret |
/// | 24–31 | xxh3 of the bytes before |
/// | 32–39 | generation: changes with every entry that is stored, forgotten or evicted |
/// | 40–47 | how many bytes all entries have together |
/// | 48–55 | how many bytes were ever written |
/// | 56–63 | a time, in nanoseconds since 1970: an entry that was used since then was used recently |
/// | 64–16447 | [stripes](Order) |
#[derive(Debug)]
pub(crate) struct Meta {
    path: PathBuf,
    file: Arc<File>,
    pub(crate) secret: [u8; 16],
    pub(crate) is_writable: bool,
    /// To read the counters without a system call. Nothing is written there: on a disk that is full or has become read-only,
    /// that would kill the process.
    words: Option<Words>,
    /// For the threads of this process that change the counts.
    changing: Mutex<()>,
    pub(crate) order: Order,
    identity: (u64, u64),
}

/// The words of the file that change. Two of them are counts, which change together.
const GENERATION: usize = 4;
const COUNTS: usize = 5;
const RECENT: usize = 7;

const HEAD: usize = 64;
const MAGIC: [u8; 8] = *b"twatfm\x03\0";

/// More bytes than any cache has: the number of bytes is not known, and has to be counted.
pub(crate) const UNKNOWN: u64 = 1 << 62;

impl Meta {
    /// The meta of a cache. If it is damaged, it is made anew, with this secret if one is `known`, and the damage is returned.
    pub(crate) fn open(cache: &Path, known: Option<[u8; 16]>) -> Result<(Self, Option<Error>), Error> {
        let path = cache.join("meta");
        let mut damage = None;
        let mut open = || {
            // Other processes may be making it. The first one decides on the secret.
            for _ in 0..16 {
                match Self::read(cache, &path) {
                    Ok(Some(meta)) => return Ok(meta),
                    Ok(None) => {
                        damage = Some(Error::new(ErrorKind::Corrupt, "read the counters of the cache").at(&path));
                        system::remove(&path)?;
                    }
                    Err(error) if system::is_absent(&error) => drop(make(cache, known)?.name(&path)?),
                    Err(error) => return Err(error),
                }
            }
            Err(io::ErrorKind::Interrupted.into())
        };
        let opened = open().map_err(|error| Error::from(error).attempting("open the cache").at(&path))?;
        Ok((opened, damage))
    }

    /// `None` if it is damaged.
    fn read(cache: &Path, path: &Path) -> io::Result<Option<Self>> {
        let found = system::stat_of(path)?;
        if !found.is_own_file() || found.len != order::END {
            return Ok(None);
        }
        let (file, is_writable) = match trust::options().read(true).write(true).open(path) {
            // A process that may only read can still use what is there.
            Err(error)
                if matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem) =>
            {
                (trust::options().read(true).open(path)?, false)
            }
            file => (file?, true),
        };
        let mut bytes = [0; HEAD];
        system::read_at(&file, &mut bytes, 0)?;
        if bytes[..8] != MAGIC || bytes[24..32] != xxh3_64(&bytes[..24]).to_le_bytes() {
            return Ok(None);
        }
        let mut secret = [0; 16];
        secret.copy_from_slice(&bytes[8..24]);
        let stat = system::stat(&file)?;
        let proof = Private::prove(&stat, cache, cache).filter(|_| is_writable);
        let words = proof.and_then(|proof| Words::map(&file, proof).ok());
        let file = Arc::new(file);
        Ok(Some(Self {
            path: path.to_owned(),
            order: Order::new(file.clone(), !system::is_local(cache)),
            file,
            secret,
            is_writable,
            words,
            changing: Mutex::new(()),
            identity: stat.identity,
        }))
    }

    /// Whether it would be writable if it was opened again.
    pub(crate) fn could_be_writable(&self) -> bool {
        trust::options().read(true).write(true).open(&self.path).is_ok()
    }

    /// Whether the words can be read: the file still has its length, and a name.
    pub(crate) fn is_whole(&self) -> bool {
        system::stat(&self.file).is_ok_and(|file| file.len == order::END && file.links > 0)
    }

    /// Whether other processes use the same file. Somebody may have moved it away, alone or with the whole cache.
    pub(crate) fn is_in_use(&self) -> bool {
        system::stat_of(&self.path).is_ok_and(|file| file.len == order::END && file.identity == self.identity)
    }

    /// The generation in which entries are looked up. When it has changed, they are looked up again. `None` if it is not known.
    #[inline]
    pub(crate) fn generation(&self) -> Option<u64> {
        self.load(GENERATION).ok()
    }

    /// An entry that was last used before this time is marked when it is used again.
    #[inline]
    pub(crate) fn recent(&self) -> u64 {
        self.load(RECENT).unwrap_or(0)
    }

    /// Tells all processes that an entry has changed.
    pub(crate) fn outdate(&self) -> io::Result<()> {
        // No process ever writes the same number again, not even one that was forked from this one.
        system::write_at(&self.file, &Namespace::random().id().to_le_bytes(), offset_of(GENERATION))
    }

    /// How many bytes all entries have together, and how many were ever written.
    pub(crate) fn counts(&self) -> io::Result<[u64; 2]> {
        let mut words = [[0; 8]; 2];
        system::read_at(&self.file, words.as_flattened_mut(), offset_of(COUNTS))?;
        Ok(words.map(u64::from_le_bytes))
    }

    pub(crate) fn held(&self) -> io::Result<u64> {
        self.counts().map(|[held, _]| held)
    }

    /// Counts an entry before it is stored, and returns how many bytes there are then. Each time `part` bytes were written,
    /// entries that were last used before are not recent any more.
    pub(crate) fn add(&self, bytes: u64, part: u64) -> u64 {
        let part = part.max(1);
        let mut is_due = false;
        let held = self.change(|[held, written]| {
            let now = written.wrapping_add(bytes);
            is_due = written / part != now / part;
            [held.saturating_add(bytes), now]
        });
        if is_due {
            // If this fails, an entry is marked once more or once less.
            let _ = system::write_at(&self.file, &Clock::system().since_1970().to_le_bytes(), offset_of(RECENT));
        }
        held
    }

    /// Returns how many bytes there are then.
    pub(crate) fn subtract(&self, bytes: u64) -> u64 {
        self.change(|[held, written]| [held.saturating_sub(bytes), written])
    }

    /// Corrects the count. The counts were `before` when somebody began to look, and found that at least and at most this many
    /// bytes are there. What was added or subtracted meanwhile may have been found or not, so only a count that must be wrong
    /// is changed.
    pub(crate) fn correct(&self, before: [u64; 2], least: u64, most: u64) {
        self.change(|[held, written]| {
            let added = written.wrapping_sub(before[1]);
            let missing = least.saturating_sub(before[0].saturating_add(added));
            let excess = held.saturating_sub(added).saturating_sub(most);
            [held.saturating_add(missing).saturating_sub(excess), written]
        });
    }

    #[inline]
    fn load(&self, word: usize) -> io::Result<u64> {
        self.words.as_ref().map_or_else(|| self.read_word(word), |words| Ok(u64::from_le(words.load(word))))
    }

    fn read_word(&self, word: usize) -> io::Result<u64> {
        let mut bytes = [0; 8];
        system::read_at(&self.file, &mut bytes, offset_of(word))?;
        Ok(u64::from_le_bytes(bytes))
    }

    /// Changes both counts, and returns the first. A change that fails is found when all entries are counted.
    fn change(&self, to: impl FnOnce([u64; 2]) -> [u64; 2]) -> u64 {
        let _thread = self.changing.lock();
        // Without this lock, a change may get lost. Then it is found when all entries are counted.
        let _process = RangeLock::take(&self.file, offset_of(COUNTS), 1);
        let Ok(counts) = self.counts() else { return 0 };
        let counts = to(counts);
        let _ = system::write_at(&self.file, counts.map(u64::to_le_bytes).as_flattened(), offset_of(COUNTS));
        counts[0]
    }
}

/// Where a word is in the file.
fn offset_of(word: usize) -> u64 {
    word as u64 * 8
}

/// A new one, which has no name yet.
fn make(cache: &Path, known: Option<[u8; 16]>) -> io::Result<Temp> {
    let mut bytes = [0; HEAD];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..24].copy_from_slice(&known.unwrap_or_else(Namespace::random_secret));
    let sum = xxh3_64(&bytes[..24]);
    bytes[24..32].copy_from_slice(&sum.to_le_bytes());
    bytes[32..40].copy_from_slice(&Namespace::random().id().to_le_bytes());
    bytes[40..48].copy_from_slice(&UNKNOWN.to_le_bytes());
    let temp = Temp::new(&cache.join("tmp"), 0o600)?;
    // The whole file is written, so that it can be changed when the disk is full.
    system::write_at(&temp.file, &[&bytes[..], &Order::of_new_file()].concat(), 0)?;
    Ok(temp)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_corrected_if_it_must_be_wrong_whatever_happens_meanwhile() {
        let dir = tempfile::tempdir().unwrap();
        let meta = Meta::open(dir.path(), None).unwrap().0;
        let held = || meta.held().unwrap();
        // Nothing is known at first.
        let before = meta.counts().unwrap();
        meta.add(5, 1);
        meta.correct(before, 100, 100);
        assert_eq!(held(), 105, "what was added may not have been found");
        for wrong in [50, 150] {
            meta.change(|[_, written]| [wrong, written]);
            meta.correct(meta.counts().unwrap(), 100, 100);
            assert_eq!(held(), 100);
        }
        // Entries may be found before they are removed, and before or after they are added.
        let before = meta.counts().unwrap();
        meta.add(30, 1);
        meta.subtract(40);
        for found in [60, 90, 130] {
            meta.correct(before, found, found);
            assert_eq!(held(), 90, "{found}");
        }
        meta.correct(before, 140, 140);
        assert_eq!(held(), 100, "there were ten more at first");
        meta.correct(before, 50, 50);
        assert_eq!(held(), 80, "there were too few at first");
    }
}
