//! What all processes share of a cache: its secret, and counters.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use twat_cache_core::{Error, ErrorKind, Namespace, WarnOnce};
use xxhash_rust::xxh3::xxh3_64;

use crate::map::Words;
use crate::system;
use crate::temp::Temp;
use crate::trust;

/// The file `meta`: 64 bytes, little-endian, mapped by all processes if it is provably private.
///
/// | bytes | |
/// |---|---|
/// | 0–7 | `twatfm`, and the version of this format in 16 bits: 1 |
/// | 8–23 | secret |
/// | 24–31 | xxh3 of the bytes before |
/// | 32–39 | generation: changes with every entry that is forgotten or replaced |
/// | 40–47 | bytes held, all areas together |
/// | 48–55 | bytes written since the last moment below |
/// | 56–63 | that moment, in nanoseconds since 1970: what was used since is recent |
#[derive(Debug)]
pub(crate) struct Meta {
    file: File,
    counters: Counters,
    secret: [u8; 16],
}

#[derive(Debug)]
enum Counters {
    Shared(Words),
    /// Read and written by calls: the counts of several processes may then get lost, and are put right when room is made.
    Apart {
        is_writable: bool,
    },
}

/// The words of the file that change.
#[derive(Clone, Copy)]
enum Word {
    Generation = 4,
    Held = 5,
    Written = 6,
    Recent = 7,
}

const LEN: usize = 64;
const MAGIC: [u8; 8] = *b"twatfm\x01\0";
const NAME: &str = "meta";

/// More than anybody holds: it is not known how much there is, and has to be counted.
const UNKNOWN: u64 = 1 << 62;

impl Meta {
    /// The meta of a cache. A damaged one is made anew; with the same secret, if it is `known`.
    pub(crate) fn open(cache: &Path, known: Option<[u8; 16]>, warned: &WarnOnce) -> Result<Self, Error> {
        let path = cache.join(NAME);
        let failed = |error: io::Error| Error::from(error).attempting("open the cache").at(&path);
        // Others may be making it, too. Whoever comes first has the say.
        for _ in 0..8 {
            match Self::read(cache, &path) {
                Ok(Some(meta)) => return Ok(meta),
                Err(error) if system::is_absent(&error) => {
                    let made = make(cache, known).and_then(|meta| meta.link(&path));
                    match made {
                        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(failed(error)),
                        _ => {}
                    }
                }
                Ok(None) => {
                    let damage = Error::new(ErrorKind::Corrupt, "read the counters of the cache").at(&path);
                    warned.warn(&damage, "they are made anew");
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
        if !found.is_file || found.len != LEN as u64 {
            return Ok(None);
        }
        let (file, is_writable) = match system::options().read(true).write(true).open(path) {
            Err(error) if !system::is_absent(&error) => (system::options().read(true).open(path)?, false),
            file => (file?, true),
        };
        let mut bytes = [0; LEN];
        if system::read_at(&file, &mut bytes, 0).is_err()
            || bytes[..8] != MAGIC
            || bytes[24..32] != xxh3_64(&bytes[..24]).to_le_bytes()
        {
            return Ok(None);
        }
        let mut secret = [0; 16];
        secret.copy_from_slice(&bytes[8..24]);
        let proof = trust::prove(&system::stat(&file)?, cache, cache).filter(|_| is_writable);
        let words = proof.and_then(|proof| Words::map(&file, proof).ok());
        let counters = words.map_or(Counters::Apart { is_writable }, Counters::Shared);
        Ok(Some(Self { file, counters, secret }))
    }

    pub(crate) fn secret(&self) -> [u8; 16] {
        self.secret
    }

    /// Whether anything can be changed here.
    pub(crate) fn is_writable(&self) -> bool {
        !matches!(self.counters, Counters::Apart { is_writable: false })
    }

    /// Whether the file is still there, and as long as it was: to be asked before the words are looked at.
    pub(crate) fn is_sound(&self) -> bool {
        system::stat(&self.file).is_ok_and(|file| file.len == LEN as u64 && file.links > 0)
    }

    /// What entries were looked up in. They are to be looked up again when it has changed.
    #[inline]
    pub(crate) fn generation(&self) -> u64 {
        self.load(Word::Generation)
    }

    /// Tells all processes that an entry is not what it was.
    pub(crate) fn outdate(&self) {
        match &self.counters {
            Counters::Shared(words) => {
                words.word(Word::Generation as usize).fetch_add(1, Ordering::AcqRel);
            }
            // Another one than anybody else's, who may be doing the same.
            Counters::Apart { .. } => {
                let [low, high] = [0, 8].map(|at| {
                    let secret = Namespace::random_secret();
                    secret[at..].first_chunk().map_or(0, |half| u64::from_le_bytes(*half))
                });
                self.store(Word::Generation, low ^ high);
            }
        }
    }

    /// How many bytes there are.
    pub(crate) fn held(&self) -> u64 {
        self.load(Word::Held)
    }

    pub(crate) fn add(&self, bytes: u64) {
        self.change(Word::Held, |held| held.saturating_add(bytes));
    }

    pub(crate) fn subtract(&self, bytes: u64) {
        self.change(Word::Held, |held| held.saturating_sub(bytes));
    }

    /// Counts what was written; after each `part`, what was used before is no longer recent.
    pub(crate) fn note_written(&self, bytes: u64, part: u64) {
        let mut is_due = false;
        self.change(Word::Written, |written| {
            let written = written.saturating_add(bytes);
            is_due = written >= part;
            if is_due { 0 } else { written }
        });
        if is_due {
            let now = system::now();
            self.change(Word::Recent, |_| now);
        }
    }

    /// What was used before this moment is to be marked when it is used again.
    #[inline]
    pub(crate) fn recent(&self) -> u64 {
        self.load(Word::Recent)
    }

    #[inline]
    fn load(&self, word: Word) -> u64 {
        match &self.counters {
            Counters::Shared(words) => u64::from_le(words.word(word as usize).load(Ordering::Acquire)),
            Counters::Apart { .. } => self.read_word(word),
        }
    }

    #[cold]
    fn read_word(&self, word: Word) -> u64 {
        static NEXT: AtomicU64 = AtomicU64::new(1 << 63);
        let mut bytes = [0; 8];
        if system::read_at(&self.file, &mut bytes, word as u64 * 8).is_ok() {
            return u64::from_le_bytes(bytes);
        }
        // Nothing that was looked up is trusted then.
        NEXT.fetch_add(1, Ordering::Relaxed)
    }

    fn store(&self, word: Word, value: u64) {
        // It can fail only where a later look fails as well, or finds another file.
        let _ = system::write_at(&self.file, &value.to_le_bytes(), word as u64 * 8);
    }

    fn change(&self, word: Word, mut to: impl FnMut(u64) -> u64) {
        match &self.counters {
            Counters::Shared(words) => {
                let changed = |value| Some(to(u64::from_le(value)).to_le());
                // `changed` never refuses, so this cannot fail.
                let _ = words.word(word as usize).fetch_update(Ordering::AcqRel, Ordering::Acquire, changed);
            }
            Counters::Apart { .. } => self.store(word, to(self.read_word(word))),
        }
    }
}

/// A new one, which has no name yet.
fn make(cache: &Path, known: Option<[u8; 16]>) -> io::Result<Temp> {
    let mut bytes = [0; LEN];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..24].copy_from_slice(&known.unwrap_or_else(Namespace::random_secret));
    let sum = xxh3_64(&bytes[..24]);
    bytes[24..32].copy_from_slice(&sum.to_le_bytes());
    bytes[32..40].copy_from_slice(&Namespace::random_secret()[..8]);
    bytes[40..48].copy_from_slice(&UNKNOWN.to_le_bytes());
    let temp = Temp::new(&cache.join("tmp"), 0o600)?;
    system::write_at(temp.file(), &bytes, 0)?;
    Ok(temp)
}
