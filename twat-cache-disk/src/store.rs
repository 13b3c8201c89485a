mod backlog;
mod coding;
mod traits;
mod writing;

use std::path::Path;
use std::sync::{Arc, OnceLock};

use fjall::{Keyspace, Slice};
use twat_cache_core::persist::{ErasedCodec, Header, Options, prepare_root};
use twat_cache_core::{Args, Error, ErrorKind, Namespace};

use self::backlog::Backlog;
use crate::database::Database;
use crate::engine::{Engine, from_fjall};
use crate::entry::{self, Key};
use crate::registry;
use crate::upkeep::Kept;
use crate::usage::{self, Bounds};

/// Results in a [fjall] database, found by the digest of their arguments.
///
/// [`bcache`](crate::bcache)`(name).open()` makes one, and its `wrap`s make one as the primary of a
/// [`Fallback`](twat_cache_core::Fallback). All stores of a directory share one database. It is opened when the first of them
/// is used, and closed when the last one is dropped. A lookup or a change takes time logarithmic in the number of entries;
/// `len` looks at all entries of the directory.
///
/// After [`clear`], the disk space is given back within seconds, by a background thread that ends afterwards. To drop the last
/// store takes some tenths of a second after much was stored. If the thread is compacting, it also takes as long as the thread
/// needs for that, about a second for each gigabyte in the directory.
///
/// If the database cannot be opened, an operation is an error, and it is asked for again after a pause of 1 to 30 seconds. Up to
/// 1,024 results that could not be inserted wait, and are stored when the database is open. They may take 64 MiB of memory.
///
/// Writes are synchronous and go to the operating system's buffers. A stored result survives the process, however the process
/// ends. It may be lost in a power cut.
///
/// A sixteenth of the limit is evicted at once: the entries that were written first and not used since. [`evictions`]
/// counts those of them that this process has written, in all stores of this name, version and type. Expired entries that
/// were still there count as well.
///
/// [`clear`]: twat_cache_core::Store::clear
/// [`evictions`]: twat_cache_core::Store::evictions
pub struct DiskStore<V> {
    database: Option<Arc<Kept>>,
    options: Options,
    entries: OnceLock<Entries>,
    codec: ErasedCodec<V>,
    backlog: Backlog,
}

/// Where the entries of a store are: known once the database has been opened.
struct Entries {
    database: Arc<Kept>,
    namespace: Namespace,
    id: u64,
    bounds: Arc<Bounds>,
}

impl Entries {
    fn key<K: Args + ?Sized>(&self, key: &K) -> Key {
        entry::key(self.id, self.namespace.digest_of(key))
    }
}

impl<V> DiskStore<V> {
    pub(crate) fn new(options: Options, codec: ErasedCodec<V>) -> Self {
        let database = options.root().map(|dir| registry::database(&dir, options.max_bytes));
        Self { database, options, entries: OnceLock::new(), codec, backlog: Backlog::default() }
    }

    /// Opens the database now, if it is not open. Every operation does so by itself.
    pub fn open(&self) -> Result<(), Error> {
        self.with("open the database", |_, _| Ok(()))
    }

    /// The directory of the database, in the cache directory. Empty if there is no cache directory on this system.
    pub fn path(&self) -> &Path {
        self.database.as_ref().map_or(Path::new(""), |database| &database.dir)
    }

    /// The engine, which is opened if it is not open. As long as you keep it, a database that fails cannot be opened again. Once
    /// you have had it, journals are not shortened before the database is closed.
    pub fn database(&self) -> Result<fjall::Database, Error> {
        self.with("open the database", |_, engine| Ok(engine.lend().0))
    }

    /// The part of the database that has the entries of all caches.
    pub fn keyspace(&self) -> Result<Keyspace, Error> {
        self.with("open the database", |_, engine| Ok(engine.lend().1))
    }

    #[inline]
    fn entries(&self) -> Result<&Entries, Error> {
        self.entries.get().map_or_else(|| self.find_entries(), Ok)
    }

    #[cold]
    fn find_entries(&self) -> Result<&Entries, Error> {
        let (Some(database), Some(root)) = (self.database.clone(), self.options.root()) else {
            return Err(Error::new(ErrorKind::Unavailable, "find this user's cache directory"));
        };
        // What comes next looks at many directories.
        database.check()?;
        // Also by the path as it was given: the links on the way are checked.
        prepare_root(&root, self.options.trust)?;
        database.prepare_directories(self.options.trust)?;
        let root = database.namespace(self.options.trust)?;
        let namespace = self.codec.within(&self.options.versioned(&root));
        let id = usage::id(self.options.named(&root).id(), namespace.id());
        let bounds = database.usage.lock().bounds(id);
        // Sweeps use the clock that deadlines were made with: the first store's, if several stores have different ones.
        let _ = bounds.clock.set(self.options.expiry.clock.clone());
        Ok(self.entries.get_or_init(|| Entries { database, namespace, id, bounds }))
    }

    /// Does something with the engine, which is opened if it is not open.
    fn with<T>(
        &self,
        attempt: &'static str,
        work: impl FnOnce(&Entries, &Engine) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let entries = self.entries()?;
        entries.database.with(self.options.trust, attempt, |engine| {
            if self.backlog.has_some() {
                self.catch_up(entries, engine);
            }
            work(entries, engine)
        })
    }

    /// The database, if it is not open and this process may open it.
    fn closed(&self) -> Option<&Database> {
        self.database.as_deref().map(|kept| &**kept).filter(|database| database.is_closed())
    }

    fn is_live(&self, entries: &Entries, header: Header) -> bool {
        header.codec == self.codec.id()
            && entries.bounds.is_live(header.epoch)
            && self.options.expiry.allows(header.deadline)
    }

    /// Whether this store may keep an entry. Another one of its name may have a larger limit.
    fn fits(&self, key: Key, entry: &[u8]) -> bool {
        // The engine's values have at most 4 GiB.
        size(key, entry).cast_unsigned() <= self.options.max_bytes && u32::try_from(entry.len()).is_ok()
    }

    fn look<K: Args + ?Sized>(&self, key: &K) -> Result<Option<(V, Header)>, Error> {
        if !self.options.keeps() {
            return Ok(None);
        }
        let entries = self.entries()?;
        let key = entries.key(key);
        let found = self.with("read an entry", |_, engine| read(engine, key))?;
        let Some((header, entry)) = found.filter(|(header, _)| self.is_live(entries, *header)) else {
            return Ok(None);
        };
        let value = self.decode(&entry[Header::LEN..])?;
        if entries.bounds.is_old(header.epoch) && self.fits(key, &entry) {
            self.renew(key, header);
        }
        Ok(Some((value, header)))
    }
}

fn read(engine: &Engine, key: Key) -> Result<Option<(Header, Slice)>, Error> {
    let found = engine.entries.get(key).map_err(|error| from_fjall(error, "read an entry"))?;
    // An entry with another header is of another format, and counts as absent.
    Ok(found.and_then(|entry| Header::split(&entry).map(|(header, _)| header).map(|header| (header, entry))))
}

/// How many bytes of the limit an entry takes.
fn size(key: Key, entry: &[u8]) -> i64 {
    (key.len() + entry.len()).cast_signed() as i64
}

#[cfg(test)]
mod tests;
