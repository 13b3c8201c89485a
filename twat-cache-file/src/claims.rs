//! Who computes a result, among processes.
//!
//! A claim is a lock that the kernel drops when its holder dies. On Linux (of 64 bits) it is one byte of a file that stays: to make and
//! remove a file for each would keep file systems busy. Elsewhere it is a file of its own.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use twat_cache_core::{Claim, KeyHash};

#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
use self::bytes::{Lock, Locks};
#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
use self::files::{Lock, Locks};

/// The claims of one cache.
#[derive(Debug)]
pub(crate) struct Claims {
    locks: Locks,
    /// What this process has. Here, flights see to it that nothing is computed twice, and know when it must be.
    ours: Arc<Mutex<BTreeSet<KeyHash>>>,
}

/// The file that stays, in the directory of locks.
pub(crate) const FILE: &str = "claims";

/// A claim that is held.
struct Held {
    /// There until it is dropped.
    lock: Option<Lock>,
    ours: Arc<Mutex<BTreeSet<KeyHash>>>,
    digest: KeyHash,
}

impl Drop for Held {
    fn drop(&mut self) {
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
        Self { locks: Locks::new(dir), ours: Arc::default() }
    }

    /// The right to compute what has this digest.
    pub(crate) fn claim(&self, digest: KeyHash, patience: Duration) -> io::Result<Claim> {
        if !self.ours.lock().insert(digest) {
            return Ok(Claim::free());
        }
        let held = |lock| Held { lock: Some(lock), ours: self.ours.clone(), digest };
        match self.locks.try_take(digest) {
            Ok(Some(lock)) => return Ok(Claim::held(held(lock))),
            Ok(None) => drop(self.ours.lock().remove(&digest)),
            Err(error) => {
                self.ours.lock().remove(&digest);
                return Err(error);
            }
        }
        let (locks, ours) = (self.locks.clone(), self.ours.clone());
        let begun = Instant::now();
        let mut running = begun;
        Ok(Claim::waiting(move || {
            if begun.elapsed() >= patience || !ours.lock().insert(digest) {
                return Some(Claim::free());
            }
            if let Ok(Some(lock)) = locks.try_take(digest) {
                return Some(Claim::held(Held { lock: Some(lock), ours: ours.clone(), digest }));
            }
            ours.lock().remove(&digest);
            if !locks.is_holder_stopped(digest) {
                running = Instant::now();
            }
            (running.elapsed() > STOPPED).then(Claim::free)
        }))
    }
}

#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod bytes {
    use std::fs::{self, File};
    use std::io;
    use std::path::{Path, PathBuf};
    use std::sync::{Arc, OnceLock};

    use twat_cache_core::KeyHash;

    use crate::map::lock_byte;
    use crate::system;

    /// A byte for each digest, beyond the end of the file; in the file, the numbers of the processes that have one.
    #[derive(Clone, Debug)]
    pub(super) struct Locks {
        path: Arc<PathBuf>,
        file: Arc<OnceLock<File>>,
    }

    #[derive(Debug)]
    pub(super) struct Lock {
        file: Arc<OnceLock<File>>,
        at: u64,
    }

    impl Locks {
        pub(super) fn new(dir: &Path) -> Self {
            Self { path: Arc::new(dir.join(super::FILE)), file: Arc::default() }
        }

        fn file(&self) -> io::Result<&File> {
            if let Some(file) = self.file.get() {
                return Ok(file);
            }
            let opened = system::open_or_create(&self.path, 0o600)?;
            Ok(self.file.get_or_init(|| opened))
        }

        pub(super) fn try_take(&self, digest: KeyHash) -> io::Result<Option<Lock>> {
            let file = self.file()?;
            let at = byte_of(digest);
            if !lock_byte(file, at, true)? {
                return Ok(None);
            }
            // For those who wait, to see how we are. It need not be there.
            let _ = system::write_at(file, &std::process::id().to_le_bytes(), slot_of(digest));
            Ok(Some(Lock { file: self.file.clone(), at }))
        }

        /// Whether the process that has a lock is stopped, by a signal or a debugger. It may go on, or never.
        pub(super) fn is_holder_stopped(&self, digest: KeyHash) -> bool {
            let mut holder = [0; 4];
            let read = self.file().and_then(|file| system::read_at(file, &mut holder, slot_of(digest)));
            if read.is_err() {
                return false;
            }
            let stat = fs::read_to_string(format!("/proc/{}/stat", u32::from_le_bytes(holder)));
            // The state stands behind the name of the program, which may have any characters in it.
            stat.is_ok_and(|stat| stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with(['T', 't'])))
        }
    }

    impl Drop for Lock {
        fn drop(&mut self) {
            if let Some(file) = self.file.get() {
                // What has been locked can be unlocked.
                let _ = lock_byte(file, self.at, false);
            }
        }
    }

    /// 61 bits of the digest: two that share them wait for each other in vain, and by chance none do.
    fn byte_of(digest: KeyHash) -> u64 {
        let digest = digest.to_bytes();
        let low = digest.first_chunk().map_or(0, |low| u64::from_le_bytes(*low));
        (1 << 61) | (low >> 3)
    }

    /// Where the holder's number is. Some share a place, and are seen as one another.
    fn slot_of(digest: KeyHash) -> u64 {
        let [first, second, ..] = digest.to_bytes();
        u64::from(u16::from_le_bytes([first, second]) % 1024) * 4
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
