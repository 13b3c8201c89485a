//! Files that get their names when they are complete.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use super::system::{self, is_hex, name_of};
use crate::Namespace;
use crate::persist::trust::{self, make_dir};

/// A file with a temporary name. If it does not get another name, it is removed.
///
/// It is locked as long as this exists. So a file that is not locked was left by a process that was killed.
#[derive(Debug)]
pub struct Temp {
    pub file: File,
    path: PathBuf,
    is_named: bool,
}

impl Temp {
    /// A new file of this mode in this directory, which is made if it does not exist.
    pub fn new(dir: &Path, mode: u32) -> io::Result<Self> {
        for _ in 0..8 {
            let path = dir.join(format!("{:016x}", Namespace::random().id()));
            let file = match system::create(&path, mode) {
                Err(error) if system::is_absent(&error) => {
                    make_dir(dir, trust::is_own)?;
                    system::create(&path, mode)?
                }
                file => file?,
            };
            let temp = Self { file, path, is_named: false };
            match temp.file.try_lock() {
                // A sweep may find the file before it is locked here. Then it removes the file.
                Err(TryLockError::WouldBlock) => {}
                Ok(()) if system::stat(&temp.file)?.links == 0 => {}
                // Where files cannot be locked, a sweep removes none.
                Ok(()) | Err(TryLockError::Error(_)) => return Ok(temp),
            }
        }
        Err(io::ErrorKind::Interrupted.into())
    }

    /// Gives the file this name if nothing has it; returns whether it did.
    pub fn name(&mut self, to: &Path) -> io::Result<bool> {
        self.is_named = trust::rename_to_new(&self.path, to)?;
        Ok(self.is_named)
    }

    /// Gives the file this name. Replaces a file of this user with that name, and returns its length; moves anything else
    /// aside. The directory is made if it does not exist.
    pub fn replace(mut self, to: &Path) -> io::Result<u64> {
        // On Windows, nobody else can read a locked file.
        #[cfg(windows)]
        self.file.unlock()?;
        for _ in 0..8 {
            match self.try_replace(to) {
                // Another process may have moved the directory away meanwhile.
                Err(error) if system::is_absent(&error) => {}
                replaced => return replaced,
            }
        }
        self.try_replace(to)
    }

    fn try_replace(&mut self, to: &Path) -> io::Result<u64> {
        if let Some(dir) = to.parent() {
            make_dir(dir, |_| true)?;
        }
        if self.name(to)? {
            return Ok(0);
        }
        let replaced = match fs::symlink_metadata(to) {
            Ok(found) if !(found.is_file() && trust::is_own(&found)) => trust::move_aside(to, &found).map(|()| 0)?,
            found => found.map_or(0, |found| found.len()),
        };
        fs::rename(&self.path, to)?;
        self.is_named = true;
        Ok(replaced)
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        if !self.is_named {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Whether a file of this name is a temporary one.
pub fn is_name(name: &str) -> bool {
    name.len() == 16 && is_hex(name)
}

/// Removes the files in a directory that have a name of the cache's and that nobody has locked: killed processes have left
/// them.
pub fn sweep(dir: &Path, is_name: fn(&str) -> bool) {
    let files = system::list(dir).unwrap_or_default();
    for path in files.iter().filter(|path| is_name(name_of(path))) {
        let is_own = system::stat_of(path).is_ok_and(|found| found.is_own_file());
        let Some(file) = is_own.then(|| system::open(path).ok()).flatten() else { continue };
        // Only the holder of the lock removes or renames the file. It may have done so before this lock was taken.
        if file.try_lock().is_ok() && system::stat(&file).is_ok_and(|found| found.links > 0) {
            let _ = fs::remove_file(path);
        }
    }
}
