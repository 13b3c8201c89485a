//! The engine: its options, its writes, and its errors as those of a store.

pub(crate) mod place;
pub(crate) mod recovery;
pub(crate) mod space;

mod journals;

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use fjall::compaction::Leveled;
use fjall::config::{CompressionPolicy, HashRatioPolicy, PartitioningPolicy, PinningPolicy, RestartIntervalPolicy};
use fjall::{AbstractTree, CompressionType, Database, Keyspace, KeyspaceCreateOptions, PersistMode};
use parking_lot::{Mutex, MutexGuard};
#[cfg(feature = "compress")]
use twat_cache_core::persist::packing::{Packing, Packings};
use twat_cache_core::persist::trust;
use twat_cache_core::{Error, ErrorKind};

use self::journals::Journals;
use self::place::Place;
use crate::sweep::Sweep;

/// An open database.
pub(crate) struct Engine {
    pub(crate) database: Database,
    /// The entries of all caches, the records of their names, and the secret.
    pub(crate) entries: Keyspace,
    /// It takes no more writes, and is to be closed.
    pub(crate) has_failed: AtomicBool,
    /// The program has handles of the engine, which keep it open.
    pub(crate) is_lent: AtomicBool,
    /// How many bytes the journal had at first, and were written since.
    pub(crate) written: AtomicU64,
    /// With how many it is time to look for disk space that nobody needs.
    due: AtomicU64,
    /// How the values of each name are compressed.
    #[cfg(feature = "compress")]
    packings: Packings,
    /// Locked during each write.
    journals: Mutex<Journals>,
    /// Dropped last, when the database is closed.
    pub(crate) place: Arc<Place>,
}

/// The engine freezes a keyspace's options when it makes the keyspace. So other options need another name.
const ENTRIES: &str = "entries-2";

const MIB: u64 = 1 << 20;

/// The engine makes a journal this long before it writes to it.
const JOURNAL: u64 = 64 * MIB;

/// Tables are not longer than a journal, with some room for what is beside their entries.
pub(crate) const LONGEST: u64 = JOURNAL + MIB;

/// After this many bytes, there may be disk space that nobody needs.
const DUE: u64 = 8 * MIB;

/// How long to wait for the engine to catch up.
const PATIENCE: Duration = Duration::from_secs(2);

impl Engine {
    /// Opens the database in `dir`, or makes one. An error if the database is damaged.
    pub(crate) fn open(dir: &Path, max_bytes: u64, sweep: Sweep, place: Arc<Place>) -> Result<Self, Error> {
        let mut journals = Journals::open(dir, recovery::is_there(dir)?)?;
        if let Some(last) = journals.last_missing() {
            // Perhaps the engine has removed them, and the process was killed before that was noted.
            let (_database, entries) = open(dir, max_bytes, None)?;
            if entries.tree.get_highest_persisted_seqno() < Some(last) {
                return Err(Error::new(ErrorKind::Corrupt, "open the database").because("a journal is missing"));
            }
        }
        let (database, entries) = open(dir, max_bytes, Some(Arc::new(sweep)))?;
        journals.begin(&entries)?;
        // A new one is empty.
        let written = journals.newest_len().ok().filter(|len| *len != JOURNAL).unwrap_or(0);
        Ok(Self {
            database,
            entries,
            has_failed: AtomicBool::new(false),
            is_lent: AtomicBool::new(false),
            written: written.into(),
            due: DUE.into(),
            #[cfg(feature = "compress")]
            packings: Packings::default(),
            journals: Mutex::new(journals),
            place,
        })
    }

    /// Lets `write` change the entries. Up to `len` bytes are written.
    pub(crate) fn write(
        &self,
        attempt: &'static str,
        len: usize,
        write: impl FnOnce(&Keyspace) -> fjall::Result<()>,
    ) -> Result<(), Error> {
        let mut journals = self.room(attempt)?;
        if journals.is_time_to_look() && !journals.are_there() {
            return Err(Error::new(ErrorKind::Poisoned, attempt).because("the database was removed while it was open"));
        }
        let failed = |error: io::Error| Error::from(error).attempting(attempt);
        if trust::most_file_bytes() < u64::MAX {
            let longest = journals.newest_len().map_err(failed)?.max(LONGEST);
            trust::fits(longest + len as u64).map_err(failed)?;
        }
        write(&self.entries).map_err(|error| from_fjall(error, attempt))?;
        self.written.fetch_add(len as u64, Ordering::Relaxed);
        journals.follow(&self.database, &self.entries).map_err(failed)
    }

    /// Waits until the engine takes a write at once.
    ///
    /// With four full memtables, or thirty runs in its first level, the engine makes a writer wait inside its write, until
    /// workers have caught up. If the workers have died, it waits without end. So writers wait here, one at a time, and not
    /// without end. One write adds at most two full memtables.
    fn room(&self, attempt: &'static str) -> Result<MutexGuard<'_, Journals>, Error> {
        let end = Instant::now() + PATIENCE;
        let slow = || Error::new(ErrorKind::Io, attempt).because("the disk is too slow for what is being stored");
        let journals = self.journals.try_lock_until(end).ok_or_else(slow)?;
        while self.entries.tree.sealed_memtable_count() >= 2 || self.entries.tree.l0_run_count() >= 20 {
            // An error if the engine has given up.
            self.database.persist(PersistMode::Buffer).map_err(|error| from_fjall(error, attempt))?;
            if Instant::now() >= end {
                return Err(slow());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(journals)
    }

    /// The engine's own handles, for the program.
    pub(crate) fn lend(&self) -> (Database, Keyspace) {
        self.is_lent.store(true, Ordering::Relaxed);
        self.handles()
    }

    pub(crate) fn handles(&self) -> (Database, Keyspace) {
        (self.database.clone(), self.entries.clone())
    }

    /// How the values of a name are compressed.
    #[cfg(feature = "compress")]
    pub(crate) fn packing(&self, name: u64) -> Result<Arc<Packing>, Error> {
        let read = || self.entries.get(crate::entry::dictionary(name));
        self.packings.of(name, || read().map_err(|error| from_fjall(error, "read the dictionary")))
    }

    /// Whether the database is still at its place.
    pub(crate) fn is_there(&self) -> bool {
        self.journals.lock().are_there()
    }

    /// Whether it is time to look for disk space that nobody needs. If so, the next time is when as much more is written.
    pub(crate) fn is_due(&self) -> bool {
        let written = self.written.load(Ordering::Relaxed);
        let is_due = written >= self.due.load(Ordering::Relaxed);
        if is_due {
            self.due.store(written + DUE, Ordering::Relaxed);
        }
        is_due
    }

    /// Notes which journals the engine has begun and removed.
    pub(crate) fn note(&self) -> Result<(), Error> {
        self.journals.lock().note().map_err(|error| Error::from(error).attempting("follow the journals"))
    }

    pub(crate) fn close(self) {
        // The engine panics if its workers have panicked with a lock held.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(self)));
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // If this fails, the next process finds out what it would have noted.
        let _ = self.journals.get_mut().note();
    }
}

/// Opens the database. Without a sweep, its tables stay as they are.
fn open(dir: &Path, max_bytes: u64, sweep: Option<Arc<Sweep>>) -> Result<(Database, Keyspace), Error> {
    let attempt = "open the database";
    guard(attempt, || {
        // A cache leaves most of the memory to its program. BENCHMARKS.md has what these sizes bring.
        let builder =
            Database::builder(dir).cache_size(16 * MIB).max_journaling_size(64 * MIB).max_cached_files(Some(64));
        // One worker alone can wait for itself without end. Of several, the first one never compacts: it hands compactions
        // back in a busy loop while the others do them.
        let database = builder
            .worker_threads_unchecked(if sweep.is_some() { 4 } else { 0 })
            .with_compaction_filter_factories(Arc::new(move |_| Some(sweep.clone()?)))
            .open()
            .map_err(|error| from_fjall(error, attempt))?;
        let entries = database.keyspace(ENTRIES, || options(max_bytes)).map_err(|error| from_fjall(error, attempt))?;
        Ok((database, entries))
    })
}

/// For entries that are found by hashed keys, one by one, in a cache of this size.
fn options(max_bytes: u64) -> KeyspaceCreateOptions {
    // While a full memtable is written out, stores wait for the journal's `fsync`. A large memtable makes that rare, and
    // takes a burst of stores. But it takes its size in memory and in the journal, so it depends on the limit.
    let memtable = (max_bytes / 16).clamp(16 * MIB, 64 * MIB);
    KeyspaceCreateOptions::default()
        .max_memtable_size(memtable)
        .compaction_strategy(Arc::new(Leveled::default().with_table_target_size(16 * MIB)))
        .data_block_compression_policy(CompressionPolicy::all(CompressionType::None))
        .data_block_hash_ratio_policy(HashRatioPolicy::all(8.0))
        .data_block_restart_interval_policy(RestartIntervalPolicy::all(1))
        // Whole and in memory, 3 bytes for an entry of 100. A lookup then reads at most one block, with any number of
        // entries.
        .index_block_partitioning_policy(PartitioningPolicy::all(false))
        .filter_block_partitioning_policy(PartitioningPolicy::all(false))
        .index_block_pinning_policy(PinningPolicy::all(true))
        .filter_block_pinning_policy(PinningPolicy::all(true))
}

/// Runs code of the engine. A panic of it is an error.
pub(crate) fn guard<T>(attempt: &'static str, work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(Error::new(ErrorKind::Panicked, attempt)))
}

/// An error of the engine as one of a store.
pub(crate) fn from_fjall(error: fjall::Error, attempt: &'static str) -> Error {
    use fjall::{Error as Fjall, LsmError};
    match error {
        // A file that is too short is damaged.
        Fjall::Io(error) | Fjall::Storage(LsmError::Io(error)) if error.kind() != io::ErrorKind::UnexpectedEof => {
            Error::from(error).attempting(attempt)
        }
        Fjall::Locked => Error::new(ErrorKind::Locked, attempt),
        Fjall::Poisoned => Error::new(ErrorKind::Poisoned, attempt),
        damage => Error::new(ErrorKind::Corrupt, attempt).because(damage),
    }
}

/// Whether a new database could be opened in place of one that cannot be opened for this reason. Where the system has no
/// room, no rights or no file handles, it could not, and the old one may be whole.
pub(crate) fn is_damage(error: &Error) -> bool {
    use io::ErrorKind as Kind;
    // Too many open files, in the process and in the system, on all unixes.
    const ENFILE: i32 = 23;
    const EMFILE: i32 = 24;
    let circumstances = [
        Kind::PermissionDenied,
        Kind::ReadOnlyFilesystem,
        Kind::OutOfMemory,
        Kind::ResourceBusy,
        Kind::Interrupted,
        // What the system says when there may be no more threads.
        Kind::WouldBlock,
        Kind::TimedOut,
        Kind::StaleNetworkFileHandle,
        Kind::FileTooLarge,
    ];
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<io::Error>());
    let is_circumstance = source.is_some_and(|error| {
        let is_handles = cfg!(unix) && matches!(error.raw_os_error(), Some(ENFILE | EMFILE));
        is_handles || circumstances.contains(&error.kind())
    });
    !is_circumstance && !matches!(error.kind(), ErrorKind::Locked | ErrorKind::Full)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_too_short_is_damaged() {
        let kind_of = |kind: io::ErrorKind| from_fjall(fjall::Error::Io(kind.into()), "read an entry").kind();
        assert_eq!(kind_of(io::ErrorKind::UnexpectedEof), ErrorKind::Corrupt);
        assert_eq!(kind_of(io::ErrorKind::PermissionDenied), ErrorKind::Io);
    }
}
