//! One database while it is open, with its connections.

use std::fs;
use std::io;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;
use rusqlite::Connection;
use twat_cache_core::among::claims::Claims;
use twat_cache_core::among::last_check::uptime;
use twat_cache_core::among::meta::Meta;
use twat_cache_core::among::system::{self, name_of};
use twat_cache_core::among::temp;
#[cfg(feature = "compress")]
use twat_cache_core::persist::packing::Packings;
use twat_cache_core::persist::trust;
use twat_cache_core::{Error, ErrorKind, Namespace, Process};

use crate::busy;
use crate::failure::{Failure, Result};
use crate::schema::{self, BESIDE, Mode, NAME};
use crate::tidy::{CHECKPOINT, LONGEST_LOG, checkpoint};

/// The words of `meta`. The number of the database that is in use, and
const NUMBER: usize = 0;
/// a random number, which is another one after each `clear`;
pub(crate) const SPACES: usize = 1;
/// how many entries were removed or refreshed at least, ever; and
pub(crate) const CHANGES: usize = 2;
/// the number of the last database that was made.
const MADE: usize = 3;

/// The name of the file that all processes have open. One of another format has another name.
const META: &str = "meta-1";

/// How long to wait for another process, in nanoseconds, and at least, after many waits in vain.
const PATIENCE: u64 = 200_000_000;
const LEAST_PATIENCE: u64 = 1_000_000;

/// How many connections are kept while they are not used.
const IDLE: usize = 8;

/// The files grow to at least this length.
const LEAST_LENGTH: u64 = 256 << 10;

/// The length of a page of the database, and after how many bytes to look at the length of the log.
const PAGE: u64 = 4096;
const LOOK: u64 = 256 << 10;

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
    patience: AtomicU64,
    /// The log cannot get shorter, because another process has stopped while it reads.
    is_log_full: AtomicBool,
    /// How the values of each name are compressed.
    #[cfg(feature = "compress")]
    pub(crate) packings: AssertUnwindSafe<Packings>,
    /// How many bytes this process has written, about.
    written: AtomicU64,
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
        let last = numbers(dir)?.last().copied().unwrap_or(1);
        let (meta, mut damage) = Meta::open(dir, META, known, [last, Namespace::random().id(), 0, 0])?;
        if meta.is_writable {
            temp::sweep(&dir.join("tmp"), temp::is_name);
        }
        let meta = Arc::new(meta);
        let claims = Claims::new(dir.join("lock"));
        busy::wait_until(uptime(), PATIENCE);
        // Other processes may be replacing it.
        for _ in 0..4 {
            let number = meta.own(NUMBER)?;
            let path = dir.join(number.to_string()).join(NAME);
            match first_connection(&path, number, &meta) {
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
                        patience: PATIENCE.into(),
                        is_log_full: AtomicBool::new(false),
                        #[cfg(feature = "compress")]
                        packings: AssertUnwindSafe(Packings::default()),
                        written: AtomicU64::new(0),
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

    pub(crate) fn is_writable(&self) -> bool {
        self.mode == Mode::Write
    }

    /// Works with a connection. The work must not leave a transaction open, nor run the user's code.
    pub(crate) fn with<T>(&self, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        busy::wait_until(uptime(), self.patience.load(Ordering::Relaxed));
        let idle = self.connections.lock().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => schema::connect(&self.path, self.mode).or_else(|failure| {
                // Perhaps the files were moved away.
                self.check_files()?;
                Err(failure)
            })?,
        };
        let result = work(&connection);
        if connection.is_autocommit() {
            let mut connections = self.connections.lock();
            if connections.len() < IDLE {
                connections.push(connection);
            }
        }
        result
    }

    /// Changes something in a transaction of its own. It may find that another process has put a new database in place of
    /// this one.
    pub(crate) fn change<T>(&self, bytes: usize, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        if !self.is_writable() {
            let refused = || io::Error::from(io::ErrorKind::ReadOnlyFilesystem).into();
            return Err(if self.meta.could_be_writable() { Failure::Moved } else { refused() });
        }
        self.check_length(bytes)?;
        self.with(|connection| {
            let begun = connection.prepare_cached("BEGIN IMMEDIATE")?.execute([]);
            if begun.is_err() {
                // Waits in vain get shorter. If a process has stopped during its change, they cost little in all.
                let patience = self.patience.load(Ordering::Relaxed);
                self.patience.store((patience / 2).max(LEAST_PATIENCE), Ordering::Relaxed);
            }
            begun?;
            self.patience.store(PATIENCE, Ordering::Relaxed);
            let result = if self.is_in_use() { work(connection) } else { Err(Failure::Moved) };
            let result = result.and_then(|done| {
                connection.prepare_cached("COMMIT")?.execute([])?;
                Ok(done)
            });
            if result.is_err() && !connection.is_autocommit() {
                // If this fails, the connection is dropped.
                let _ = connection.execute_batch("ROLLBACK");
            }
            result
        })
    }

    /// An error if the process may not write as much as these bytes need. The system would kill it.
    fn check_length(&self, bytes: usize) -> Result<()> {
        if trust::most_file_bytes() == u64::MAX {
            return Ok(());
        }
        let length = |path: &Path| fs::symlink_metadata(path).map_or(0, |file| file.len());
        let longest = length(&self.path).max(self.log_length());
        Ok(trust::fits(longest + 2 * bytes as u64 + LEAST_LENGTH)?)
    }

    /// How long the log is, in bytes.
    pub(crate) fn log_length(&self) -> u64 {
        fs::symlink_metadata(self.path.with_file_name(BESIDE[0])).map_or(0, |log| log.len())
    }

    /// An error if the log has become too long, and cannot be written into the database: a process has stopped while it reads.
    pub(crate) fn check_log(&self) -> Result<()> {
        if !self.is_log_full.load(Ordering::Relaxed) {
            return Ok(());
        }
        checkpoint(self)?;
        if self.log_length() < LONGEST_LOG {
            self.is_log_full.store(false, Ordering::Relaxed);
            return Ok(());
        }
        let why = "its log has become too long, because another process does not go on reading";
        Err(Error::new(ErrorKind::Full, "write to the database").because(why).into())
    }

    /// Whether the log should be written into the database, after this many bytes were stored. Now and then its length is
    /// looked at.
    pub(crate) fn is_time_to_tidy(&self, bytes: usize) -> bool {
        // A small entry takes a page or two.
        let written = bytes as u64 + 2 * PAGE;
        let before = self.written.fetch_add(written, Ordering::Relaxed);
        if before / LOOK == (before + written) / LOOK {
            return false;
        }
        let length = self.log_length();
        self.is_log_full.store(length >= LONGEST_LOG, Ordering::Relaxed);
        length >= CHECKPOINT
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

impl Drop for Open {
    fn drop(&mut self) {
        if self.process.is_forked() {
            // They are the parent's.
            std::mem::forget(std::mem::take(self.connections.get_mut()));
        }
    }
}

/// SQLite's index of the log is shared memory, which only one machine has.
fn check_local(dir: &Path, is_local: bool) -> std::result::Result<(), Error> {
    if is_local {
        return Ok(());
    }
    let why = "it is not on a file system of this machine alone; choose another directory with `.dir`";
    Err(Error::new(ErrorKind::Unavailable, "share the database").at(dir).because(why))
}

/// The first connection of this process, and how the database was opened.
fn first_connection(path: &Path, number: u64, meta: &Meta) -> Result<(Connection, Mode)> {
    let dir = path.parent().unwrap_or(path);
    if !meta.is_writable {
        let connection = schema::connect(path, Mode::Read)?;
        return if schema::is_complete(&connection)? {
            Ok((connection, Mode::Read))
        } else {
            Err(Failure::damaged("it is not complete"))
        };
    }
    trust::make_dir(dir, trust::is_own)?;
    let mut is_there = false;
    for name in [NAME, BESIDE[0], BESIDE[1]] {
        let path = dir.join(name);
        if let Ok(found) = fs::symlink_metadata(&path) {
            if found.is_file() && trust::is_own(&found) {
                is_there |= name == NAME;
            } else {
                trust::move_aside(&path, &found)?;
            }
        }
    }
    if !is_there && meta.own(MADE)? == number {
        return Err(Failure::damaged("its file is missing"));
    }
    let mut connection = schema::connect(path, Mode::Make)?;
    if !schema::is_complete(&connection)? {
        let _making = meta.lock_own(MADE)?.ok_or_else(stopped)?;
        if meta.own(NUMBER)? != number {
            return Err(Failure::Moved);
        }
        schema::complete(&mut connection, meta.own(CHANGES)?)?;
        meta.set_own(MADE, number)?;
    }
    // A log that is lost, or a copy of the database from earlier. What was removed since would come back.
    if schema::changes(&connection)? < meta.own(CHANGES)? {
        return Err(Failure::damaged("its last changes are missing"));
    }
    Ok((connection, Mode::Write))
}

/// Puts a new database in place of the one with this number, unless another process has.
///
/// Files are never exchanged under those who have them open: they notice the new number. The damaged database stays until
/// the next one is.
fn replace(dir: &Path, number: u64, meta: &Meta) -> std::result::Result<(), Error> {
    let _making = meta.lock_own(MADE)?.ok_or_else(stopped)?;
    if meta.own(NUMBER)? == number {
        let numbers = numbers(dir)?;
        let next = numbers.last().map_or(number, |last| number.max(*last)) + 1;
        meta.set_own(NUMBER, next)?;
        // All copies are of the old database.
        meta.outdate_all()?;
        for old in numbers.iter().filter(|old| **old < number) {
            remove(&dir.join(old.to_string()));
        }
    }
    Ok(())
}

fn stopped() -> Error {
    Error::new(ErrorKind::Io, "make the database").because("another process that makes it has stopped")
}

/// The numbers of all databases, in order.
fn numbers(dir: &Path) -> io::Result<Vec<u64>> {
    let mut numbers: Vec<u64> = system::list(dir)?.iter().filter_map(|path| name_of(path).parse().ok()).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// Removes an old database. If its directory has anything else, or other processes have it open on a system where that
/// matters, it stays.
fn remove(dir: &Path) {
    for name in [NAME, BESIDE[0], BESIDE[1]] {
        let path = dir.join(name);
        if fs::symlink_metadata(&path).is_ok_and(|found| found.is_file() && trust::is_own(&found)) {
            let _ = fs::remove_file(path);
        }
    }
    let _ = fs::remove_dir(dir);
}

fn identities(path: &Path) -> io::Result<Vec<(u64, u64)>> {
    [NAME, BESIDE[0], BESIDE[1]]
        .iter()
        .map(|name| system::stat_of(&path.with_file_name(name)).map(|stat| stat.identity))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_other_machines_may_use_is_refused() {
        let error = check_local(Path::new("/net/cache"), false).unwrap_err();
        assert!(error.kind().is_lasting());
        assert!(error.to_string().contains("/net/cache"), "{error}");
        check_local(Path::new("/home/cache"), true).unwrap();
    }
}
