//! The engine itself: fjall, with the options of a cache, its errors as ours, and what is done about a damaged one.

use std::fs::{self, File};
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use fjall::compaction::Leveled;
use fjall::config::{CompressionPolicy, HashRatioPolicy, PartitioningPolicy, PinningPolicy, RestartIntervalPolicy};
use fjall::{AbstractTree, CompressionType, Database, Keyspace, KeyspaceCreateOptions, PersistMode};
use parking_lot::{Mutex, MutexGuard};
use twat_cache_core::{Error, ErrorKind, WarnOnce, prepare_directory};

use crate::debris::{is_well_formed, quarantine, remove_half_made};
use crate::ledger::Ledger;
use crate::manifests;
use crate::sweep::Sweep;

/// An open database.
pub(crate) struct Engine {
    pub(crate) database: Database,
    /// All entries of all caches, and the records about them.
    pub(crate) entries: Keyspace,
    /// No other has it.
    pub(crate) id: u64,
    /// Held while something is written.
    writing: Mutex<()>,
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
        let _writing = self.room(attempt)?;
        self.entries.insert(key, value).map_err(|error| from_fjall(error, attempt))
    }

    pub(crate) fn remove(&self, key: &[u8], attempt: &'static str) -> Result<(), Error> {
        let _writing = self.room(attempt)?;
        self.entries.remove(key).map_err(|error| from_fjall(error, attempt))
    }

    /// Waits until the engine takes a write at once.
    ///
    /// With four full memtables, or thirty runs in its first level, it makes a writer wait *in* its write until workers
    /// have done something about that: without end, if they have died meanwhile. So we wait outside, with an end, and
    /// one at a time: a write can add two full memtables at most.
    fn room(&self, attempt: &'static str) -> Result<MutexGuard<'_, ()>, Error> {
        let end = Instant::now() + PATIENCE;
        if let Some(writing) = self.writing.try_lock_until(end) {
            loop {
                if self.entries.tree.sealed_memtable_count() < 2 && self.entries.tree.l0_run_count() < 20 {
                    return Ok(writing);
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

/// Opens the database in `dir`, or makes one, and has it prepared. A damaged one is moved aside first.
pub(crate) fn open(
    dir: &Path,
    ledger: &Arc<Mutex<Ledger>>,
    max_bytes: u64,
    mended: &mut Option<Mended>,
    prepare: impl Fn(&Engine) -> Result<(), Error>,
) -> Result<Engine, Error> {
    dir.parent().map_or(Ok(()), prepare_directory)?;
    prepare_directory(dir)?;
    let claim = Arc::new(claim(dir)?);
    remove_half_made(dir).map_err(|error| error.at(dir))?;
    let attempt = || {
        is_well_formed(dir).and_then(|()| manifests::check(dir)).map_err(|error| error.at(dir))?;
        let (database, entries) = attempt(dir, ledger, max_bytes)?;
        let engine = Engine {
            database,
            entries,
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            writing: Mutex::new(()),
            _claim: claim.clone(),
        };
        guard("read the database", || prepare(&engine)).map_err(|error| error.at(dir))?;
        Ok(engine)
    };
    // Damaged in some places, a database makes the engine abort the process. Each attempt leaves a byte in the file until
    // it has come to an end; where two have not, there is no third.
    let begun = claim.file.metadata().map_or(0, |file| file.len());
    let opened = if begun < 2 {
        let _ = (&claim.file).write_all(b".");
        let opened = attempt();
        let _ = claim.file.set_len(0);
        opened
    } else {
        let _ = claim.file.set_len(0);
        Err(Error::new(ErrorKind::Corrupt, "open the database").because("two attempts ended with the process").at(dir))
    };
    let damage = match opened {
        Err(error) if is_damage(&error) => error,
        opened => return opened,
    };
    let aside =
        quarantine(dir).map_err(|error| Error::from(error).attempting("move the damaged database aside").at(dir))?;
    *mended = Some(Mended { damage, aside });
    prepare_directory(dir)?;
    attempt()
}

fn attempt(dir: &Path, ledger: &Arc<Mutex<Ledger>>, max_bytes: u64) -> Result<(Database, Keyspace), Error> {
    let sweep = Arc::new(Sweep(AssertUnwindSafe(ledger.clone())));
    let opened = guard("open the database", || {
        // Workers: one alone can wait for itself for ever, and of two the first never compacts but hands compactions
        // back in a busy loop as long as the other is at one. The other numbers are those of a cache beside a program
        // that has better uses for memory; BENCHMARKS.md has what they bring.
        let database = Database::builder(dir)
            .worker_threads(4)
            .cache_size(16 * MIB)
            .max_journaling_size(64 * MIB)
            .max_cached_files(Some(64))
            .with_compaction_filter_factories(Arc::new(move |_| Some(sweep.clone())))
            .open()
            .map_err(|error| from_fjall(error, "open the database"))?;
        let entries = database
            .keyspace(ENTRIES, || options(max_bytes))
            .map_err(|error| from_fjall(error, "open the database"))?;
        Ok((database, entries))
    });
    opened.map_err(|error| error.at(dir))
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

/// Takes the lock that stands for the directory, for as long as the file is open; the system takes it back from the dead.
///
/// The engine has a lock of its own, inside. But it looks at other files first and takes them for damaged, and then we
/// would move a database from under another process.
fn claim(dir: &Path) -> Result<Claim, Error> {
    let path = dir.with_extension("lock");
    let file = File::options().create(true).append(true).open(&path);
    let claimed = file.map_err(fs::TryLockError::Error).and_then(|file| file.try_lock().map(|()| Claim { file }));
    claimed.map_err(|error| match error {
        fs::TryLockError::WouldBlock => Error::new(ErrorKind::Locked, "open the database").at(dir),
        fs::TryLockError::Error(error) => Error::from(error).attempting("lock the database").at(path),
    })
}

/// See [`claim`].
pub(crate) struct Claim {
    file: File,
}

impl Drop for Claim {
    fn drop(&mut self) {
        // Closing the file is not enough: a process that is just being forked has it open, too, until it is another.
        let _ = self.file.unlock();
    }
}
