//! Which journals the database has had, and with which write each of them ended.
//!
//! The engine reads the journals that it finds. If one was removed while the database was closed, the last writes are lost,
//! and the values that they had replaced would come back. Journals are numbered from 0. The engine never removes the newest
//! one, and removes another only when all of it is in tables. So a file beside them has eight bytes for each journal but the
//! newest: the number of the last write in it, or 0 when all of it is in tables. Numbers of writes grow, and the engine knows
//! the largest one in its tables.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fjall::{AbstractTree as _, Database, Keyspace};
use twat_cache_core::persist::trust;
use twat_cache_core::{Error, ErrorKind};

/// The name of the file.
pub(crate) const JOURNALS: &str = "journals";

/// Its name until the database is complete. Nothing is stored before that.
pub(crate) const INCOMPLETE: &str = "incomplete";

/// How often to find out whether the database is still there.
const LOOK: Duration = Duration::from_secs(1);

/// At most this many journals can have been begun before a kill without being noted.
const MOST_NEW: usize = 16;

pub(crate) struct Journals {
    dir: PathBuf,
    file: File,
    /// What the file has. There are as many as the number of the newest journal.
    ends: Vec<u64>,
    /// The memtable, the number of full memtables, and the number of journals, after the last write. When the engine begins
    /// a journal or removes one, at least one of the three changes.
    seen: Option<(u64, usize, usize)>,
    /// The number of the last write.
    last: u64,
    looked: Instant,
}

impl Journals {
    /// Those of a database that is there, or of a new one. An error if the newest is missing.
    pub(crate) fn open(dir: &Path, is_there: bool) -> Result<Self, Error> {
        let path = dir.join(if is_there { JOURNALS } else { INCOMPLETE });
        let mut file = trust::options().read(true).write(true).create(!is_there).open(path)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let (ends, _) = bytes.as_chunks::<8>();
        let ends = ends.iter().map(|end| u64::from_le_bytes(*end)).collect();
        let mut journals = Self { dir: dir.to_owned(), file, ends, seen: None, last: 0, looked: Instant::now() };
        if is_there {
            let newest = journals.ends.len();
            let numbers = fs::read_dir(dir)?.filter_map(|entry| number(&entry.ok()?.path()));
            let Some(found) = numbers.max().filter(|found| (newest..newest + MOST_NEW).contains(found)) else {
                let why = format!("{} is missing", journals.path(newest).display());
                return Err(Error::new(ErrorKind::Corrupt, "open the database").because(why));
            };
            // If there are newer ones than noted, it is unknown where those before them ended.
            journals.ends.resize(found, 0);
        }
        Ok(journals)
    }

    fn path(&self, number: usize) -> PathBuf {
        self.dir.join(format!("{number}.jnl"))
    }

    /// Whether a journal is missing on which something may depend.
    fn is_missing(&self, number: usize) -> bool {
        self.ends[number] > 0 && matches!(self.path(number).try_exists(), Ok(false))
    }

    /// A file by which a database is known to be this one.
    pub(super) fn witness(&self) -> io::Result<File> {
        self.file.try_clone()
    }

    /// How long the newest journal is.
    pub(crate) fn newest_len(&self) -> io::Result<u64> {
        Ok(fs::metadata(self.path(self.ends.len()))?.len())
    }

    /// The last write that must be in tables, because its journal is missing.
    pub(crate) fn last_missing(&self) -> Option<u64> {
        let missing = (0..self.ends.len()).filter(|number| self.is_missing(*number));
        missing.map(|number| self.ends[number]).max()
    }

    /// Begins to follow what the engine does, now that the database is complete and open.
    pub(crate) fn begin(&mut self, entries: &Keyspace) -> io::Result<()> {
        let incomplete = self.dir.join(INCOMPLETE);
        if incomplete.try_exists()? {
            fs::rename(incomplete, self.dir.join(JOURNALS))?;
        }
        self.last = entries.tree.get_highest_seqno().unwrap_or(0);
        self.note()
    }

    /// Notes what the engine has done since the last call, which was after the last write.
    pub(crate) fn follow(&mut self, database: &Database, entries: &Keyspace) -> io::Result<()> {
        let memtable = entries.tree.active_memtable();
        let seen = (memtable.id(), entries.tree.sealed_memtable_count(), database.journal_count());
        if self.seen != Some(seen) {
            self.note()?;
            self.seen = Some(seen);
        }
        self.last = memtable.get_highest_seqno().unwrap_or(self.last);
        Ok(())
    }

    /// Notes which journals the engine has begun and removed.
    pub(crate) fn note(&mut self) -> io::Result<()> {
        while self.path(self.ends.len() + 1).exists() {
            self.ends.push(self.last);
        }
        for number in 0..self.ends.len() {
            if self.is_missing(number) {
                self.ends[number] = 0;
            }
        }
        let bytes: Vec<u8> = self.ends.iter().flat_map(|end| end.to_le_bytes()).collect();
        self.file.rewind()?;
        self.file.write_all(&bytes)
    }

    /// Whether it is a second since this was last true.
    pub(crate) fn is_time_to_look(&mut self) -> bool {
        let is_time = self.looked.elapsed() >= LOOK;
        if is_time {
            self.looked = Instant::now();
        }
        is_time
    }

    /// Whether the database is still at its place.
    pub(crate) fn are_there(&self) -> bool {
        is_at(&self.file, &self.dir.join(JOURNALS))
    }
}

/// Whether this file is the one at that path. It counts as that if the system does not tell.
pub(super) fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::symlink_metadata(path)) {
        (_, Err(error)) => error.kind() != io::ErrorKind::NotFound,
        #[cfg(unix)]
        (Ok(file), Ok(found)) => {
            use std::os::unix::fs::MetadataExt;
            (file.dev(), file.ino()) == (found.dev(), found.ino())
        }
        _ => true,
    }
}

/// The number of the journal at this path; `None` if it is not the path of a journal.
pub(crate) fn number(path: &Path) -> Option<usize> {
    if path.extension()? == "jnl" { path.file_stem()?.to_str()?.parse().ok() } else { None }
}
