//! Files that are being written, and get their name when they are complete.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use twat_cache_core::Namespace;

use crate::system;

/// A file without a name of its own yet. It is removed if it never gets one.
///
/// It is locked for as long as it is here. A file that nobody has locked was left by a process that is gone.
#[derive(Debug)]
pub(crate) struct Temp {
    file: File,
    path: PathBuf,
    is_named: bool,
}

/// What had the name before.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Replaced {
    Nothing,
    /// A file of so many bytes. Something else counts as 0.
    Something(u64),
}

impl Temp {
    /// A new file in this directory, which is made if need be.
    pub(crate) fn new(dir: &Path, mode: u32) -> io::Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let mut last = io::Error::from(io::ErrorKind::AlreadyExists);
        for _ in 0..8 {
            // A name that no other process comes to, however their numbers are handed out.
            let name = format!("{:016x}-{}", Namespace::process().id(), NEXT.fetch_add(1, Ordering::Relaxed));
            let path = dir.join(name);
            let create = || system::options_to_create(mode).create_new(true).open(&path);
            let created = match create() {
                Err(error) if system::is_absent(&error) => system::make_dir(dir).and_then(|()| create()),
                created => created,
            };
            let file = match created {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    last = error;
                    continue;
                }
                created => created?,
            };
            let temp = Self { file, path, is_named: false };
            match temp.file.try_lock() {
                // Somebody who sweeps may have come between. Then it is gone, or about to be.
                Err(TryLockError::WouldBlock) => {}
                Ok(()) if system::stat(&temp.file)?.links == 0 => {}
                // Where files cannot be locked, nobody sweeps.
                Ok(()) | Err(TryLockError::Error(_)) => return Ok(temp),
            }
        }
        Err(last)
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Gives the file this name, in place of what has it. The directory is made, and cleared of what is in its way.
    pub(crate) fn rename(&mut self, to: &Path) -> io::Result<Replaced> {
        let renamed = self.try_rename(to).or_else(|_| {
            // Whatever it is: if it was in the way, the second attempt will do.
            if system::stat_of(to).is_ok_and(|found| found.is_dir) {
                fs::remove_dir_all(to)?;
            }
            if let Some(dir) = to.parent() {
                system::make_dir(dir)?;
            }
            self.try_rename(to)
        });
        self.is_named = renamed.is_ok();
        renamed
    }

    fn try_rename(&self, to: &Path) -> io::Result<Replaced> {
        // There, a lock keeps others from reading, too.
        #[cfg(windows)]
        self.file.unlock()?;
        if system::rename_to_new(&self.path, to)? == Some(true) {
            return Ok(Replaced::Nothing);
        }
        let replaced = system::stat_of(to).ok();
        fs::rename(&self.path, to)?;
        Ok(Replaced::Something(replaced.filter(|found| found.is_file).map_or(0, |found| found.len)))
    }

    /// Gives the file this name, if nothing has it.
    pub(crate) fn link(&mut self, to: &Path) -> io::Result<()> {
        match fs::hard_link(&self.path, to) {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(error),
            // Not all file systems can do that.
            Err(_) => {}
        }
        match system::rename_to_new(&self.path, to)? {
            Some(true) => {}
            Some(false) => return Err(io::ErrorKind::AlreadyExists.into()),
            None => fs::rename(&self.path, to)?,
        }
        self.is_named = true;
        Ok(())
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        if !self.is_named {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Removes the files in a directory that nobody has locked: what processes have left that were killed. `keep` is the name
/// of one that is to stay.
pub(crate) fn sweep(dir: &Path, keep: Option<&str>) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    let goes = |entry: &fs::DirEntry| keep.is_none_or(|keep| entry.file_name() != keep);
    for path in entries.flatten().filter(goes).map(|entry| entry.path()) {
        let Ok(file) = system::options().read(true).open(&path) else {
            continue;
        };
        // Under the lock nobody else removes it; but what has the name now may be another.
        let is_orphan = file.try_lock().is_ok()
            && matches!((system::stat(&file), system::stat_of(&path)),
                (Ok(locked), Ok(named)) if locked.is_file && locked.identity == named.identity);
        if is_orphan {
            let _ = fs::remove_file(&path);
        }
    }
}
