//! Files that are being written, and get their name when they are complete.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use twat_cache_core::Namespace;
use twat_cache_core::persist::trust::{self, make_dir};

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

impl Temp {
    /// A new file in this directory, which is made if need be.
    pub(crate) fn new(dir: &Path, mode: u32) -> io::Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let mut last = io::Error::from(io::ErrorKind::AlreadyExists);
        for _ in 0..8 {
            // A name that no other process comes to, however their numbers are handed out.
            let name = format!("{:016x}-{}", Namespace::process().id(), NEXT.fetch_add(1, Ordering::Relaxed));
            let path = dir.join(name);
            let created = match system::create(&path, mode) {
                Err(error) if system::is_absent(&error) => {
                    make_dir(dir, trust::is_own).and_then(|()| system::create(&path, mode))
                }
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

    /// Gives the file this name, in place of a file of ours, and says how long that was. The directory is made if need be, and
    /// what else has the name is moved aside.
    pub(crate) fn rename(&mut self, to: &Path) -> io::Result<Option<u64>> {
        // There, a lock keeps others from reading, too.
        #[cfg(windows)]
        self.file.unlock()?;
        if let Some(dir) = to.parent() {
            make_dir(dir, |_| true)?;
        }
        let mut replaced = None;
        if !trust::rename_to_new(&self.path, to)? {
            match fs::symlink_metadata(to) {
                Ok(found) if !(found.is_file() && trust::is_own(&found)) => trust::move_aside(to, &found)?,
                found => replaced = Some(found.map_or(0, |found| found.len())),
            }
            fs::rename(&self.path, to)?;
        }
        self.is_named = true;
        Ok(replaced)
    }

    /// Gives the file this name, if nothing has it; says whether it could.
    pub(crate) fn name(&mut self, to: &Path) -> io::Result<bool> {
        self.is_named = trust::rename_to_new(&self.path, to)?;
        Ok(self.is_named)
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        if !self.is_named {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Whether a file of this name is one of these.
pub(crate) fn is_name(name: &str) -> bool {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|digit| digit.is_ascii_digit());
    name.split_once('-').is_some_and(|(process, number)| process.len() == 16 && is_hex(process) && is_number(number))
}

/// Whether these are digits, as this library writes them.
pub(crate) fn is_hex(name: &str) -> bool {
    name.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
}

/// Removes the files in a directory that are named as ours are, and that nobody has locked: what processes have left that
/// were killed.
pub(crate) fn sweep(dir: &Path, is_ours: fn(&str) -> bool) {
    if !system::stat_of(dir).is_ok_and(|dir| dir.is_dir) {
        return;
    }
    let Ok(entries) = fs::read_dir(dir) else { return };
    let entries = entries.flatten().filter(|entry| is_ours(&entry.file_name().to_string_lossy()));
    for path in entries.map(|entry| entry.path()) {
        let Some(found) = system::stat_of(&path).ok().filter(system::Stat::is_own_file) else { continue };
        let Ok(file) = trust::options().read(true).open(&path) else { continue };
        // Under the lock nobody else removes it; but what has the name now may be another.
        let is_orphan = file.try_lock().is_ok()
            && matches!((system::stat(&file), system::stat_of(&path)),
                (Ok(locked), Ok(named)) if locked.identity == found.identity && locked.identity == named.identity);
        if is_orphan {
            let _ = fs::remove_file(&path);
        }
    }
}
