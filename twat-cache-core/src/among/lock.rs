//! Locks between processes. The kernel releases a lock when its holder dies.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::system;
use crate::persist::trust::{self, make_dir, open_or_create};

/// A lock with a file of its own. The file exists only while a process holds the lock.
#[derive(Debug)]
pub struct FileLock {
    file: File,
    path: PathBuf,
}

impl FileLock {
    /// Takes the lock if nobody else holds it, or is just releasing it.
    pub fn try_take(path: &Path) -> io::Result<Option<Self>> {
        path.parent().map_or(Ok(()), |dir| make_dir(dir, trust::is_own))?;
        let file = open_or_create(path, 0o600)?;
        match file.try_lock() {
            // The last holder has removed this file after it was opened here, and there may be another.
            Ok(()) if system::stat(&file)?.links == 0 => Ok(None),
            Ok(()) => Ok(Some(Self { file, path: path.to_owned() })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
        // Closing the file is not enough: a process that is being forked has it open as well.
        let _ = self.file.unlock();
    }
}

/// A lock on some bytes of a file, which need not exist. It does not exclude users of the same open file.
#[derive(Debug)]
pub struct RangeLock {
    file: Arc<File>,
    at: u64,
    len: u64,
}

/// How long to wait for another process. It needs microseconds, and may have to wait until the system runs it again. If it
/// takes longer, it is stopped.
const PATIENCE: Duration = Duration::from_millis(200);
/// How long to wait between two attempts. No system has a call that waits for such a lock and gives up after a while.
const PAUSE: Duration = Duration::from_micros(100);

impl RangeLock {
    /// Whether bytes of a file can be locked on this system. If not, it is an error to try.
    pub const EXISTS: bool = cfg!(all(target_os = "linux", target_pointer_width = "64"));

    /// Takes the lock if nobody else holds it.
    pub fn try_take(file: &Arc<File>, at: u64, len: u64) -> io::Result<Option<Self>> {
        Ok(ranges::set(file, at, len, true)?.then(|| Self { file: file.clone(), at, len }))
    }

    /// Takes the lock, and waits for it if need be; `None` if its holder has stopped.
    pub fn take(file: &Arc<File>, at: u64, len: u64) -> io::Result<Option<Self>> {
        let begun = Instant::now();
        loop {
            let taken = Self::try_take(file, at, len)?;
            let waited = begun.elapsed();
            if taken.is_some() || waited > PATIENCE {
                return Ok(taken);
            }
            // The holder may be waiting for this processor.
            if waited < PAUSE {
                thread::yield_now();
            } else {
                thread::sleep(PAUSE);
            }
        }
    }
}

impl Drop for RangeLock {
    fn drop(&mut self) {
        // Bytes that could be locked can be unlocked.
        let _ = ranges::set(&self.file, self.at, self.len, false);
    }
}

/// By open file description locks, which belong to the open file and not to the process.
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
pub(super) mod ranges {
    use std::fs::File;
    use std::io;

    use nix::errno::Errno;
    use nix::fcntl::{FcntlArg, fcntl};
    use nix::libc::{F_UNLCK, F_WRLCK, SEEK_SET, c_int, flock};

    /// Locks or unlocks; returns whether it could. It does not wait.
    pub(super) fn set(file: &File, at: u64, len: u64, is_locked: bool) -> io::Result<bool> {
        let range = range(if is_locked { F_WRLCK } else { F_UNLCK }, at, len)?;
        match fcntl(file, FcntlArg::F_OFD_SETLK(&range)) {
            Ok(_) => Ok(true),
            Err(Errno::EAGAIN | Errno::EACCES) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// The length of another's lock that begins at this offset.
    pub(in crate::among) fn len_of_other(file: &File, at: u64) -> Option<u64> {
        let mut range = range(F_WRLCK, at, 1).ok()?;
        fcntl(file, FcntlArg::F_OFD_GETLK(&mut range)).ok()?;
        let is_there = c_int::from(range.l_type) != F_UNLCK && u64::try_from(range.l_start) == Ok(at);
        u64::try_from(range.l_len).ok().filter(|_| is_there)
    }

    fn range(kind: c_int, at: u64, len: u64) -> io::Result<flock> {
        let short = |number| i16::try_from(number).map_err(|_| io::ErrorKind::InvalidInput);
        let long = |number| i64::try_from(number).map_err(|_| io::ErrorKind::InvalidInput);
        let (l_type, l_whence) = (short(kind)?, short(SEEK_SET)?);
        Ok(flock { l_type, l_whence, l_start: long(at)?, l_len: long(len)?, l_pid: 0 })
    }
}

#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
pub(super) mod ranges {
    use std::fs::File;
    use std::io;

    pub(super) fn set(_: &File, _: u64, _: u64, _: bool) -> io::Result<bool> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(in crate::among) fn len_of_other(_: &File, _: u64) -> Option<u64> {
        None
    }
}
