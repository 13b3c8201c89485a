//! The tables of the database, and how a connection to it is made.

use std::ffi::c_int;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::config::DbConfig;
use rusqlite::hooks::Wal;
use rusqlite::{Connection, MAIN_DB, OpenFlags, Transaction, TransactionBehavior};
use twat_cache_core::persist::trust;

use crate::busy;
use crate::failure::{Failure, Result};

/// Databases of another version have another name. So two versions of this library leave each other's alone.
pub(crate) const NAME: &str = "entries-1.db";

/// What SQLite puts beside the database: the log of what was not yet written into it, and the index of that.
pub(crate) const BESIDE: [&str; 2] = ["entries-1.db-wal", "entries-1.db-shm"];

/// Says that the database is one of this library: `twat`.
const APPLICATION: i64 = 0x7477_6174;
const VERSION: i64 = 1;

/// Numbers of names have 22 bits. A name and 40 bits identify an entry: of its digest in `h`, and of its position in `id`. The
/// rest of the digest is in `digest`.
///
/// The position says when an entry was stored, and entries of a name follow each other. So those that were stored first are
/// a range of the table, and need no index. The value comes last, so that what is before it can be read without it.
///
/// For eviction, `hand` is the position of the entry that was last looked at, and `last` the one where its turn ends.
const TABLES: &str = "
    CREATE TABLE state (changes INTEGER NOT NULL);
    INSERT INTO state VALUES (0);
    CREATE TABLE name (
        no INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, bytes INTEGER NOT NULL, hand INTEGER NOT NULL,
        last INTEGER NOT NULL, dictionary BLOB
    );
    CREATE TABLE space (
        no INTEGER PRIMARY KEY AUTOINCREMENT, name INTEGER NOT NULL, id INTEGER UNIQUE, version TEXT, cleared INTEGER NOT NULL
    );
    CREATE TABLE entry (
        id INTEGER PRIMARY KEY, h INTEGER NOT NULL UNIQUE, digest BLOB NOT NULL, space INTEGER NOT NULL,
        deadline INTEGER NOT NULL, used INTEGER NOT NULL, began INTEGER NOT NULL, sum INTEGER NOT NULL, value BLOB NOT NULL
    );";

/// The length of a page in bytes.
pub(crate) const PAGE: u64 = 4096;

/// How a database is opened.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// It is made if it does not exist.
    Make,
    Write,
    /// On a medium that cannot be written to.
    Read,
}

/// A connection to the database at this path.
///
/// Each change notes in `log` how many bytes of the log are in use.
pub(crate) fn connect(path: &Path, mode: Mode, log: &Arc<AtomicU64>) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW | OpenFlags::SQLITE_OPEN_EXRESCODE;
    let write = flags | OpenFlags::SQLITE_OPEN_READ_WRITE;
    let mut connection = match mode {
        Mode::Make => Connection::open_with_flags(path, write | OpenFlags::SQLITE_OPEN_CREATE),
        Mode::Write => Connection::open_with_flags(path, write),
        Mode::Read => {
            let read = flags | OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
            Connection::open_with_flags(address(path), read)
        }
    }?;
    // SQLite falls back to this if it may not write.
    if mode == Mode::Make && connection.is_readonly(MAIN_DB)? {
        return Err(io::Error::from(io::ErrorKind::ReadOnlyFilesystem).into());
    }
    connection.busy_handler(Some(busy::handler))?;
    // 16 MB of pages at most for each connection. No page is mapped: a file that is cut short would end the process. Checkpoints are
    // made by this library, and nothing waits for the disk: the system has what was written when a process is killed.
    connection.execute_batch(
        "PRAGMA cache_size = -16000; PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY; PRAGMA journal_size_limit = 8388608;
         PRAGMA synchronous = OFF; PRAGMA cell_size_check = ON; PRAGMA trusted_schema = OFF;",
    )?;
    // This also takes the place of SQLite's own checkpoints.
    let log = log.clone();
    connection.wal_hook(Some(move |_: &mut Wal, pages: c_int| {
        log.store(u64::try_from(pages).unwrap_or_default() * PAGE, Ordering::Relaxed);
        Ok(())
    }))?;
    // When the last connection is closed, SQLite writes the log into the database, which may get longer than it may be.
    connection
        .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, trust::most_file_bytes() != u64::MAX)
        .map(drop)?;
    connection.set_prepared_statement_cache_capacity(32);
    Ok(connection)
}

/// The database as one that nobody changes, unless it has a log: a log is read only if others may change the database.
fn address(path: &Path) -> String {
    let log = path.with_file_name(BESIDE[0]);
    let has_log = std::fs::symlink_metadata(log).is_ok_and(|log| log.len() > 0);
    let path: Vec<_> = path.as_os_str().as_encoded_bytes().iter().map(|byte| format!("%{byte:02X}")).collect();
    format!("file:{}?{}", path.concat(), if has_log { "mode=ro" } else { "immutable=1" })
}

/// Whether this is a whole database of this library; false if it is still empty. Anything else is damage.
pub(crate) fn is_complete(connection: &Connection) -> Result<bool> {
    let number = |pragma: &str| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    // Another process may be making it. In a transaction, all that is read is of the same moment.
    let _transaction = if connection.is_autocommit() { Some(connection.unchecked_transaction()?) } else { None };
    match (number("application_id")?, number("user_version")?) {
        (APPLICATION, VERSION) => Ok(true),
        (0, 0) if number("schema_version")? == 0 => Ok(false),
        _ => Err(Failure::damaged("it is a database of another program")),
    }
}

/// Whether changes are written to a log first.
pub(crate) fn has_log(connection: &Connection) -> Result<bool> {
    Ok(connection.pragma_query_value(None, "journal_mode", |row| row.get::<_, String>(0))? == "wal")
}

/// Makes the tables, unless another process has. So many `changes` were made in databases before this one.
pub(crate) fn complete(connection: &mut Connection, changes: u64) -> Result<()> {
    // These two can only be set in an empty database.
    connection.execute_batch("PRAGMA page_size = 4096; PRAGMA auto_vacuum = INCREMENTAL;")?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    let transaction = Transaction::new(connection, TransactionBehavior::Immediate)?;
    if !is_complete(&transaction)? {
        transaction.execute_batch(TABLES)?;
        transaction.execute("UPDATE state SET changes = ?1", [changes.cast_signed()])?;
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.pragma_update(None, "user_version", VERSION)?;
    }
    Ok(transaction.commit()?)
}

/// How many entries were removed or refreshed, ever.
pub(crate) fn changes(connection: &Connection) -> Result<u64> {
    let changes: i64 = connection.query_row("SELECT changes FROM state", [], |row| row.get(0))?;
    Ok(changes.cast_unsigned())
}
