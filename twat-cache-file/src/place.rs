//! A cache's directory, while it is open.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use twat_cache_core::persist::RkyvValue;
use twat_cache_core::persist::{prepare_below, prepare_root, trust};
use twat_cache_core::{Args, Error, Expiry, KeyHash, Namespace, Ticket, Trust};

use crate::claims::Claims;
use crate::entry::{self, Header};
use crate::lock::Lock;
use crate::meta::{self, Meta};
use crate::order::Verdict;
use crate::prune::Pruner;
use crate::sink::{Ended, Sink};
use crate::system::{self, FileSystem};
use crate::temp::{self, Temp};

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
    /// Whose it is: this user's, when it was opened.
    pub(crate) owner: u32,
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
    /// It is larger than the limit. What it would have replaced is removed.
    TooLarge,
    /// It was computed before what is there, or should not be there, was changed.
    Outdated,
}

/// An entry that has no name yet.
struct Written {
    file: Temp,
    bytes: u64,
    used: u64,
}

impl Place {
    /// Makes the directory of a cache of this name, if it is not there, and gives its path without links.
    pub(crate) fn prepare(root: &Path, name: &str, trust: Trust) -> Result<PathBuf, Error> {
        let dir = prepare_root(root, trust)?.join(name);
        prepare_below(&dir, trust)?;
        Ok(dir)
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
            trust::make_dir(&dir.join("tmp"), trust::is_own).map_err(|error| Error::from(error).at(dir))?;
            temp::sweep(&dir.join("tmp"), temp::is_name);
            temp::sweep(&dir.join("lock"), is_lock);
        }
        let namespace = within(&Namespace::from_secret(meta.secret()));
        let claims = Claims::new(&dir.join("lock"));
        let is_remote = system::file_system(dir) != FileSystem::Local;
        let (dir, owner) = (dir.to_owned(), system::owner());
        let place =
            Self { dir, owner, meta, is_remote, namespace, area: namespace.id(), claims, pruner: Pruner::default() };
        Ok((place, damage))
    }

    pub(crate) fn digest<K: Args + ?Sized>(&self, key: &K) -> KeyHash {
        self.namespace.digest_of(key)
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

    /// Writes an entry, unless it is outdated, and makes room for it.
    pub(crate) fn store<V: RkyvValue>(
        &self,
        digest: KeyHash,
        value: &V,
        deadline: u64,
        limit: u64,
        ticket: Ticket,
    ) -> Result<Stored, Error> {
        let path = self.path_of(digest);
        let failed = |error: Error| error.attempting("write an entry").at(&path);
        let written = self.write(digest, value, deadline, limit).map_err(failed)?;
        let (bytes, used) = written.as_ref().map_or((0, 0), |written| (written.bytes, written.used));
        // Counted before it is there: what is counted too much is put right when room is made, and what is not counted by
        // a process that is killed in between would never be.
        let mut held = self.meta.note_stored(bytes, limit / 16);
        let placed = self.put(&path, digest, written.map(|written| written.file), ticket);
        let too_much = match placed {
            Ok((Stored::Kept, replaced)) => replaced,
            _ => Some(bytes),
        };
        if let Some(bytes) = too_much {
            held = self.meta.subtract(bytes);
        }
        let (stored, _) = placed.map_err(|error| failed(error.into()))?;
        // Also where nothing was replaced: the process that has removed the one before may have been killed before it could
        // say so.
        self.meta.outdate().map_err(|error| failed(error.into()))?;
        if stored == Stored::Kept {
            self.pruner.note(path.clone(), bytes, used);
            if held > limit || self.pruner.is_look_due(limit) {
                self.make_room(limit, &path);
            }
        }
        Ok(stored)
    }

    /// Writes an entry into a file that has no name yet; `None` if it is larger than the limit.
    fn write<V: RkyvValue>(
        &self,
        digest: KeyHash,
        value: &V,
        deadline: u64,
        limit: u64,
    ) -> Result<Option<Written>, Error> {
        let head = Header::LEN as u64;
        let most = trust::most_file_bytes();
        if most < meta::LEN {
            meta::fits()?;
        }
        let Some(room) = limit.min(most).checked_sub(head) else { return Ok(None) };
        let file = Temp::new(&self.dir.join("tmp"), 0o400)?;
        let sink = match Sink::into_file(file.file(), room).archive(value)? {
            Ended::Written(sink) => sink,
            Ended::TooLarge if most < limit => return trust::fits(u64::MAX).map(|()| None).map_err(Error::from),
            Ended::TooLarge => return Ok(None),
        };
        let header = |length, sum| Header { area: self.area, key: digest, length, deadline, sum };
        let length = sink.finish(header)?;
        // Of two entries that are written within one tick of the file system's clock, the first is to be the older one.
        let used = system::now();
        let _ = file.file().set_modified(UNIX_EPOCH + Duration::from_nanos(used));
        Ok(Some(Written { file, bytes: head + length, used }))
    }

    /// Gives a file the name of an entry, or removes that if there is none. Says how long the file was that had the name.
    fn put(
        &self,
        path: &Path,
        digest: KeyHash,
        file: Option<Temp>,
        ticket: Ticket,
    ) -> io::Result<(Stored, Option<u64>)> {
        // In between, nobody can remove the entry, and think that it is gone.
        let turn = self.meta.turn(digest);
        match turn.judge(ticket)? {
            Verdict::Current => {}
            Verdict::Outdated => return Ok((Stored::Outdated, None)),
            // Nothing is never wrong.
            Verdict::InDoubt => return remove_entry(path, &self.meta).map(|_| (Stored::Outdated, None)),
        }
        if ticket.is_refresh {
            turn.note_refresh(ticket)?;
        }
        let noted = turn.stripe()?;
        match file {
            Some(mut file) => {
                let replaced = file.rename(path)?;
                // Nobody waits for a process that is stopped in its turn. Who went on without us has said so.
                if turn.stripe()? != noted {
                    return remove_entry(path, &self.meta).map(|_| (Stored::Outdated, replaced));
                }
                Ok((Stored::Kept, replaced))
            }
            None => remove_entry(path, &self.meta).map(|_| (Stored::TooLarge, None)),
        }
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
    pub(crate) fn remove(&self, digest: KeyHash, expiry: &Expiry) -> Result<bool, Error> {
        let path = self.path_of(digest);
        let failed = |error: io::Error| Error::from(error).attempting("remove an entry").at(&path);
        // What cannot be read is removed, too, and was something.
        let lives = entry::header_in(&path).is_none_or(|header| expiry.allows(header.deadline));
        meta::fits().map_err(failed)?;
        let turn = self.meta.turn(digest);
        let removed = turn.raise().and_then(|()| remove_entry(&path, &self.meta));
        let is_missed = turn.is_taken();
        drop(turn);
        // Also where nothing was, see `store`.
        self.meta.outdate().map_err(failed)?;
        let removed = removed.map_err(failed)?;
        if is_missed { Err(failed(stopped())) } else { Ok(removed && lives) }
    }

    /// How many entries of this area there are.
    pub(crate) fn len(&self) -> io::Result<usize> {
        let mut len = 0;
        self.each(|path| {
            len += usize::from(system::stat_of(path).is_ok_and(|found| found.is_own_file()));
            Ok(())
        })?;
        Ok(len)
    }

    /// Removes all entries of this area.
    pub(crate) fn clear(&self) -> io::Result<()> {
        meta::fits()?;
        let is_told = self.meta.raise_all()?;
        let cleared = self.each(|path| remove_entry(path, &self.meta).map(drop));
        self.meta.outdate().and(cleared)?;
        if is_told { Ok(()) } else { Err(stopped()) }
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

/// A process has stopped in the middle of storing an entry, which will be there when it goes on.
fn stopped() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "another process that stores an entry does not go on")
}

/// Removes the file of an entry, which is counted; says whether it was there. What else has its name is moved aside.
pub(crate) fn remove_entry(path: &Path, meta: &Meta) -> io::Result<bool> {
    let is_in_place = path.parent().is_none_or(|dir| system::stat_of(dir).is_ok_and(|dir| dir.is_dir));
    let removed = match fs::symlink_metadata(path) {
        // Beyond a link nothing is ours.
        Ok(_) if !is_in_place => return Ok(false),
        Ok(found) if found.is_file() && trust::is_own(&found) => fs::remove_file(path).map(|()| found.len()),
        Ok(found) => trust::move_aside(path, &found).map(|()| 0),
        Err(error) => Err(error),
    };
    match removed {
        Ok(length) => {
            meta.subtract(length);
            Ok(true)
        }
        Err(error) if system::is_absent(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether a file of this name is a lock that is there only as long as somebody holds it.
fn is_lock(name: &str) -> bool {
    name == "room" || name.len() == 32 && temp::is_hex(name)
}

/// The directories that entries are in: named by two digits.
pub(crate) fn parts(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut parts = Vec::new();
    for entry in entries(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        if name.len() == 2 && temp::is_hex(&name.to_string_lossy()) && entry.file_type()?.is_dir() {
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
