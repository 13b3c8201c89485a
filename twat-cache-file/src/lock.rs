//! A lock between processes: who makes room, and where there is nothing better, who computes a result.
//!
//! The kernel drops a lock when its holder dies. The file is there only for as long as somebody holds the lock.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use twat_cache_core::persist::trust::{self, make_dir, open_or_create};

use crate::system;

/// A lock that is held.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
    path: PathBuf,
}

impl Lock {
    /// Takes the lock of this name, if nobody has it.
    pub(crate) fn try_take(path: &Path) -> io::Result<Option<Self>> {
        path.parent().map_or(Ok(()), |dir| make_dir(dir, trust::is_own))?;
        // Whoever had it last has removed the file that we may just have opened: then there is another to be locked.
        for _ in 0..16 {
            let file = open_or_create(path, 0o600)?;
            match file.try_lock() {
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(error),
                Ok(()) => {}
            }
            let is_named = system::stat_of(path).is_ok_and(|named| {
                system::stat(&file).is_ok_and(|locked| locked.identity == named.identity && locked.links > 0)
            });
            if is_named {
                return Ok(Some(Self { file, path: path.to_owned() }));
            }
        }
        Err(io::ErrorKind::Interrupted.into())
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // As long as we have the lock, nobody else removes the file.
        let _ = fs::remove_file(&self.path);
        // Closing it is not enough: a process that is just being forked has it open, too, until it is another.
        let _ = self.file.unlock();
    }
}
