//! The files of a database: made by the first process, opened by the others, and replaced by new ones if they are damaged.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use rusqlite::{Connection, MAIN_DB};
use twat_cache_core::among::meta::Meta;
use twat_cache_core::among::system::{self, name_of};
use twat_cache_core::persist::trust;
use twat_cache_core::{Error, ErrorKind};

use crate::failure::{Failure, Result};
use crate::open::{CHANGES, MADE, NUMBER};
use crate::schema::{self, BESIDE, Mode, NAME};

/// SQLite's index of the log is shared memory, which only one machine has.
pub(crate) fn check_local(dir: &Path, is_local: bool) -> std::result::Result<(), Error> {
    if is_local {
        return Ok(());
    }
    let why = "it is not on a file system of this machine alone; choose another directory with `.dir`";
    Err(Error::new(ErrorKind::Unavailable, "share the database").at(dir).because(why))
}

/// The first connection of this process, and how the database was opened.
pub(crate) fn first_connection(
    path: &Path,
    number: u64,
    meta: &Meta,
    log: &Arc<AtomicU64>,
) -> Result<(Connection, Mode)> {
    // It is read before the database is: another process may be changing both.
    let changes = meta.own(CHANGES)?;
    let (connection, mode) = if meta.is_writable {
        (connect_to_write(path, number, meta, log)?, Mode::Write)
    } else {
        (schema::connect(path, Mode::Read, log)?, Mode::Read)
    };
    if mode == Mode::Read && !schema::is_complete(&connection)? {
        return Err(Failure::damaged("it is not complete"));
    }
    // A log that is lost, or a copy of the database from earlier. What was removed since would come back.
    if schema::changes(&connection)? < changes {
        return Err(Failure::damaged("its last changes are missing"));
    }
    Ok((connection, mode))
}

/// The database is made if no process has made it.
fn connect_to_write(path: &Path, number: u64, meta: &Meta, log: &Arc<AtomicU64>) -> Result<Connection> {
    let dir = path.parent().unwrap_or(path);
    // It is read before the database is: another process may be making both.
    let is_made = meta.own(MADE)? == number;
    trust::make_dir(dir, trust::is_own)?;
    for name in [NAME, BESIDE[0], BESIDE[1]] {
        let path = dir.join(name);
        if let Ok(found) = fs::symlink_metadata(&path)
            && !(found.is_file() && trust::is_own(&found))
        {
            trust::move_aside(&path, &found)?;
        }
    }
    let mut connection = schema::connect(path, Mode::Make, log)?;
    if !schema::is_complete(&connection)? {
        if is_made {
            return Err(Failure::damaged("its file is missing or empty"));
        }
        let _making = meta.lock_own(MADE)?.ok_or_else(stopped)?;
        if meta.own(NUMBER)? != number {
            return Err(Failure::Moved);
        }
        // More than in any database before: a process that has changed the last one may have yet to write that down.
        schema::complete(&mut connection, meta.own(CHANGES)?.max(number << 32))?;
        meta.set_own(MADE, number)?;
    }
    // SQLite has no checksum for the bytes in which a database says how it is to be used.
    if connection.is_readonly(MAIN_DB)? || !schema::has_log(&connection)? {
        return Err(Failure::damaged("its head is damaged"));
    }
    Ok(connection)
}

/// Puts a new database in place of the one with this number, unless another process has.
///
/// The files of an open database are never exchanged: its processes notice the new number. The damaged database stays until the
/// next one is damaged.
pub(crate) fn replace(dir: &Path, number: u64, meta: &Meta) -> std::result::Result<(), Error> {
    let _making = meta.lock_own(MADE)?.ok_or_else(stopped)?;
    if meta.own(NUMBER)? == number {
        let numbers = numbers(dir)?;
        // A damaged `meta`, or a directory of somebody else, may have any number.
        let known = numbers.iter().copied().chain([number]).filter(|number| u32::try_from(*number).is_ok());
        let next = known.max().unwrap_or_default() + 1;
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
pub(crate) fn numbers(dir: &Path) -> io::Result<Vec<u64>> {
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

pub(crate) fn identities(path: &Path) -> io::Result<Vec<(u64, u64)>> {
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
