//! Why something could not be done with the database.

use std::io;

use rusqlite::ErrorCode;
use rusqlite::ffi::SQLITE_IOERR_SHORT_READ;
use twat_cache_core::{Error, ErrorKind};

/// A failure, by what is done about it.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The store returns it.
    Error(Error),
    /// The database is damaged. A new one takes its place.
    Damaged(Error),
    /// Another process has put a new database in place of this one, or the directory was moved away.
    Moved,
}

pub(crate) type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    /// A database or entry that is not what this library has written.
    pub(crate) fn damaged(why: &'static str) -> Self {
        Self::Damaged(corrupt(why))
    }
}

pub(crate) fn corrupt(why: &'static str) -> Error {
    Error::new(ErrorKind::Corrupt, "use the database").because(why)
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Error(error.into())
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        let kind = match &error {
            rusqlite::Error::SqliteFailure(failure, _) => match failure.code {
                _ if failure.extended_code == SQLITE_IOERR_SHORT_READ => ErrorKind::Corrupt,
                ErrorCode::DiskFull => ErrorKind::Full,
                // `Unknown` is a statement that cannot be prepared, and the last two are never met in the tables of this
                // library: these are not its own.
                ErrorCode::DatabaseCorrupt
                | ErrorCode::NotADatabase
                | ErrorCode::Unknown
                | ErrorCode::ConstraintViolation
                | ErrorCode::TypeMismatch => ErrorKind::Corrupt,
                _ => ErrorKind::Io,
            },
            // What a column has is not of its type, or a row is missing that must be there.
            _ => ErrorKind::Corrupt,
        };
        let failure = Error::new(kind, "use the database").because(error);
        if kind == ErrorKind::Corrupt { Self::Damaged(failure) } else { Self::Error(failure) }
    }
}
