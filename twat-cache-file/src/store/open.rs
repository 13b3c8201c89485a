//! How a store opens its directory, and notices that it has to be opened again.

use std::cell::Cell;
use std::io;

use twat_cache_core::among::last_check::uptime;
use twat_cache_core::persist::{prepare_below, prepare_root};
use twat_cache_core::{Args, Error, ErrorKind, KeyHash, Namespace};

use super::FileStore;
use crate::codec::FileCodec;
use crate::directory::Directory;

/// Less than it takes to fork, in nanoseconds: memory has to be set up for the new process.
const FORK: u64 = 20_000;

impl<V, C: FileCodec<V>> FileStore<V, C> {
    /// An error in a process that was forked from the one that has made this store. There, threads that hold locks may be
    /// missing, and files may be locked by the parent.
    #[inline]
    pub(super) fn check_process(&self, now: u64) -> Result<(), Error> {
        if self.same_process.passes(now, FORK, || !self.process.is_forked()) {
            return Ok(());
        }
        let why = "this process was made by `fork`, and the files are its parent's";
        Err(Error::new(ErrorKind::Unavailable, "use the cache").at(self.path()).because(why))
    }

    /// The directory, opened if need be.
    pub(super) fn directory(&self) -> Result<&Directory, Error> {
        self.check_process(uptime())?;
        match self.directory.get().filter(|directory| directory.meta.is_in_use()) {
            Some(directory) => Ok(directory),
            None => self.reopen(|_| true),
        }
    }

    /// Changes something in the directory. If its counters were lost meanwhile, other processes use new ones. Then it is
    /// opened again, and the change is repeated.
    pub(super) fn change<T>(
        &self,
        attempt: &'static str,
        mut change: impl FnMut(&Directory, bool) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let refused = |kind: io::ErrorKind| Error::from(io::Error::from(kind)).attempting(attempt).at(self.path());
        for repetition in 0..8 {
            let mut directory = self.directory()?;
            if !directory.meta.is_writable && directory.meta.could_be_writable() {
                directory = self.reopen(|directory| directory.meta.is_writable)?;
            }
            if !directory.meta.is_writable {
                return Err(refused(io::ErrorKind::PermissionDenied));
            }
            let changed = change(directory, repetition > 0)?;
            if directory.meta.is_in_use() {
                return Ok(changed);
            }
        }
        Err(refused(io::ErrorKind::Interrupted))
    }

    /// Opens the directory, unless another thread has opened one that will do.
    #[cold]
    fn reopen(&self, will_do: impl Fn(&Directory) -> bool) -> Result<&Directory, Error> {
        let nowhere = || Error::new(ErrorKind::Unavailable, "find this user's cache directory");
        let (root, name) = self.path.parent().zip(self.path.file_name()).ok_or_else(nowhere)?;
        let path = prepare_root(root, self.options.trust)?.join(name);
        prepare_below(&path, self.options.trust)?;
        // Nobody can use the directory before it is open, so all threads wait for the one that opens it.
        let opening = self.opening.lock();
        if let Some(directory) =
            self.directory.get().filter(|directory| directory.meta.is_in_use() && will_do(directory))
        {
            return Ok(directory);
        }
        // Its counters are lost, or their file was cut short. They must not be read again.
        self.directory.end();
        self.table.clear();
        // Each one that was opened keeps up to two files open.
        if self.directory.is_full() {
            let why = "its directory was lost too often";
            return Err(Error::new(ErrorKind::Unavailable, "open the cache").at(&path).because(why));
        }
        let secret = self.secret.get().copied();
        let within = |root: &Namespace| C::within(&self.options.versioned(root));
        let (directory, damage) = Directory::open(&path, secret, within, self.evicted.clone())?;
        let directory = self.directory.replace(directory);
        let _ = self.secret.set(directory.meta.secret);
        // The program's own logger may use this very cache.
        drop(opening);
        // A process may have been killed after it has cleared the cache.
        if directory.meta.is_writable {
            directory.evictor.tidy(self.options.max_bytes);
        }
        if let Some(damage) = damage {
            self.warned.warn(&damage, "they are made anew");
        }
        Ok(directory)
    }
}

/// The digest of a key. It is made once for each namespace, because to hash a key runs the user's code.
#[derive(Default)]
pub(super) struct Digest(Cell<Option<(Namespace, KeyHash)>>);

impl Digest {
    pub(super) fn of<K: Args + ?Sized>(&self, key: &K, directory: &Directory) -> KeyHash {
        let known = self.0.get().filter(|(namespace, _)| *namespace == directory.namespace);
        let (namespace, digest) = known.unwrap_or_else(|| (directory.namespace, directory.digest(key)));
        self.0.set(Some((namespace, digest)));
        digest
    }
}
