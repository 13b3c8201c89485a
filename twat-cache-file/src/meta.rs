//! What all processes share of a cache: its secret, counters, and [which results may still be stored](crate::order).

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use twat_cache_core::persist::trust;
use twat_cache_core::{Error, ErrorKind, KeyHash, Namespace};
use xxhash_rust::xxh3::xxh3_64;

use crate::map::Words;
use crate::order::{self, Order, Turn};
use crate::proof;
use crate::region::Region;
use crate::system::{self, FileSystem};
use crate::temp::Temp;

/// The file `meta`, little-endian. Its first 64 bytes are mapped by all processes if it is provably private.
///
/// | bytes | |
/// |---|---|
/// | 0–7 | `twatfm`, and the version of this format in 16 bits: 2 |
/// | 8–23 | secret |
/// | 24–31 | xxh3 of the bytes before |
/// | 32–39 | generation: changes with every entry that is stored, forgotten or evicted |
/// | 40–47 | bytes held, all areas together |
/// | 48–55 | bytes that were ever written |
/// | 56–63 | a moment, in nanoseconds since 1970: what was used since is recent |
/// | 64–16447 | [stripes](Order) |
#[derive(Debug)]
pub(crate) struct Meta {
    path: PathBuf,
    file: File,
    secret: [u8; 16],
    is_writable: bool,
    /// For reading the counters without a call. They are never changed there: on a disk that is full or has become
    /// read-only, that would kill the process.
    words: Option<Words>,
    /// Of those who change the counts, one at a time in this process.
    changing: Mutex<()>,
    order: Order,
    identity: (u64, u64),
}

/// The words of the file that change.
#[derive(Clone, Copy)]
enum Word {
    Generation = 4,
    Held = 5,
    Written = 6,
    Recent = 7,
}

pub(crate) const LEN: u64 = order::END;
const HEAD: usize = 64;
const MAGIC: [u8; 8] = *b"twatfm\x02\0";
const NAME: &str = "meta";

/// More than anybody holds: it is not known how much there is, and has to be counted.
pub(crate) const UNKNOWN: u64 = 1 << 62;

impl Meta {
    /// The meta of a cache. A damaged one is made anew, with the same secret if it is `known`; the damage is reported.
    pub(crate) fn open(cache: &Path, known: Option<[u8; 16]>) -> Result<(Self, Option<Error>), Error> {
        let path = cache.join(NAME);
        let failed = |error: io::Error| Error::from(error).attempting("open the cache").at(&path);
        let mut damage = None;
        // Others may be making it, too. Whoever comes first has the say.
        for _ in 0..8 {
            match Self::read(cache, &path) {
                Ok(Some(meta)) => return Ok((meta, damage)),
                Err(error) if system::is_absent(&error) => {
                    make(cache, known).and_then(|mut meta| meta.name(&path)).map_err(failed)?;
                }
                Ok(None) => {
                    damage = Some(Error::new(ErrorKind::Corrupt, "read the counters of the cache").at(&path));
                    make(cache, known).and_then(|mut meta| meta.rename(&path)).map_err(failed)?;
                }
                Err(error) => return Err(failed(error)),
            }
        }
        Err(failed(io::ErrorKind::Interrupted.into()))
    }

    /// Opens it; `None` if it is not what it should be.
    fn read(cache: &Path, path: &Path) -> io::Result<Option<Self>> {
        let found = system::stat_of(path)?;
        if !found.is_own_file() || found.len != LEN {
            return Ok(None);
        }
        let (file, is_writable) = match trust::options().read(true).write(true).open(path) {
            // For those who may only read, what is there is still worth something.
            Err(error)
                if matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem) =>
            {
                (trust::options().read(true).open(path)?, false)
            }
            file => (file?, true),
        };
        let mut bytes = [0; HEAD];
        match system::read_at(&file, &mut bytes, 0) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            read => read?,
        }
        if bytes[..8] != MAGIC || bytes[24..32] != xxh3_64(&bytes[..24]).to_le_bytes() {
            return Ok(None);
        }
        let mut secret = [0; 16];
        secret.copy_from_slice(&bytes[8..24]);
        let stat = system::stat(&file)?;
        let proof = proof::prove(&stat, cache, cache).filter(|_| is_writable);
        let words = proof.and_then(|proof| Words::map(&file, proof).ok());
        Ok(Some(Self {
            path: path.to_owned(),
            file,
            secret,
            is_writable,
            words,
            changing: Mutex::new(()),
            order: Order::new(system::file_system(cache) != FileSystem::Local),
            identity: stat.identity,
        }))
    }

    pub(crate) fn secret(&self) -> [u8; 16] {
        self.secret
    }

    /// Whether anything can be changed here.
    pub(crate) fn is_writable(&self) -> bool {
        self.is_writable
    }

    /// Whether anything could be changed here if it was opened again.
    pub(crate) fn could_be_writable(&self) -> bool {
        self.is_writable || trust::options().read(true).write(true).open(&self.path).is_ok()
    }

    /// Whether the words can be looked at: the file is as long as it was, and has a name.
    pub(crate) fn is_whole(&self) -> bool {
        system::stat(&self.file).is_ok_and(|file| file.len == LEN && file.links > 0)
    }

    /// Whether, beyond that, it is the one that everybody uses: it may have been moved away, with all that is beside it.
    pub(crate) fn is_sound(&self) -> bool {
        system::stat_of(&self.path).is_ok_and(|file| file.len == LEN && file.identity == self.identity)
    }

    /// What entries were looked up in. They are to be looked up again when it has changed.
    #[inline]
    pub(crate) fn generation(&self) -> u64 {
        self.load(Word::Generation)
    }

    /// What was used before this moment is to be marked when it is used again.
    #[inline]
    pub(crate) fn recent(&self) -> u64 {
        self.load(Word::Recent)
    }

    /// Tells all processes that an entry is not what it was. An error if that cannot be told.
    pub(crate) fn outdate(&self) -> io::Result<()> {
        // Another number than that of any other process, which may do the same.
        static NEXT: LazyLock<AtomicU64> = LazyLock::new(|| random().into());
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        system::write_at(&self.file, &number.to_le_bytes(), Word::Generation.at())
    }

    /// The number of a computation that begins now.
    pub(crate) fn begin(&self, digest: KeyHash) -> io::Result<u64> {
        self.order.begin(&self.file, digest)
    }

    /// Waits until no result of this stripe is stored or removed.
    pub(crate) fn turn(&self, digest: KeyHash) -> Turn<'_> {
        self.order.turn(&self.file, digest)
    }

    /// No result whose computation has begun is stored any more; false if one may be.
    pub(crate) fn raise_all(&self) -> io::Result<bool> {
        self.order.raise_all(&self.file)
    }

    /// How many bytes there are.
    pub(crate) fn held(&self) -> io::Result<u64> {
        self.read_word(Word::Held)
    }

    /// Counts what is about to be stored; after each `part`, what was used before is no longer recent.
    pub(crate) fn note_stored(&self, bytes: u64, part: u64) -> u64 {
        let part = part.max(1);
        let mut is_due = false;
        let held = self.change(|[held, written]| {
            let now = written.wrapping_add(bytes);
            is_due = written / part != now / part;
            [held.saturating_add(bytes), now]
        });
        if is_due {
            // At worst, what is used is marked once more, or once less.
            let _ = system::write_at(&self.file, &system::now().to_le_bytes(), Word::Recent.at());
        }
        held
    }

    /// Says how much there is then.
    pub(crate) fn subtract(&self, bytes: u64) -> u64 {
        self.change(|[held, written]| [held.saturating_sub(bytes), written])
    }

    /// How many bytes were ever written, by all processes.
    pub(crate) fn written(&self) -> u64 {
        self.read_word(Word::Written).unwrap_or(0)
    }

    /// So much was `counted` before somebody has found that at least and at most so much is there.
    pub(crate) fn correct(&self, counted: u64, least: u64, most: u64) {
        self.change(|[held, written]| {
            let (low, high) = (counted.min(held), counted.max(held));
            // Who was faster has corrected it by more than entries come and go.
            let is_corrected = counted >= UNKNOWN && held < UNKNOWN;
            let change = if is_corrected { held } else { held.saturating_sub(low.saturating_sub(most)) };
            [if least > high { least } else { change }, written]
        });
    }

    #[inline]
    fn load(&self, word: Word) -> u64 {
        match &self.words {
            Some(words) => u64::from_le(words.load(word as usize)),
            // What was looked up is not trusted if that cannot be read.
            None => self.read_word(word).unwrap_or_else(|_| {
                static NEXT: AtomicU64 = AtomicU64::new(1 << 63);
                NEXT.fetch_add(1, Ordering::Relaxed)
            }),
        }
    }

    fn read_word(&self, word: Word) -> io::Result<u64> {
        let mut bytes = [0; 8];
        system::read_at(&self.file, &mut bytes, word.at())?;
        Ok(u64::from_le_bytes(bytes))
    }

    /// Changes both counts, and gives the first. What cannot be counted now is counted when all is.
    fn change(&self, to: impl FnOnce([u64; 2]) -> [u64; 2]) -> u64 {
        let _one_at_a_time = self.changing.lock();
        // A count that gets lost is found again.
        let _alone = Region::lock(&self.file, Word::Held.at(), 1);
        let mut bytes = [0; 16];
        if system::read_at(&self.file, &mut bytes, Word::Held.at()).is_err() {
            return 0;
        }
        let [held, written] = [0, 8].map(|at| bytes[at..].first_chunk().map_or(0, |word| u64::from_le_bytes(*word)));
        let [held, written] = to([held, written]);
        bytes[..8].copy_from_slice(&held.to_le_bytes());
        bytes[8..].copy_from_slice(&written.to_le_bytes());
        let _ = system::write_at(&self.file, &bytes, Word::Held.at());
        held
    }
}

impl Word {
    fn at(self) -> u64 {
        self as u64 * 8
    }
}

/// An error if this process must not write as much of a file: to write there kills it.
pub(crate) fn fits() -> io::Result<()> {
    trust::fits(LEN)
}

/// A new one, which has no name yet.
fn make(cache: &Path, known: Option<[u8; 16]>) -> io::Result<Temp> {
    fits()?;
    let mut bytes = [0; HEAD];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..24].copy_from_slice(&known.unwrap_or_else(Namespace::random_secret));
    let sum = xxh3_64(&bytes[..24]);
    bytes[24..32].copy_from_slice(&sum.to_le_bytes());
    bytes[32..40].copy_from_slice(&random().to_le_bytes());
    bytes[40..48].copy_from_slice(&UNKNOWN.to_le_bytes());
    let temp = Temp::new(&cache.join("tmp"), 0o600)?;
    // All of it: where the disk is full, there is room for what is noted there later.
    system::write_at(temp.file(), &[&bytes[..], &Order::of_new_file()].concat(), 0)?;
    Ok(temp)
}

fn random() -> u64 {
    Namespace::random_secret().first_chunk().map_or(0, |number| u64::from_le_bytes(*number))
}
