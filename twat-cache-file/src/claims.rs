//! Who computes a result, among processes.
//!
//! A claim is a lock that the kernel drops when its holder dies. On Linux (of 64 bits) it is a part of a file that stays: to make and
//! remove a file for each would keep file systems busy. Elsewhere it is a file of its own.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use twat_cache_core::Process;
use twat_cache_core::{Claim, KeyHash};

#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
use self::bytes::{Lock, Locks};
#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
use self::files::{Lock, Locks};

/// The claims of one cache.
#[derive(Clone, Debug)]
pub(crate) struct Claims {
    locks: Locks,
    /// What this process has. Here, flights see to it that nothing is computed twice, and know when it must be.
    ours: Arc<Mutex<BTreeSet<KeyHash>>>,
    process: Process,
}

/// A claim that is held.
struct Held {
    /// There until it is dropped.
    lock: Option<Lock>,
    ours: Arc<Mutex<BTreeSet<KeyHash>>>,
    digest: KeyHash,
    process: Process,
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.process.is_forked() {
            // It is the parent's, which computes.
            std::mem::forget(self.lock.take());
            return;
        }
        // First the lock: who finds the digest free here would take it at once, and we unlock it then.
        self.lock = None;
        self.ours.lock().remove(&self.digest);
    }
}

/// How long a process may be stopped before nobody waits for it.
const STOPPED: Duration = Duration::from_secs(1);

impl Claims {
    /// The claims whose locks are in this directory, which need not be there yet.
    pub(crate) fn new(dir: &Path) -> Self {
        Self { locks: Locks::new(dir), ours: Arc::default(), process: Process::this() }
    }

    /// The right to compute what has this digest; `None` if another process has it.
    pub(crate) fn try_claim(&self, digest: KeyHash) -> io::Result<Option<Claim>> {
        if !self.ours.lock().insert(digest) {
            return Ok(Some(Claim::free()));
        }
        match self.locks.try_take(digest) {
            Ok(Some(lock)) => Ok(Some(Claim::held(self.held(digest, lock)))),
            refused => {
                self.ours.lock().remove(&digest);
                refused.map(|_| None)
            }
        }
    }

    /// The same right, when nobody has it any more. Those who wait do not get it where `is_there` says that the result is
    /// there: to read that may take long, and they can do so all at once.
    pub(crate) fn wait(
        self,
        digest: KeyHash,
        patience: Duration,
        is_there: impl Fn() -> bool + Send + 'static,
    ) -> Claim {
        let begun = Instant::now();
        let mut running = begun;
        Claim::waiting(move || {
            if begun.elapsed() >= patience || !self.ours.lock().insert(digest) {
                return Some(Claim::free());
            }
            if let Ok(Some(lock)) = self.locks.try_take(digest) {
                let held = self.held(digest, lock);
                return Some(if is_there() { Claim::free() } else { Claim::held(held) });
            }
            self.ours.lock().remove(&digest);
            if !self.locks.is_holder_stopped(digest) {
                running = Instant::now();
            }
            (running.elapsed() > STOPPED).then(Claim::free)
        })
    }

    fn held(&self, digest: KeyHash, lock: Lock) -> Held {
        Held { lock: Some(lock), ours: self.ours.clone(), digest, process: self.process }
    }
}

#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod bytes {
    use std::fs::{self, File};
    use std::io;
    use std::path::{Path, PathBuf};
    use std::sync::{Arc, OnceLock};

    use twat_cache_core::KeyHash;
    use twat_cache_core::persist::trust::{is_own, make_dir, open_or_create};

    use crate::map::{len_of_lock, lock_bytes};

    /// Some bytes for each digest, in a file that is empty. How many of them are locked tells the process that has locked
    /// them, which the system does not.
    #[derive(Clone, Debug)]
    pub(super) struct Locks {
        path: Arc<PathBuf>,
        file: Arc<OnceLock<File>>,
    }

    #[derive(Debug)]
    pub(super) struct Lock {
        file: Arc<OnceLock<File>>,
        at: u64,
        len: u64,
    }

    /// How many bytes there are for a digest: more than processes, so that the locks of two digests never touch. The system
    /// would make them one.
    const BYTES: u64 = 1 << 23;

    impl Locks {
        pub(super) fn new(dir: &Path) -> Self {
            Self { path: Arc::new(dir.join("claims")), file: Arc::default() }
        }

        fn file(&self) -> io::Result<&File> {
            if let Some(file) = self.file.get() {
                return Ok(file);
            }
            self.path.parent().map_or(Ok(()), |dir| make_dir(dir, is_own))?;
            let opened = open_or_create(&self.path, 0o600)?;
            Ok(self.file.get_or_init(|| opened))
        }

        pub(super) fn try_take(&self, digest: KeyHash) -> io::Result<Option<Lock>> {
            let (at, len) = (place_of(digest), 1 + u64::from(std::process::id()).min(BYTES - 2));
            let is_taken = lock_bytes(self.file()?, at, len, true)?;
            Ok(is_taken.then(|| Lock { file: self.file.clone(), at, len }))
        }

        /// Whether the process that has a lock is stopped, by a signal or a debugger. It may go on, or never.
        pub(super) fn is_holder_stopped(&self, digest: KeyHash) -> bool {
            let Ok(Some(len)) = self.file().and_then(|file| len_of_lock(file, place_of(digest))) else { return false };
            let stat = fs::read_to_string(format!("/proc/{}/stat", len - 1));
            // The state stands behind the name of the program, which may have any characters in it.
            stat.is_ok_and(|stat| stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with(['T', 't'])))
        }
    }

    impl Drop for Lock {
        fn drop(&mut self) {
            if let Some(file) = self.file.get() {
                // What has been locked can be unlocked.
                let _ = lock_bytes(file, self.at, self.len, false);
            }
        }
    }

    /// 39 bits of the digest: two that share them wait for each other in vain, and by chance none do.
    fn place_of(digest: KeyHash) -> u64 {
        let digest = digest.to_bytes();
        let low = digest.first_chunk().map_or(0, |low| u64::from_le_bytes(*low));
        (low >> 25) * BYTES
    }
}

#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
mod files {
    use std::io;
    use std::path::{Path, PathBuf};
    use std::sync::Arc;

    use twat_cache_core::KeyHash;

    pub(super) use crate::lock::Lock;

    /// A file for each digest that is locked.
    #[derive(Clone, Debug)]
    pub(super) struct Locks(Arc<PathBuf>);

    impl Locks {
        pub(super) fn new(dir: &Path) -> Self {
            Self(Arc::new(dir.to_owned()))
        }

        pub(super) fn try_take(&self, digest: KeyHash) -> io::Result<Option<Lock>> {
            Lock::try_take(&self.0.join(digest.to_string()))
        }

        pub(super) fn is_holder_stopped(&self, _: KeyHash) -> bool {
            false
        }
    }
}
