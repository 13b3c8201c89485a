mod open;
mod traits;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;
use twat_cache_core::among::Latest;
use twat_cache_core::among::last_check::{AT_ONCE, LastCheck, uptime};
use twat_cache_core::among::system::touch;
use twat_cache_core::persist::{Options, Rkyv};
use twat_cache_core::{Args, Clock, Error, ErrorKind, KeyHash, Process, Ticket, WarnOnce};

use self::open::Digest;
use crate::codec::FileCodec;
use crate::counts::Counts;
use crate::directory::{self, Directory};
use crate::read::{Reading, load};
use crate::table::{self, Open, Table};

/// Results in files, one each. All processes that use the same directory share them.
///
/// It is made by [`fcache`](crate::fcache)`(name).open()`, and by its `wrap`s as the primary of a
/// [`Fallback`](twat_cache_core::Fallback). An entry is found by the digest of its arguments. Lookups and changes take
/// constant time, as far as the file system does. `len` looks at all entries.
///
/// After `clear` has returned, no process of this machine finds what was there. A thread removes the files in the background,
/// and evicts entries above the limit. Until a file is removed, it counts towards the limit. If the program ends before that,
/// the next one that opens the cache goes on. A process that cannot make a thread, and one on a network file system, removes
/// the files before `clear` returns.
///
/// Writes go to the operating system's buffers. So a stored result survives the process, however it ends, but not a power
/// cut.
pub struct FileStore<V, C: FileCodec<V> = Rkyv> {
    path: PathBuf,
    options: Options,
    reading: Reading,
    directory: Latest<Directory>,
    /// Locked while the directory is opened.
    opening: Mutex<()>,
    /// The secret of the first directory. One that replaces it gets the same.
    secret: OnceLock<[u8; 16]>,
    /// Of the counters: whether they can be read,
    whole: LastCheck,
    /// and whether other processes use them.
    in_use: LastCheck,
    /// The same, by the coarse clock.
    near_in_use: LastCheck,
    table: Table<C::Entry>,
    /// How many entries this store has evicted.
    evicted: Arc<AtomicU64>,
    warned: WarnOnce,
    process: Process,
    /// Of the process: whether it is still the same.
    same_process: LastCheck,
}

/// How long, in nanoseconds, it may take to notice that the directory was moved away.
const MOVED: u64 = 10_000_000;

impl<V, C: FileCodec<V>> FileStore<V, C> {
    pub(crate) fn new(options: Options, reading: Reading) -> Self {
        Self {
            path: options.root().map(|root| root.join(directory::name_for(&options.name))).unwrap_or_default(),
            options,
            reading,
            directory: Latest::default(),
            opening: Mutex::new(()),
            secret: OnceLock::new(),
            whole: LastCheck::default(),
            in_use: LastCheck::default(),
            near_in_use: LastCheck::default(),
            table: table::new(),
            evicted: Arc::default(),
            warned: WarnOnce::new(),
            process: Process::this(),
            same_process: LastCheck::default(),
        }
    }

    /// Opens the directory now, if it is not open. Everything that uses the directory opens it if need be.
    pub fn open(&self) -> Result<(), Error> {
        self.directory().map(drop)
    }

    /// The directory of this cache, in the cache directory. Empty if there is no cache directory on this system.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file of the result for these arguments. It need not exist. It can be read or copied, but only this library may
    /// change it.
    pub fn path_of<K: Args + ?Sized>(&self, key: &K) -> Result<PathBuf, Error> {
        let directory = self.directory()?;
        Ok(directory.path_of(directory.digest(key)))
    }

    /// The entry of a key, if it is valid.
    #[inline]
    fn find<K: Args + ?Sized>(&self, key: &K) -> Result<Option<Arc<Open<C::Entry>>>, Error> {
        if !self.options.keeps() {
            return Ok(None);
        }
        let now = uptime();
        self.check_process(now)?;
        let Some(directory) = self.directory.get().filter(|directory| self.can_use_table(directory, now)) else {
            let directory = self.directory()?;
            return self.load(directory, directory.digest(key));
        };
        let digest = directory.digest(key);
        let open = self.table.get(&digest).filter(|open| {
            directory.meta.state(digest) == Some(open.generation.load(Ordering::Acquire))
                && open.is_whole(now, || directory.path_of(digest))
                && self.options.expiry.allows(open.header.deadline)
        });
        let is_marked = |open: &Open<C::Entry>| open.used.load(Ordering::Relaxed) >= directory.meta.recent();
        match open {
            Some(open) if is_marked(&open) => Ok(Some(open)),
            Some(open) => {
                mark_as_used(&open, directory, &directory.path_of(digest));
                Ok(Some(open))
            }
            None => self.load(directory, digest),
        }
    }

    /// Whether the counters can be read, so that the table can be used.
    #[inline]
    fn can_use_table(&self, directory: &Directory, now: u64) -> bool {
        !directory.is_remote
            && self.whole.passes(now, AT_ONCE, || directory.meta.is_whole())
            && self.in_use.passes(now, MOVED, || directory.meta.is_in_use())
    }

    /// The entry of a digest: from the table if it is still the one on disk, or else from there.
    #[cold]
    fn load(&self, directory: &Directory, digest: KeyHash) -> Result<Option<Arc<Open<C::Entry>>>, Error> {
        // First of all, so that the next lookup notices what changes from now on.
        let generation = directory.meta.state(digest).unwrap_or_default();
        let path = directory.path_of(digest);
        let expiry = &self.options.expiry;
        if let Some(open) = self.table.get(&digest) {
            if !directory.is_remote && expiry.allows(open.header.deadline) && open.is_still_at(&path) {
                open.generation.store(generation, Ordering::Release);
                mark_as_used(&open, directory, &path);
                return Ok(Some(open));
            }
            self.table.remove(&digest);
        }
        let loaded = load::<V, C>(directory, digest, &path, self.reading, expiry).map_err(|error| error.at(&path))?;
        let Some(loaded) = loaded else { return Ok(None) };
        let open = Arc::new(Open::new(loaded, generation));
        mark_as_used(&open, directory, &path);
        self.table.insert(digest, open.clone());
        Ok(Some(open))
    }

    /// The value of a key, and its deadline.
    fn value<K: Args + ?Sized>(&self, key: &K) -> Result<Option<(V, u64)>, Error> {
        let Some(open) = self.find(key)? else { return Ok(None) };
        let value = C::value(&open.entry).map_err(|error| error.at(self.path()))?;
        Ok(Some((value, open.header.deadline)))
    }

    /// Stores a value, unless its computation is outdated; returns whether it was not.
    fn store<K: Args + ?Sized>(
        &self,
        key: &K,
        value: &V,
        time: Option<Duration>,
        ticket: Option<Ticket>,
    ) -> Result<bool, Error> {
        let attempt = "write an entry";
        let Options { max_bytes, expiry, .. } = &self.options;
        if !self.options.keeps() {
            return Ok(true);
        }
        let is_kept = expiry.of_entry(time) != Some(Duration::ZERO);
        let (digest, deadline) = (Digest::default(), expiry.deadline(time));
        let kept = is_kept.then_some((value, deadline));
        self.change(attempt, |directory, is_repeated| {
            let digest = digest.of(key, directory);
            if ticket.is_some_and(|ticket| ticket.number == 0) {
                let why = "the beginning of its computation could not be noted";
                return Err(Error::new(ErrorKind::Io, attempt).at(self.path()).because(why));
            }
            // What was forgotten since the computation began may have been noted in the counters that are lost.
            let stored = if is_repeated && ticket.is_some() {
                directory.remove(digest, expiry).map(|_| false)
            } else {
                directory.store::<V, C>(digest, kept, *max_bytes, ticket)
            };
            self.table.remove(&digest);
            if deadline != 0 && stored.is_ok() {
                // If this fails, the next entry that is stored is the next attempt.
                let _ = directory.evictor.remove_expired(expiry.clock.since_1970());
            }
            stored
        })
    }
}

/// Marks an entry's file as used, unless it was marked recently. An entry that cannot be marked may be evicted early.
#[cold]
fn mark_as_used<E>(open: &Open<E>, directory: &Directory, path: &Path) {
    let recent = directory.meta.recent();
    if open.used.load(Ordering::Relaxed) >= recent {
        return;
    }
    // If the clock was set back, the current time would never be recent.
    let now = Clock::system().since_1970().max(recent);
    open.used.store(now, Ordering::Relaxed);
    let _ = touch(path, now);
}
