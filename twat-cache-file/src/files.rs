//! Where the entries of a cache are, and how much space they take.

use std::fs::{self, ReadDir};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use twat_cache_core::among::meta::Meta;
use twat_cache_core::among::system::{self, is_hex, name_of};
use twat_cache_core::persist::trust;
use twat_cache_core::{KeyHash, Namespace};

use crate::counts::Counts;

/// The files of a cache. Each namespace has a directory of its own, and each entry in it is a file that is named by its digest.
///
/// To clear a namespace, its directory gets another name. So the entries are gone at once for all processes, and are removed
/// later.
#[derive(Debug)]
pub(crate) struct Files {
    /// The directory of the cache.
    pub(crate) path: PathBuf,
    pub(crate) meta: Arc<Meta>,
    /// The unit in which the file system gives space.
    block: u64,
}

impl Files {
    pub(crate) fn new(path: &Path, meta: Arc<Meta>) -> Self {
        Self { path: path.to_owned(), meta, block: system::block_size(path) }
    }

    /// The directory of a namespace. It need not exist.
    pub(crate) fn dir_of(&self, namespace: u64) -> PathBuf {
        self.path.join(format!("{namespace:016x}"))
    }

    /// The file of an entry. It need not exist.
    pub(crate) fn path_of(&self, namespace: u64, key: KeyHash) -> PathBuf {
        let mut path = self.dir_of(namespace);
        path.push(key.to_string());
        path
    }

    /// How much of the limit a file of this length takes. A file system may compress it, or place it anew later. So the blocks
    /// that a file has are not counted.
    pub(crate) fn space(&self, len: u64) -> u64 {
        len.checked_next_multiple_of(self.block).unwrap_or(u64::MAX)
    }

    /// The longest file that takes at most this much of the limit.
    pub(crate) fn longest(&self, space: u64) -> u64 {
        space / self.block * self.block
    }

    /// Removes an entry, and subtracts it from the count; returns whether it was there. Anything else with its name is moved
    /// aside.
    pub(crate) fn remove(&self, path: &Path) -> io::Result<bool> {
        let removed = system::remove(path)?;
        if let Some(length) = removed {
            self.meta.subtract(self.space(length));
        }
        Ok(removed.is_some())
    }

    /// The directories of all namespaces.
    pub(crate) fn dirs(&self) -> io::Result<Vec<PathBuf>> {
        self.named(|name| name.len() == 16 && is_hex(name))
    }

    /// The directories that were cleared and are not removed yet.
    pub(crate) fn cleared(&self) -> io::Result<Vec<PathBuf>> {
        self.named(|name| origin(name).is_some())
    }

    fn named(&self, is_name: fn(&str) -> bool) -> io::Result<Vec<PathBuf>> {
        let mut dirs = system::list(&self.path)?;
        dirs.retain(|path| is_name(name_of(path)) && system::stat_of(path).is_ok_and(|found| found.is_dir));
        dirs.sort_unstable();
        Ok(dirs)
    }

    /// Makes all entries of a namespace unreachable. They are [cleared](Self::cleared), and still count.
    pub(crate) fn clear(&self, namespace: u64) -> io::Result<()> {
        let dir = self.dir_of(namespace);
        match system::stat_of(&dir) {
            Ok(found) if found.is_dir => {}
            Err(error) if !system::is_absent(&error) => return Err(error),
            // Nothing behind a link belongs to the cache.
            _ => return Ok(()),
        }
        let cleared = format!("{namespace:016x}-{:016x}", Namespace::random().id());
        match fs::rename(&dir, self.path.join(cleared)) {
            // Another process has cleared it.
            Err(error) if system::is_absent(&error) => Ok(()),
            // Some file systems cannot rename a directory, or not while its files are open.
            Err(_) => self.remove_all(&dir),
            renamed => renamed,
        }
    }

    /// Removes all entries in a directory. It continues after an error, and returns the last one.
    pub(crate) fn remove_all(&self, dir: &Path) -> io::Result<()> {
        let remove = |path: PathBuf| if key_of(&path).is_some() { self.remove(&path).map(drop) } else { Ok(()) };
        let mut result = Ok(());
        for path in Walk::of(vec![dir.to_owned()]) {
            result = path.and_then(remove).and(result);
        }
        result
    }

    /// Removes a directory that was cleared. What is not the cache's goes back to where it was.
    pub(crate) fn remove_cleared(&self, cleared: &Path) -> io::Result<()> {
        // What is in the way of an entry gets another name first.
        self.empty(cleared)?;
        fs::remove_dir(cleared).or_else(|_| self.empty(cleared).and_then(|()| fs::remove_dir(cleared)))
    }

    fn empty(&self, cleared: &Path) -> io::Result<()> {
        let Some(origin) = origin(name_of(cleared)) else { return Ok(()) };
        for path in Walk::of(vec![cleared.to_owned()]) {
            let path = path?;
            if key_of(&path).is_some() {
                // What cannot be removed now is removed next time.
                let _ = self.remove(&path);
            } else if let Some(name) = path.file_name() {
                let dir = self.path.join(origin);
                trust::make_dir(&dir, |_| true)?;
                trust::rename_to_new(&path, &dir.join(name))?;
            }
        }
        Ok(())
    }
}

/// The name that a directory had before it was cleared.
fn origin(name: &str) -> Option<&str> {
    let (origin, rest) = name.split_once('-')?;
    [origin, rest].iter().all(|part| part.len() == 16 && is_hex(part)).then_some(origin)
}

/// The digest in the name of an entry.
pub(crate) fn key_of(path: &Path) -> Option<KeyHash> {
    let name = Some(name_of(path)).filter(|name| name.len() == 32 && is_hex(name))?;
    u128::from_str_radix(name, 16).ok().map(|key| KeyHash::from_bytes(key.to_le_bytes()))
}

/// What is in some directories, one path after the other.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    dirs: Vec<PathBuf>,
    current: Option<ReadDir>,
}

impl Walk {
    pub(crate) fn of(dirs: Vec<PathBuf>) -> Self {
        Self { dirs, current: None }
    }
}

impl Iterator for Walk {
    type Item = io::Result<PathBuf>;

    fn next(&mut self) -> Option<io::Result<PathBuf>> {
        loop {
            if let Some(entry) = self.current.as_mut().and_then(Iterator::next) {
                if entry.is_err() {
                    self.current = None;
                }
                return Some(entry.map(|entry| entry.path()));
            }
            match system::read_dir(&self.dirs.pop()?) {
                Ok(entries) => self.current = entries,
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_an_entry_is_its_digest_and_nothing_else_is_one() {
        let key = KeyHash::from_bytes(*b"sixteen bytes ok");
        let path = Path::new("cache").join(key.to_string());
        assert_eq!(key_of(&path), Some(key));
        let too_long = format!("{key}0");
        for name in ["tmp", "0123456789abcdef", &too_long, &"g".repeat(32), &"A".repeat(32), &"+".repeat(32)] {
            assert_eq!(key_of(Path::new(name)), None, "{name}");
        }
        assert_eq!(origin("0123456789abcdef-fedcba9876543210"), Some("0123456789abcdef"));
        for name in ["0123456789abcdef", "0123456789abcdef-", "0123456789abcdef-0", "-0123456789abcdef", "meta"] {
            assert_eq!(origin(name), None, "{name}");
        }
    }
}
