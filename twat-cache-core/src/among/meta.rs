//! The file that all processes have open: the secret of a cache, its counters, and [the order of its results](super::order).

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use xxhash_rust::xxh3::xxh3_64;

use super::lock::RangeLock;
use super::order::{self, Order, STRIPES, stripe_of};
use super::system;
use super::system::private::Private;
use super::temp::Temp;
use super::words::Words;
use crate::persist::trust;
use crate::{Error, ErrorKind, KeyHash, Namespace, Stamp};

/// The file, little-endian. All processes map it if it is provably private.
///
/// | bytes | |
/// |---|---|
/// | 0–7 | `twatfm`, and the version of this format in 16 bits: 5 |
/// | 8–23 | secret |
/// | 24–31 | xxh3 of the bytes before |
/// | 32–63 | four words of the store |
/// | 64–32831 | [stripes](Order) |
/// | 32832–49215 | the generation of each stripe |
/// | 49216–65599 | another number for each stripe, which is a random one after each eviction |
#[derive(Debug)]
pub struct Meta {
    path: PathBuf,
    file: Arc<File>,
    pub secret: [u8; 16],
    pub is_writable: bool,
    /// To read the counters without a system call. Nothing is written there: on a disk that is full or has become read-only,
    /// that would kill the process.
    words: Option<Words>,
    /// For the threads of this process that change words of the store.
    changing: Mutex<()>,
    pub order: Order,
    identity: (u64, u64),
}

/// Where the words of the store, the generations and the evictions are, in words.
const OWN: usize = 4;
const GENERATIONS: usize = order::END_WORD;
const EVICTIONS: usize = GENERATIONS + STRIPES;
const LEN: usize = (EVICTIONS + STRIPES) * 8;

const HEAD: usize = 64;
const MAGIC: [u8; 8] = *b"twatfm\x05\0";

impl Meta {
    /// The file of this name in the directory of a cache. If it is damaged, it is made anew, and the damage is returned. A new
    /// one has the secret that is `known`, or else a random one, and these words of the store.
    pub fn open(
        cache: &Path,
        name: &str,
        known: Option<[u8; 16]>,
        own: [u64; 4],
    ) -> Result<(Self, Option<Error>), Error> {
        let path = cache.join(name);
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
                    Err(error) if system::is_absent(&error) => drop(make(cache, known, own)?.name(&path)?),
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
        if !found.is_own_file() || found.len != LEN as u64 {
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
        let words = proof.and_then(|proof| Words::map(&file, LEN / 8, proof).ok());
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
    pub fn could_be_writable(&self) -> bool {
        trust::options().read(true).write(true).open(&self.path).is_ok()
    }

    /// Whether the words can be read: the file still has its length, and a name.
    pub fn is_whole(&self) -> bool {
        system::stat(&self.file).is_ok_and(|file| file.len == LEN as u64 && file.links > 0)
    }

    /// Whether other processes use the same file. Somebody may have moved it away, alone or with the whole cache.
    pub fn is_in_use(&self) -> bool {
        system::stat_of(&self.path).is_ok_and(|file| file.len == LEN as u64 && file.identity == self.identity)
    }

    /// A number that changes when an entry of the stripe of this digest is changed or evicted; `None` if it cannot be read.
    #[inline]
    pub fn state(&self, digest: KeyHash) -> Option<u64> {
        let stripe = stripe_of(digest);
        Some(self.load(GENERATIONS + stripe).ok()?.wrapping_add(self.load(EVICTIONS + stripe).ok()?))
    }

    /// The stripe of this digest and its generation.
    pub fn stamp(&self, digest: KeyHash) -> Option<Stamp> {
        let stripe = stripe_of(digest);
        Some(Stamp { stripe: u32::try_from(stripe).ok()?, generation: self.load(GENERATIONS + stripe).ok()? })
    }

    /// Whether the stripe of this stamp still has its generation.
    #[inline]
    pub fn is_current(&self, stamp: Stamp) -> bool {
        let stripe = stamp.stripe as usize % STRIPES;
        self.load(GENERATIONS + stripe).is_ok_and(|generation| generation == stamp.generation)
    }

    /// Tells all processes that entries of the stripe of this digest have changed.
    pub fn outdate(&self, digest: KeyHash) -> io::Result<()> {
        // No process ever writes the same number again, not even one that was forked from this one.
        self.store(GENERATIONS + stripe_of(digest), Namespace::random().id())
    }

    /// Tells all processes that entries of the stripe of this digest were evicted. Copies of them are still valid.
    pub fn outdate_state(&self, digest: KeyHash) -> io::Result<()> {
        self.store(EVICTIONS + stripe_of(digest), Namespace::random().id())
    }

    /// Tells all processes that any entries may have changed.
    pub fn outdate_all(&self) -> io::Result<()> {
        system::write_at(&self.file, &generations(), offset_of(GENERATIONS))
    }

    /// A word of the store.
    #[inline]
    pub fn own(&self, word: usize) -> io::Result<u64> {
        self.load(OWN + word)
    }

    /// Two words of the store, which change together.
    pub fn own_pair(&self, first: usize) -> io::Result<[u64; 2]> {
        let mut words = [[0; 8]; 2];
        system::read_at(&self.file, words.as_flattened_mut(), offset_of(OWN + first))?;
        Ok(words.map(u64::from_le_bytes))
    }

    /// Sets a word of the store.
    pub fn set_own(&self, word: usize, value: u64) -> io::Result<()> {
        self.store(OWN + word, value)
    }

    /// Locks a word of the store among processes, and waits for it at most 200 ms. `None` if the process that holds it has
    /// stopped.
    pub fn lock_own(&self, word: usize) -> io::Result<Option<RangeLock>> {
        RangeLock::take(&self.file, offset_of(OWN + word), 1)
    }

    /// [Locks a word](Self::lock_own) if no other process holds it.
    pub fn try_lock_own(&self, word: usize) -> io::Result<Option<RangeLock>> {
        RangeLock::try_take(&self.file, offset_of(OWN + word), 1)
    }

    /// Changes two words of the store, and returns them. A change may get lost if another process has stopped during one.
    pub fn change_own(&self, first: usize, to: impl FnOnce([u64; 2]) -> [u64; 2]) -> io::Result<[u64; 2]> {
        let _thread = self.changing.lock();
        let _process = RangeLock::take(&self.file, offset_of(OWN + first), 1);
        let words = to(self.own_pair(first)?);
        system::write_at(&self.file, words.map(u64::to_le_bytes).as_flattened(), offset_of(OWN + first))?;
        Ok(words)
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

    fn store(&self, word: usize, value: u64) -> io::Result<()> {
        system::write_at(&self.file, &value.to_le_bytes(), offset_of(word))
    }
}

/// Where a word is in the file.
fn offset_of(word: usize) -> u64 {
    word as u64 * 8
}

/// New generations of all stripes.
fn generations() -> Vec<u8> {
    let first = Namespace::random().id();
    (0..STRIPES as u64).flat_map(|stripe| first.wrapping_add(stripe).to_le_bytes()).collect()
}

/// A new one, which has no name yet.
fn make(cache: &Path, known: Option<[u8; 16]>, own: [u64; 4]) -> io::Result<Temp> {
    let mut head = [0; HEAD];
    head[..8].copy_from_slice(&MAGIC);
    head[8..24].copy_from_slice(&known.unwrap_or_else(Namespace::random_secret));
    let sum = xxh3_64(&head[..24]);
    head[24..32].copy_from_slice(&sum.to_le_bytes());
    head[32..].copy_from_slice(own.map(u64::to_le_bytes).as_flattened());
    let temp = Temp::new(&cache.join("tmp"), 0o600)?;
    // The whole file is written, so that it can be changed when the disk is full.
    system::write_at(&temp.file, &[&head[..], &Order::of_new_file(), &generations(), &generations()].concat(), 0)?;
    Ok(temp)
}
