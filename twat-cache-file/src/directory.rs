//! The directory of one cache, while it is open.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use twat_cache_core::among::claims::Claims;
use twat_cache_core::among::meta::Meta;
use twat_cache_core::among::order::Verdict;
use twat_cache_core::among::system::{self, is_hex};
use twat_cache_core::among::temp::{self, Temp};
use twat_cache_core::persist::trust;
use twat_cache_core::{Args, Error, Expiry, KeyHash, Namespace, Ticket};

use crate::counts::{self, Counts};
use crate::entry::Header;
use crate::evict::Evictor;
use crate::files::{Files, Walk, key_of};
use crate::write::write;

/// The name of a cache's directory in the cache directory: some readable characters, and a digest, so that no two caches have
/// the same one.
pub(crate) fn name_for(cache: &str) -> String {
    let is_plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let readable: String = cache.chars().map(|c| if is_plain(&c) { c } else { '_' }).take(40).collect();
    let digest = Namespace::from_secret([0; 16]).with("directory", cache).id();
    format!("{readable}-{digest:016x}")
}

/// An open directory. Work that outlives a call has a clone.
#[derive(Clone, Debug)]
pub(crate) struct Directory {
    pub(crate) path: PathBuf,
    /// The user that has opened it.
    pub(crate) owner: u32,
    pub(crate) meta: Arc<Meta>,
    pub(crate) files: Arc<Files>,
    /// Whether other machines may change entries, which is noticed only if a file is opened.
    pub(crate) is_remote: bool,
    pub(crate) namespace: Namespace,
    /// The public name of the namespace.
    pub(crate) namespace_id: u64,
    pub(crate) claims: Arc<Claims>,
    pub(crate) evictor: Arc<Evictor>,
}

/// An entry that is stored: all but its value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) digest: KeyHash,
    pub(crate) deadline: u64,
    /// The ticket of its computation. Without one, the value is current.
    pub(crate) ticket: Option<Ticket>,
}

impl Directory {
    /// Opens a directory that is prepared, and removes what killed processes have left there. Also returns the damage that was
    /// repaired.
    ///
    /// If the secret is lost, the `known` one is used. `within` makes this cache's namespace from the directory's. `evicted`
    /// counts the entries that this store evicts.
    pub(crate) fn open(
        path: &Path,
        known: Option<[u8; 16]>,
        within: impl FnOnce(&Namespace) -> Namespace,
        evicted: Arc<AtomicU64>,
    ) -> Result<(Self, Option<Error>), Error> {
        let (meta, damage) = Meta::open(path, "meta", known, counts::NEW)?;
        if meta.is_writable {
            let tmp = path.join("tmp");
            trust::make_dir(&tmp, trust::is_own).map_err(|error| Error::from(error).at(&tmp))?;
            temp::sweep(&tmp, temp::is_name);
            temp::sweep(&path.join("lock"), |name| name == "room" || name.len() == 32 && is_hex(name));
        }
        let namespace = within(&Namespace::from_secret(meta.secret));
        let meta = Arc::new(meta);
        let files = Arc::new(Files::new(path, meta.clone()));
        let directory = Self {
            path: path.to_owned(),
            owner: system::owner(),
            meta,
            files: files.clone(),
            is_remote: !system::is_local(path),
            namespace,
            namespace_id: namespace.id(),
            claims: Claims::new(path.join("lock")),
            evictor: Arc::new(Evictor::new(files, evicted)),
        };
        Ok((directory, damage))
    }

    /// Whether a file of this length could be written.
    pub(crate) fn has_room(&self, len: u64) -> bool {
        trust::fits(len).is_ok() && system::free_space(&self.path) >= len
    }

    pub(crate) fn digest<K: Args + ?Sized>(&self, key: &K) -> KeyHash {
        self.namespace.digest_of(key)
    }

    /// The file of an entry. It need not exist.
    pub(crate) fn path_of(&self, digest: KeyHash) -> PathBuf {
        self.files.path_of(self.namespace_id, digest)
    }

    /// Stores an entry, and evicts others for it. `fill` writes its value, see [`write()`]. Returns false if its computation is
    /// outdated, or if `is_wanted` is false when it would get its name.
    ///
    /// If the entry is larger than the limit, or there is no value, it is not stored, and the one that it would have replaced is
    /// removed.
    pub(crate) fn store(
        &self,
        entry: Entry,
        max_bytes: u64,
        fill: Option<impl FnOnce(&File) -> Result<Option<(u64, u64)>, Error>>,
        is_wanted: impl Fn() -> bool,
    ) -> Result<bool, Error> {
        let Entry { digest, deadline, .. } = entry;
        let path = self.path_of(digest);
        let failed = |error: Error| error.attempting("write an entry").at(&path);
        let header = Header { namespace: self.namespace_id, key: digest, length: 0, deadline, sum: 0 };
        let written = fill.map(|fill| write(&self.path.join("tmp"), header, fill));
        let written = written.transpose().map_err(failed)?.flatten();
        let bytes = written.as_ref().map_or(0, |(_, len)| self.files.space(*len));
        // It is counted before it gets its name, because the process may be killed in between. An excess is corrected when
        // entries are listed; an entry that was not counted might never be.
        let mut held = self.meta.add(bytes, max_bytes / 16);
        let stored = self.put(&path, entry, written.map(|(file, _)| file), is_wanted);
        let excess = stored.as_ref().map_or(bytes, |stored| stored.unwrap_or(bytes));
        if excess > 0 {
            held = self.meta.subtract(excess);
        }
        let is_current = stored.map_err(|error| failed(error.into()))?.is_some();
        // Also if nothing was replaced: a process that removed the entry may have been killed before it could tell others.
        self.meta.outdate(digest).map_err(|error| failed(error.into()))?;
        if held > max_bytes {
            self.evictor.make_room(max_bytes, &path);
        }
        Ok(is_current)
    }

    /// Gives the file of a new entry its name. If there is none, removes the entry with that name. Returns how much space is
    /// free again, or `None` if the entry is outdated or not wanted.
    fn put(
        &self,
        path: &Path,
        Entry { digest, ticket, .. }: Entry,
        new: Option<Temp>,
        is_wanted: impl Fn() -> bool,
    ) -> io::Result<Option<u64>> {
        // Nobody removes the entry between this check and its rename.
        let mut turn = self.meta.order.turn(digest)?;
        // If the counters were lost while the entry was written, others may have noted its removal in new ones.
        if !self.meta.is_in_use() || !is_wanted() {
            return Ok(None);
        }
        match turn.judge(ticket) {
            Verdict::Current => {}
            Verdict::Outdated => return Ok(None),
            Verdict::InDoubt => {
                // Nothing outdated is found if there is no entry. The process that was passed by must not store one either.
                if turn.is_passed_by() {
                    turn.raise()?;
                }
                return self.files.remove(path).map(|_| None);
            }
        }
        let refresh = ticket.filter(|ticket| ticket.is_refresh);
        if let Some(refresh) = refresh {
            turn.begin_refresh(refresh)?;
        }
        let Some(new) = new else { return self.files.remove(path).map(|_| Some(0)) };
        let replaced = self.files.space(new.replace(path)?);
        // If this process was stopped meanwhile, another one may have passed by. Then it has raised the barrier.
        if turn.is_outdated()? {
            self.meta.subtract(replaced);
            return system::remove(path).map(|_| None);
        }
        if refresh.is_some() {
            // If this fails, an earlier refresh that ends later removes the entry.
            let _ = turn.end_refresh();
        }
        Ok(Some(replaced))
    }

    /// Removes an entry; returns whether it was there and valid.
    pub(crate) fn remove(&self, digest: KeyHash, expiry: &Expiry) -> Result<bool, Error> {
        let path = self.path_of(digest);
        let remove = || {
            // A file that cannot be read is removed as well, and counts as valid.
            let is_valid = Header::read(&path).is_none_or(|header| expiry.allows(header.deadline));
            let mut turn = self.meta.order.turn(digest)?;
            let removed = turn.raise().and_then(|()| self.files.remove(&path));
            let is_certain = !turn.is_passed_by();
            drop(turn);
            // Also if nothing was removed, as in `store`.
            self.meta.outdate(digest)?;
            let removed = removed?;
            if is_certain { Ok(removed && is_valid) } else { Err(stopped()) }
        };
        remove().map_err(|error| Error::from(error).attempting("remove an entry").at(&path))
    }

    /// How many entries this namespace has.
    pub(crate) fn len(&self) -> io::Result<usize> {
        let is_entry =
            |path: &Path| key_of(path).is_some() && system::stat_of(path).is_ok_and(|found| found.is_own_file());
        let paths = Walk::of(vec![self.files.dir_of(self.namespace_id)]);
        paths.map(|path| Ok(usize::from(is_entry(&path?)))).sum()
    }

    /// Removes all entries of this namespace: they are gone at once, and a thread gives their space back. A store of this cache
    /// has this limit.
    pub(crate) fn clear(&self, max_bytes: u64) -> io::Result<()> {
        let is_certain = self.meta.order.raise_all()?;
        // Another machine may have looked up the directory, and would go on to find the entries in it.
        let cleared = if self.is_remote {
            self.files.remove_all(&self.files.dir_of(self.namespace_id))
        } else {
            self.files.clear(self.namespace_id)
        };
        self.meta.outdate_all().and(cleared)?;
        self.evictor.tidy(max_bytes);
        if is_certain { Ok(()) } else { Err(stopped()) }
    }
}

/// The other process may still store its entry when it goes on.
fn stopped() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "another process that stores an entry has stopped")
}
