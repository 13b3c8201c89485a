//! A cache's directory, while it is open.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use twat_cache_core::archive::RkyvValue;
use twat_cache_core::{Error, KeyHash, Lifetime, Namespace, prepare_directory};

use crate::claims::{self, Claims};
use crate::entry::{self, Header};
use crate::lock::Lock;
use crate::meta::{self, Meta};
use crate::prune::Pruner;
use crate::sink::{Ended, Sink};
use crate::system::{self, FileSystem};
use crate::temp::{self, Replaced, Temp};

/// The name of a cache's directory in the cache directory: something to be read, and a digest, so that no two caches share
/// one.
pub(crate) fn dir_name(name: &str) -> String {
    let is_plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let readable: String = name.chars().map(|c| if is_plain(&c) { c } else { '_' }).take(40).collect();
    let digest = Namespace::from_secret([0; 16]).with("directory", name).id();
    format!("{readable}-{digest:016x}")
}

/// An open directory.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) dir: PathBuf,
    pub(crate) meta: Meta,
    /// Other machines may change entries, and their changes be seen late unless a file is opened.
    pub(crate) is_remote: bool,
    pub(crate) namespace: Namespace,
    area: u64,
    pub(crate) claims: Claims,
    pruner: Pruner,
}

/// How storing has ended, if not with an error.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Stored {
    Kept,
    /// It is larger than the limit.
    TooLarge,
}

impl Place {
    /// Makes the directory of a cache, if it is not there.
    pub(crate) fn prepare(root: &Path, dir: &Path) -> Result<(), Error> {
        prepare_directory(root)?;
        prepare_directory(dir)
    }

    /// `within` makes this cache's namespace of its directory's.
    ///
    /// Opens the directory of a cache, which is [prepared](Self::prepare), and removes what killed processes have left there.
    ///
    /// What had to be mended is reported, and the caller has the say about it.
    pub(crate) fn open(
        dir: &Path,
        known: Option<[u8; 16]>,
        within: impl FnOnce(&Namespace) -> Namespace,
    ) -> Result<(Self, Option<Error>), Error> {
        let (meta, damage) = Meta::open(dir, known)?;
        if meta.is_writable() {
            temp::sweep(&dir.join("tmp"), None);
            temp::sweep(&dir.join("lock"), Some(claims::FILE));
        }
        let namespace = within(&Namespace::from_secret(meta.secret()));
        let claims = Claims::new(&dir.join("lock"));
        let is_remote = system::file_system(dir) != FileSystem::Local;
        let dir = dir.to_owned();
        let place = Self { dir, meta, is_remote, namespace, area: namespace.id(), claims, pruner: Pruner::default() };
        Ok((place, damage))
    }

    pub(crate) fn digest<K: std::hash::Hash + ?Sized>(&self, key: &K) -> KeyHash {
        self.namespace.digest(key)
    }

    pub(crate) fn area(&self) -> u64 {
        self.area
    }

    /// Where an entry is, if it is there.
    pub(crate) fn path_of(&self, digest: KeyHash) -> PathBuf {
        let name = entry::file_name(digest, self.area);
        let mut path = self.dir.join(&name[..2]);
        path.push(name);
        path
    }

    /// Writes an entry, and makes room for it.
    pub(crate) fn store<V: RkyvValue>(
        &self,
        digest: KeyHash,
        value: &V,
        deadline: u64,
        limit: u64,
    ) -> Result<Stored, Error> {
        let path = self.path_of(digest);
        let failed = |error: Error| error.attempting("write an entry").at(&path);
        let Some(limit_of_payload) = limit.checked_sub(Header::LEN as u64) else { return Ok(Stored::TooLarge) };
        let mut temp = Temp::new(&self.dir.join("tmp"), 0o400).map_err(|error| failed(error.into()))?;
        let file = temp.file().try_clone().map_err(|error| failed(error.into()))?;
        let sink = match Sink::into_file(file, limit_of_payload).archive(value) {
            Ok(Ended::Written(sink)) => sink,
            Ok(Ended::TooLarge) => return Ok(Stored::TooLarge),
            Err(error) => return Err(error.at(&path)),
        };
        let header = |length, sum| Header { area: self.area, key: digest, length, deadline, sum };
        let length = sink.finish(header).map_err(|error| failed(error.into()))?;
        // Of two entries that are written within one tick of the file system's clock, the first is to be the older one.
        let now = system::now();
        let _ = temp.file().set_modified(UNIX_EPOCH + Duration::from_nanos(now));
        let bytes = length + Header::LEN as u64;
        // Counted before it is there: what is counted too much is put right when room is made, and what is not counted by
        // who is killed in between would never be.
        self.meta.note_stored(bytes, limit / 16);
        match temp.rename(&path) {
            Ok(Replaced::Nothing) => {}
            Ok(Replaced::Something(bytes)) => self.meta.subtract(bytes),
            Err(error) => {
                self.meta.subtract(bytes);
                return Err(failed(error.into()));
            }
        }
        drop(temp);
        // Also where nothing was replaced: who has removed the one before may have been killed before it could say so.
        self.meta.outdate().map_err(|error| failed(error.into()))?;
        self.pruner.note(path.clone(), bytes, now);
        if self.meta.held().is_ok_and(|held| held > limit) || self.pruner.is_look_due(limit) {
            self.make_room(limit, &path);
        }
        Ok(Stored::Kept)
    }

    /// Removes what was used least recently, unless somebody is just doing so.
    #[cold]
    fn make_room(&self, limit: u64, keep: &Path) {
        let excess = || self.meta.held().is_ok_and(|held| held > limit);
        // Whoever has the lock may be stopped. Then there are soon two at it, which does no harm.
        let is_overdue = || self.meta.held().is_ok_and(|held| held < meta::UNKNOWN && held / 2 > limit);
        // Who has stored something while we had the lock has left it to us to make room for that.
        for _ in 0..4 {
            let room = Lock::try_take(&self.dir.join("lock/room")).and_then(|lock| {
                if lock.is_none() && !is_overdue() {
                    return Ok(false);
                }
                self.pruner.make_room(&self.dir, &self.meta, limit, keep).map(|()| true)
            });
            match room {
                Ok(true) if excess() => {}
                Ok(_) => return,
                // Whoever stores next tries again.
                Err(error) => {
                    log::debug!(target: "twat_cache", "cannot make room in {}: {error}", self.dir.display());
                    return;
                }
            }
        }
    }

    /// Removes an entry; says whether it was there, and would have been given out.
    pub(crate) fn remove(&self, digest: KeyHash, lifetime: &Lifetime) -> Result<bool, Error> {
        let path = self.path_of(digest);
        // What cannot be read is to go, too, and was something.
        let lives = entry::header_in(&path).is_none_or(|header| lifetime.allows(header.deadline));
        let removed = remove_entry(&path, &self.meta);
        let removed = removed.map_err(|error| Error::from(error).attempting("remove an entry").at(&path))?;
        // Also where nothing was, see `store`.
        self.meta.outdate().map_err(|error| Error::from(error).attempting("remove an entry").at(&path))?;
        Ok(removed && lives)
    }

    /// How many entries of this area there are.
    pub(crate) fn len(&self) -> io::Result<usize> {
        let mut len = 0;
        self.each(|_| {
            len += 1;
            Ok(())
        })?;
        Ok(len)
    }

    /// Removes all entries of this area.
    pub(crate) fn clear(&self) -> io::Result<()> {
        let cleared = self.each(|path| remove_entry(path, &self.meta).map(drop));
        self.meta.outdate().and(cleared)
    }

    /// Goes on after an error, which is reported in the end.
    fn each(&self, mut visit: impl FnMut(&Path) -> io::Result<()>) -> io::Result<()> {
        let mut result = Ok(());
        for dir in parts(&self.dir)? {
            let entries = match entries(&dir) {
                Ok(entries) => entries,
                Err(error) => {
                    result = Err(error);
                    continue;
                }
            };
            for file in entries {
                let visited = file.and_then(|file| {
                    let is_ours = entry::is_in_area(&file.file_name().to_string_lossy(), self.area);
                    if is_ours { visit(&file.path()) } else { Ok(()) }
                });
                result = visited.and(result);
            }
        }
        result
    }
}

/// Removes a file, which is counted; says whether it was there.
pub(crate) fn remove_entry(path: &Path, meta: &Meta) -> io::Result<bool> {
    let length = system::stat_of(path).map_or(0, |found| if found.is_file { found.len } else { 0 });
    let removed = system::remove(path)?;
    if removed {
        meta.subtract(length);
    }
    Ok(removed)
}

/// The directories that entries are in: named by two digits.
pub(crate) fn parts(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let is_part = |name: &str| name.len() == 2 && name.bytes().all(|digit| digit.is_ascii_hexdigit());
    let mut parts = Vec::new();
    for entry in entries(dir)? {
        let entry = entry?;
        if is_part(&entry.file_name().to_string_lossy()) {
            parts.push(entry.path());
        }
    }
    Ok(parts)
}

/// What is in a directory. One that is not there, or is none, has nothing in it.
pub(crate) fn entries(dir: &Path) -> io::Result<impl Iterator<Item = io::Result<fs::DirEntry>>> {
    let entries = match fs::read_dir(dir) {
        Err(error) if !system::is_absent(&error) => return Err(error),
        entries => entries.ok(),
    };
    Ok(entries.into_iter().flatten())
}
