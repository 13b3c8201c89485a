//! The engine itself: fjall, with the options of a cache, its errors as ours, and what is done about a damaged one.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use fjall::compaction::Leveled;
use fjall::config::{CompressionPolicy, HashRatioPolicy, PartitioningPolicy, PinningPolicy, RestartIntervalPolicy};
use fjall::{AbstractTree, CompressionType, Database, DatabaseBuilder, Keyspace, KeyspaceCreateOptions, PersistMode};
use parking_lot::{Mutex, MutexGuard};
use twat_cache_core::persist::{prepare_below, prepare_root, trust};
use twat_cache_core::{Error, ErrorKind, Trust, WarnOnce};

use crate::claim::Claim;
use crate::debris::{is_there, quarantine};
use crate::journals::Journals;
use crate::ledger::Ledger;
use crate::sweep::Sweep;

/// An open database.
pub(crate) struct Engine {
    pub(crate) database: Database,
    /// All entries of all caches, and the records about them.
    pub(crate) entries: Keyspace,
    /// No other has it.
    pub(crate) id: u64,
    /// Locked while something is written.
    journals: Mutex<Journals>,
    /// Last, so that the directory is given up when the database is closed.
    _claim: Arc<Claim>,
}

impl Engine {
    pub(crate) fn insert(
        &self,
        key: &[u8],
        value: impl Into<fjall::Slice>,
        attempt: &'static str,
    ) -> Result<(), Error> {
        let value = value.into();
        self.write(attempt, value.len() as u64, || self.entries.insert(key, value))
    }

    pub(crate) fn remove(&self, key: &[u8], attempt: &'static str) -> Result<(), Error> {
        self.write(attempt, 0, || self.entries.remove(key))
    }

    fn write(&self, attempt: &'static str, len: u64, write: impl FnOnce() -> fjall::Result<()>) -> Result<(), Error> {
        let mut journals = self.room(attempt)?;
        if !journals.are_there() {
            return Err(Error::new(ErrorKind::Poisoned, attempt).because("the database was removed while it was open"));
        }
        let failed = |error: io::Error| Error::from(error).attempting(attempt);
        if trust::most_file_bytes() < u64::MAX {
            let journal = journals.newest_len().map_err(failed)?;
            trust::fits(LONGEST.max(journal) + len).map_err(failed)?;
        }
        journals.follow(&self.database, &self.entries).map_err(failed)?;
        write().map_err(|error| from_fjall(error, attempt))?;
        journals.follow(&self.database, &self.entries).map_err(failed)
    }

    /// Waits until the engine takes a write at once.
    ///
    /// With four full memtables, or thirty runs in its first level, it makes a writer wait *in* its write until workers
    /// have done something about that: without end, if they have died meanwhile. So we wait outside, with an end, and
    /// one at a time: a write can add two full memtables at most.
    fn room(&self, attempt: &'static str) -> Result<MutexGuard<'_, Journals>, Error> {
        let end = Instant::now() + PATIENCE;
        if let Some(journals) = self.journals.try_lock_until(end) {
            loop {
                if self.entries.tree.sealed_memtable_count() < 2 && self.entries.tree.l0_run_count() < 20 {
                    return Ok(journals);
                }
                // Says whether the engine has given up.
                self.database.persist(PersistMode::Buffer).map_err(|error| from_fjall(error, attempt))?;
                if Instant::now() >= end {
                    break;
                }
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        Err(Error::new(ErrorKind::Io, attempt).because("the disk is too slow for what is being stored"))
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // What this leaves out is read again next time.
        let _ = self.journals.get_mut().settle();
    }
}

/// How long to wait for the engine to catch up.
const PATIENCE: Duration = Duration::from_secs(2);

/// The engine freezes a keyspace's options when it is created. So another set of options is another name.
const ENTRIES: &str = "entries-2";

static NEXT: AtomicU64 = AtomicU64::new(0);

const MIB: u64 = 1 << 20;

/// A damaged database has been moved away. The log is to say so when nobody waits: loggers are the program's own, and may
/// use this very cache.
pub(crate) struct Mended {
    damage: Error,
    aside: PathBuf,
}

impl Mended {
    pub(crate) fn warn(&self) {
        let aside = self.aside.display();
        WarnOnce::new().warn(&self.damage, format_args!("it was moved to {aside}, and a new one is made"));
    }
}

/// How long the engine makes a journal before it writes to it, and tables at the most, with some room for what is beside
/// their entries.
const LONGEST: u64 = 65 * MIB;

/// Opens the database in `dir`, or makes one, and has it prepared. A damaged one is moved aside first.
pub(crate) fn open(
    dir: &Path,
    trust: Trust,
    ledger: &Arc<Mutex<Ledger>>,
    max_bytes: u64,
    mended: &mut Option<Mended>,
    prepare: impl Fn(&Engine) -> Result<(), Error>,
) -> Result<Engine, Error> {
    prepare_directories(dir, trust)?;
    trust::fits(LONGEST).map_err(|error| Error::from(error).attempting("open the database").at(dir))?;
    let claim = Arc::new(Claim::take(dir)?);
    let attempt = || {
        let journals = if is_there(dir)? { Some(find_journals(dir, max_bytes)?) } else { None };
        let (database, entries) = attempt(
            dir,
            |database| {
                let sweep = Arc::new(Sweep(AssertUnwindSafe(ledger.clone())));
                // One worker alone can wait for itself without end. Of two, the first never compacts: it hands compactions
                // back in a busy loop while the other does one.
                database.worker_threads(4).with_compaction_filter_factories(Arc::new(move |_| Some(sweep.clone())))
            },
            max_bytes,
        )?;
        let mut journals = journals.map_or_else(|| Journals::of_new(dir), Ok)?;
        journals.begin(&entries)?;
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let engine = Engine { database, entries, id, journals: Mutex::new(journals), _claim: claim.clone() };
        guard("read the database", || prepare(&engine))?;
        Ok(engine)
    };
    let damage = match claim.attempt(attempt).map_err(|error: Error| error.at(dir)) {
        Err(error) if is_damage(&error) => error,
        opened => return opened,
    };
    let aside =
        quarantine(dir).map_err(|error| Error::from(error).attempting("move the damaged database aside").at(dir))?;
    *mended = Some(Mended { damage, aside });
    prepare_below(dir, trust)?;
    attempt().map_err(|error| error.at(dir))
}

/// Makes the directory of a database ready, and the cache directory that it is in; an error if this does not trust them.
pub(crate) fn prepare_directories(dir: &Path, trust: Trust) -> Result<(), Error> {
    if let Some(parent) = dir.parent()
        && prepare_root(parent, trust)? != parent
    {
        let why = "it is behind a link that was not there before";
        return Err(Error::new(ErrorKind::Other, "use the cache directory").at(parent).because(why));
    }
    prepare_below(dir, trust)
}

/// The journals of a database, if there are all that it needs.
fn find_journals(dir: &Path, max_bytes: u64) -> Result<Journals, Error> {
    let journals = Journals::find(dir)?;
    if let Some(last) = journals.last_missing()? {
        // Perhaps the engine has removed them, and was killed before that was noted. Without workers, it only looks.
        let (_database, entries) = attempt(dir, |database| database.worker_threads_unchecked(0), max_bytes)?;
        if entries.tree.get_highest_persisted_seqno() < Some(last) {
            return Err(Error::new(ErrorKind::Corrupt, "open the database").because("a journal is missing"));
        }
    }
    Ok(journals)
}

type Builder = DatabaseBuilder<Database>;

fn attempt(dir: &Path, with: impl FnOnce(Builder) -> Builder, max_bytes: u64) -> Result<(Database, Keyspace), Error> {
    guard("open the database", || {
        // These numbers are those of a cache beside a program that has better uses for memory; BENCHMARKS.md has what they
        // bring.
        let builder =
            Database::builder(dir).cache_size(16 * MIB).max_journaling_size(64 * MIB).max_cached_files(Some(64));
        let database = with(builder).open().map_err(|error| from_fjall(error, "open the database"))?;
        let entries = database
            .keyspace(ENTRIES, || options(max_bytes))
            .map_err(|error| from_fjall(error, "open the database"))?;
        Ok((database, entries))
    })
}

/// For entries that are found by hashed keys, one by one, in a cache of this size.
fn options(max_bytes: u64) -> KeyspaceCreateOptions {
    // While a full memtable is written out, those who store wait for the journal's `fsync`. A large one makes that rare
    // and lets a burst of stores pass; but it takes its size in memory and again in the journal, which should not be
    // many times the limit.
    let memtable = (max_bytes / 16).clamp(16 * MIB, 64 * MIB);
    KeyspaceCreateOptions::default()
        .max_memtable_size(memtable)
        .compaction_strategy(Arc::new(Leveled::default().with_table_target_size(16 * MIB)))
        .data_block_compression_policy(CompressionPolicy::all(CompressionType::None))
        .data_block_hash_ratio_policy(HashRatioPolicy::all(8.0))
        .data_block_restart_interval_policy(RestartIntervalPolicy::all(1))
        // Whole and in memory, 3 bytes an entry of 100: then a lookup reads one block at the most, however many there are.
        .index_block_partitioning_policy(PartitioningPolicy::all(false))
        .filter_block_partitioning_policy(PartitioningPolicy::all(false))
        .index_block_pinning_policy(PinningPolicy::all(true))
        .filter_block_pinning_policy(PinningPolicy::all(true))
}

/// Runs the engine's code. Should it panic, that is an error like others.
pub(crate) fn guard<T>(attempt: &'static str, work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(Error::new(ErrorKind::Panicked, attempt)))
}

/// The engine's error as ours, which says what was attempted.
pub(crate) fn from_fjall(error: fjall::Error, attempt: &'static str) -> Error {
    use fjall::{Error as Fjall, LsmError};
    match error {
        Fjall::Io(error) | Fjall::Storage(LsmError::Io(error)) => Error::from(error).attempting(attempt),
        Fjall::Locked => Error::new(ErrorKind::Locked, attempt),
        Fjall::Poisoned => Error::new(ErrorKind::Poisoned, attempt),
        Fjall::KeyspaceDeleted => Error::new(ErrorKind::Unavailable, attempt),
        damage => Error::new(ErrorKind::Corrupt, attempt).because(damage),
    }
}

/// Whether a database that cannot be opened for this reason would open if it were another one. Where the system has no
/// room, no rights or no file handles, a new one would fare no better, and the old one may be whole.
fn is_damage(error: &Error) -> bool {
    match error.kind() {
        ErrorKind::Locked | ErrorKind::Full => false,
        ErrorKind::Io => {
            let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<io::Error>());
            !source.is_some_and(is_circumstance)
        }
        _ => true,
    }
}

fn is_circumstance(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    // Too many open files, in the process and in the system, on all unixes.
    const ENFILE: i32 = 23;
    const EMFILE: i32 = 24;
    let kinds = [
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
    kinds.contains(&error.kind()) || (cfg!(unix) && matches!(error.raw_os_error(), Some(ENFILE | EMFILE)))
}
