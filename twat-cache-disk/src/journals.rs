//! Which journals the database has had, and where each ended.
//!
//! The engine takes what journals it finds. If one was removed while the database was closed, what was last written is gone
//! without a word, and what that had replaced comes back. Journals are numbered from 0. The engine never removes the
//! newest, and an older one when tables have all that is in it. So a file beside them has eight bytes for each but the
//! newest: the number of the last write in it, or 0 if nothing depends on it any more. All writes have numbers, which grow,
//! and tables know their largest.
//!
//! The file is made when the rest of a new database is, and before anything is stored.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fjall::{AbstractTree, Database, Keyspace};
use twat_cache_core::persist::trust;
use twat_cache_core::{Error, ErrorKind};

/// The file's name.
pub(crate) const FILE: &str = "journals";

/// How often to look whether the database is still there.
const LOOK: Duration = Duration::from_secs(1);

pub(crate) struct Journals {
    dir: PathBuf,
    file: File,
    newest: u64,
    /// The last write in each older one on which something may depend.
    ends: Vec<(u64, u64)>,
    /// The memtable and the number of journals when we last looked.
    seen: Option<(u64, usize)>,
    /// The engine may be beginning another journal.
    is_unsure: bool,
    /// The number of the last write.
    last: u64,
    looked: Instant,
}

impl Journals {
    /// Those of a database in which nothing is stored yet.
    pub(crate) fn of_new(dir: &Path) -> io::Result<Self> {
        let file = trust::options().read(true).write(true).create_new(true).open(dir.join(FILE))?;
        Ok(Self::of(dir, file))
    }

    /// Those that a database should have. An error if the newest is not there.
    pub(crate) fn find(dir: &Path) -> Result<Self, Error> {
        let mut journals = Self::of(dir, trust::options().read(true).write(true).open(dir.join(FILE))?);
        let mut noted = Vec::new();
        journals.file.read_to_end(&mut noted)?;
        let (noted, _) = noted.as_chunks::<8>();
        journals.ends =
            (0..).zip(noted.iter().map(|end| u64::from_le_bytes(*end))).filter(|(_, end)| *end > 0).collect();
        journals.newest = noted.len() as u64;
        let mut on_disk = 0..0;
        for entry in fs::read_dir(dir)? {
            if let Some(number) = number(Path::new(&entry?.file_name())) {
                on_disk.end = on_disk.end.max(number + 1);
            }
        }
        if on_disk.end <= journals.newest {
            let why = format!("{} is missing", journals.path(journals.newest).display());
            return Err(Error::new(ErrorKind::Corrupt, "open the database").because(why));
        }
        journals.newest = on_disk.end - 1;
        Ok(journals)
    }

    fn of(dir: &Path, file: File) -> Self {
        let (dir, ends, looked) = (dir.to_owned(), Vec::new(), Instant::now());
        Self { dir, file, newest: 0, ends, seen: None, is_unsure: true, last: 0, looked }
    }

    fn path(&self, number: u64) -> PathBuf {
        self.dir.join(format!("{number}.jnl"))
    }

    fn has(&self, number: u64) -> io::Result<bool> {
        self.path(number).try_exists()
    }

    /// How long the newest is.
    pub(crate) fn newest_len(&self) -> io::Result<u64> {
        Ok(fs::metadata(self.path(self.newest))?.len())
    }

    /// The last write that must be in tables, because it is in no journal any more.
    pub(crate) fn last_missing(&self) -> io::Result<Option<u64>> {
        let mut last = None;
        for (number, end) in &self.ends {
            if !self.has(*number)? {
                last = last.max(Some(*end));
            }
        }
        Ok(last)
    }

    /// Begins to follow what the engine does.
    pub(crate) fn begin(&mut self, entries: &Keyspace) -> io::Result<()> {
        // Of those that began unseen, before a kill, it is not known where the one before ended.
        self.file.set_len(self.newest * 8)?;
        self.last = entries.tree.get_highest_seqno().unwrap_or(0);
        self.settle()
    }

    /// Notes that nothing depends on those which the engine has removed.
    pub(crate) fn settle(&mut self) -> io::Result<()> {
        let mut still = Vec::new();
        for (number, end) in std::mem::take(&mut self.ends) {
            if self.has(number)? {
                still.push((number, end));
            } else {
                self.note(number, 0)?;
            }
        }
        self.ends = still;
        Ok(())
    }

    /// Notes what the engine has done since the last call: it is called before and after each write.
    ///
    /// It begins a journal at any time between that when a memtable is full and that when it is written out.
    pub(crate) fn follow(&mut self, database: &Database, entries: &Keyspace) -> io::Result<()> {
        let memtable = entries.tree.active_memtable();
        let seen = (memtable.id(), database.journal_count());
        if self.seen != Some(seen) {
            self.seen = Some(seen);
            self.is_unsure = true;
        }
        if self.is_unsure {
            self.is_unsure = entries.tree.sealed_memtable_count() > 0;
            while self.has(self.newest + 1)? {
                // What is gone by now is in tables.
                let end = if self.has(self.newest)? { self.last } else { 0 };
                self.note(self.newest, end)?;
                if end > 0 {
                    self.ends.push((self.newest, end));
                }
                self.newest += 1;
            }
            self.settle()?;
        }
        self.last = memtable.get_highest_seqno().unwrap_or(self.last);
        Ok(())
    }

    fn note(&mut self, number: u64, end: u64) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(number * 8))?;
        self.file.write_all(&end.to_le_bytes())
    }

    /// Whether the database is still there, as far as was looked in the last second.
    pub(crate) fn are_there(&mut self) -> bool {
        if self.looked.elapsed() < LOOK {
            return true;
        }
        self.looked = Instant::now();
        is_at(&self.file, &self.dir.join(FILE))
    }
}

/// Whether this file is the one at that path. In doubt it is.
pub(crate) fn is_at(file: &File, path: &Path) -> bool {
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

/// The number of a journal with this name.
pub(crate) fn number(name: &Path) -> Option<u64> {
    if name.extension()? == "jnl" { name.file_stem()?.to_str()?.parse().ok() } else { None }
}
