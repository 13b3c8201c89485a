//! One database while it is open, with its connections.

use std::fs;
use std::io;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use rusqlite::{Connection, ErrorCode, MAIN_DB};
use twat_cache_core::among::claims::Claims;
use twat_cache_core::among::meta::Meta;
use twat_cache_core::among::system;
use twat_cache_core::among::temp;
#[cfg(feature = "compress")]
use twat_cache_core::persist::packing::Packings;
use twat_cache_core::persist::trust;
use twat_cache_core::{Error, ErrorKind, Namespace, Process};

use crate::busy::{self, Patience};
use crate::failure::{Failure, Result};
use crate::make::{check_local, first_connection, identities, numbers, replace};
use crate::schema::{self, BESIDE, Mode, NAME};
use crate::tidy::{CHECKPOINT, LONGEST_LOG, Log, checkpoint};

/// The words of `meta`. The number of the database that is in use, and
pub(crate) const NUMBER: usize = 0;
/// a random number, which is another one during and after each `clear`;
pub(crate) const SPACES: usize = 1;
/// how many entries were removed or refreshed at least, ever; and
pub(crate) const CHANGES: usize = 2;
/// the number of the last database that was made.
pub(crate) const MADE: usize = 3;

/// The bit of [`SPACES`] that is set from before the transaction of a `clear` until after it.
pub(crate) const CLEARING: u64 = 1;

/// The name of the file that all processes have open. One of another format has another name.
const META: &str = "meta-1";

/// How often to wait for other processes that write and have not stopped. The machine may be busy.
const WAITS: u32 = 10;

/// How long a statement of the user's code waits.
const BUSY: Duration = Duration::from_millis(200);

/// How many connections are kept while they are not used.
const IDLE: usize = 8;

/// The files grow to at least this length.
const LEAST_LENGTH: u64 = 256 << 10;

/// No transaction writes more than this beside a value. Those write most that remove entries or give pages back.
const MOST_WRITTEN: u64 = 4 << 20;

/// An open database.
pub(crate) struct Open {
    pub(crate) meta: Arc<Meta>,
    pub(crate) claims: Arc<Claims>,
    /// The path of the database.
    pub(crate) path: PathBuf,
    pub(crate) number: u64,
    mode: Mode,
    connections: AssertUnwindSafe<Mutex<Vec<Connection>>>,
    /// The numbers of the files, which are others if somebody has replaced one.
    files: Vec<(u64, u64)>,
    /// With processes that write, and with those that read.
    patience: Patience,
    pub(crate) patience_with_readers: Patience,
    /// How many bytes of the log were in use after the last change or checkpoint of this process.
    log: Arc<AtomicU64>,
    /// How the values of each name are compressed.
    #[cfg(feature = "compress")]
    pub(crate) packings: AssertUnwindSafe<Packings>,
    process: Process,
}

impl Open {
    /// Opens the database in this prepared directory. If it is damaged, another one takes its place, and the damage is
    /// returned. A new `meta` has the secret that is `known`.
    pub(crate) fn new(
        dir: &Path,
        known: Option<[u8; 16]>,
        process: Process,
    ) -> std::result::Result<(Self, Option<Error>), Error> {
        check_local(dir, system::is_local(dir) || !cfg!(target_os = "linux"))?;
        trust::fits(LEAST_LENGTH).map_err(|error| Error::from(error).attempting("make the database").at(dir))?;
        let last = numbers(dir)?.into_iter().rfind(|number| u32::try_from(*number).is_ok()).unwrap_or(1);
        let (meta, mut damage) = Meta::open(dir, META, known, [last, Namespace::random().id() & !CLEARING, 0, 0])?;
        if meta.is_writable {
            temp::sweep(&dir.join("tmp"), temp::is_name);
        }
        let meta = Arc::new(meta);
        let claims = Claims::new(dir.join("lock"));
        Patience::new().begin();
        // Other processes may be replacing it.
        for _ in 0..4 {
            let number = meta.own(NUMBER)?;
            let path = dir.join(number.to_string()).join(NAME);
            let log = Arc::<AtomicU64>::default();
            match first_connection(&path, number, &meta, &log) {
                Ok((connection, mode)) => {
                    let files = if mode == Mode::Read { Vec::new() } else { identities(&path)? };
                    let open = Self {
                        meta,
                        claims,
                        path,
                        number,
                        mode,
                        connections: AssertUnwindSafe(Mutex::new(vec![connection])),
                        files,
                        patience: Patience::new(),
                        patience_with_readers: Patience::new(),
                        log,
                        #[cfg(feature = "compress")]
                        packings: AssertUnwindSafe(Packings::default()),
                        process,
                    };
                    return Ok((open, damage));
                }
                Err(Failure::Damaged(error)) => {
                    let error = error.attempting("open the database").at(&path);
                    if !meta.is_writable {
                        return Err(error);
                    }
                    replace(dir, number, &meta)?;
                    damage = Some(error);
                }
                Err(Failure::Moved) => {}
                Err(Failure::Error(error)) => return Err(error.attempting("open the database").at(&path)),
            }
        }
        Err(Error::from(io::Error::from(io::ErrorKind::Interrupted)).attempting("open the database").at(dir))
    }

    /// Whether this is still the database that all processes use. This reads shared memory.
    #[inline]
    pub(crate) fn is_in_use(&self) -> bool {
        self.meta.own(NUMBER).is_ok_and(|number| number == self.number)
    }

    /// Whether its files are still at their places.
    pub(crate) fn is_in_place(&self) -> bool {
        self.meta.is_in_use()
    }

    /// An error if somebody has removed or replaced a file of the database. Processes that have the old file open and
    /// those that open the new one would not see each other's changes.
    pub(crate) fn check_files(&self) -> Result<()> {
        if self.mode == Mode::Read || identities(&self.path).is_ok_and(|files| files == self.files) {
            return Ok(());
        }
        Err(Failure::damaged("a file of it was removed or replaced while it was open"))
    }

    /// An error if other processes may have other files by now, and do not see what was changed in these.
    pub(crate) fn check_in_place(&self) -> Result<()> {
        if self.is_in_place() { self.check_files() } else { Err(Failure::Moved) }
    }

    pub(crate) fn is_writable(&self) -> bool {
        self.mode == Mode::Write
    }

    /// Whether it is not writable, and would be if it was opened again.
    pub(crate) fn could_be_writable(&self) -> bool {
        !self.is_writable() && self.meta.could_be_writable()
    }

    /// Works with a connection. A transaction that is left open is rolled back.
    pub(crate) fn with<T>(&self, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        self.patience.begin();
        let idle = self.connections.lock().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => schema::connect(&self.path, self.mode, &self.log).or_else(|failure| {
                // Perhaps the files were moved away.
                self.check_files()?;
                Err(failure)
            })?,
        };
        let lent = Lent { open: self, connection: Some(connection) };
        lent.connection.as_ref().map_or(Err(Failure::Moved), work)
    }

    /// Works with a connection that nothing else uses: the work may leave it in any state.
    pub(crate) fn with_new<T>(&self, work: impl FnOnce(&Connection) -> T) -> Result<T> {
        Patience::new().begin();
        let connection = schema::connect(&self.path, self.mode, &self.log)?;
        // For each statement, however long the work takes.
        connection.busy_timeout(BUSY)?;
        let done = work(&connection);
        if self.process.is_forked() {
            std::mem::forget(connection);
        }
        Ok(done)
    }

    /// Changes something in a transaction of its own. It may find that another process has put a new database in place of
    /// this one.
    pub(crate) fn change<T>(&self, bytes: usize, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        if !self.is_writable() {
            let refused = || io::Error::from(io::ErrorKind::ReadOnlyFilesystem).into();
            return Err(if self.could_be_writable() { Failure::Moved } else { refused() });
        }
        let is_limited = trust::most_file_bytes() != u64::MAX;
        // Later there may be no room for a change, and then nothing else would make the log shorter.
        if is_limited && length_of_log(&self.path) >= CHECKPOINT {
            checkpoint(self, Log::GiveBack)?;
        }
        self.with(|connection| {
            let begun = self.begin(connection);
            self.patience.end(begun.is_err());
            begun?;
            // A process that has other counters changes nothing until this transaction ends.
            if !self.is_in_use() || !self.is_in_place() {
                return Err(Failure::Moved);
            }
            if is_limited {
                self.check_length(connection, bytes)?;
            }
            let done = work(connection)?;
            connection.prepare_cached("COMMIT")?.execute([])?;
            Ok(done)
        })
    }

    fn begin(&self, connection: &Connection) -> Result<()> {
        let mut begin = connection.prepare_cached("BEGIN IMMEDIATE")?;
        for _ in 1..WAITS {
            match begin.execute([]) {
                Err(error)
                    if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && self.is_writer_running() =>
                {
                    self.patience.begin();
                }
                result => return Ok(result.map(drop)?),
            }
        }
        Ok(begin.execute([]).map(drop)?)
    }

    fn is_writer_running(&self) -> bool {
        self.files.last().is_some_and(|(_, index)| busy::is_writer_running(*index))
    }

    /// An error if the process may not write files as long as these bytes more make them. The system would kill it.
    fn check_length(&self, connection: &Connection, bytes: usize) -> Result<()> {
        let longest = length(connection)?.max(length_of_log(&self.path));
        Ok(trust::fits(longest + 2 * bytes as u64 + MOST_WRITTEN)?)
    }

    /// An error if the log has become too long, and cannot be written into the database: a process has stopped while it reads.
    pub(crate) fn check_log(&self) -> Result<()> {
        if self.log_length() >= LONGEST_LOG {
            checkpoint(self, Log::Keep)?;
            if self.log_length() >= LONGEST_LOG {
                let why = "its log has become too long, because another process does not go on reading";
                return Err(Error::new(ErrorKind::Full, "write to the database").because(why).into());
            }
        }
        Ok(())
    }

    /// How many bytes of the log are in use, as far as this process knows.
    pub(crate) fn log_length(&self) -> u64 {
        self.log.load(Ordering::Relaxed)
    }

    /// Notes that the next change begins the log anew.
    pub(crate) fn log_is_free(&self) {
        self.log.store(0, Ordering::Relaxed);
    }

    /// Closes the connections that are not used.
    pub(crate) fn close(&self) {
        let idle = std::mem::take(&mut *self.connections.lock());
        drop(idle);
    }

    /// Puts a new database in place of this one, unless another process has.
    pub(crate) fn replace(&self, dir: &Path) -> std::result::Result<(), Error> {
        replace(dir, self.number, &self.meta)
    }
}

/// A connection while it is used.
struct Lent<'a> {
    open: &'a Open,
    connection: Option<Connection>,
}

impl Drop for Lent<'_> {
    /// Gives it back, also after a panic: SQLite removes the log when the last connection to the database is closed.
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        // SQLite falls back to this if it may not write for a while.
        if self.open.is_writable() && connection.is_readonly(MAIN_DB).unwrap_or(true) {
            return;
        }
        if connection.is_autocommit() || connection.execute_batch("ROLLBACK").is_ok() {
            let mut connections = self.open.connections.lock();
            if connections.len() < IDLE {
                connections.push(connection);
            }
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if self.process.is_forked() {
            // They are the parent's.
            std::mem::forget(std::mem::take(self.connections.get_mut()));
        }
    }
}

/// How long the log of a database is, in bytes. A part of it may not be in use.
pub(crate) fn length_of_log(path: &Path) -> u64 {
    fs::symlink_metadata(path.with_file_name(BESIDE[0])).map_or(0, |log| log.len())
}

/// How long the database is when the log is written into it, in bytes.
pub(crate) fn length(connection: &Connection) -> Result<u64> {
    let pages: i64 = connection.pragma_query_value(None, "page_count", |row| row.get(0))?;
    Ok(pages.cast_unsigned() * schema::PAGE)
}
