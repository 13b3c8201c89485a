//! Which process computes a result.
//!
//! A claim is a lock. On Linux of 64 bits it is a range of a file that stays, because file systems are slow to make and remove
//! files. Elsewhere it is a file of its own.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::mem;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::lock::{FileLock, RangeLock, ranges};
use super::system;
use crate::persist::trust::{is_own, make_dir, open_or_create};
use crate::{Claim, KeyHash, Process};

/// The claims of one cache.
#[derive(Debug)]
pub struct Claims {
    /// The directory of locks. It is made when it is needed.
    dir: PathBuf,
    /// The file of ranges, if it is open. It is empty.
    file: OnceLock<Arc<File>>,
    /// What this process has claimed. Within a process, flights decide whether a result is computed twice.
    ours: Mutex<BTreeSet<KeyHash>>,
    process: Process,
}

/// A claim that this process holds.
struct Held {
    claims: Arc<Claims>,
    digest: KeyHash,
    /// `None` once it is released.
    lock: Option<Lock>,
}

/// Either kind of lock. Dropping it releases it.
type Lock = Box<dyn Send>;

impl Drop for Held {
    fn drop(&mut self) {
        if self.claims.process.is_forked() {
            // The lock is the parent's, which is still computing.
            mem::forget(self.lock.take());
            return;
        }
        // The lock is released first. A thread that finds the digest free takes the same lock, and must not lose it here.
        self.lock = None;
        self.claims.ours.lock().remove(&self.digest);
    }
}

/// How long others wait for a process that is stopped.
const STOPPED: Duration = Duration::from_secs(1);

/// How many bytes of the file belong to a digest: more than there are processes, so that the locks of two digests never
/// touch. The kernel would merge them.
const BYTES: u64 = 1 << 23;

impl Claims {
    /// The claims whose locks are in this directory.
    pub fn new(dir: PathBuf) -> Arc<Self> {
        Arc::new(Self { dir, file: OnceLock::new(), ours: Mutex::default(), process: Process::this() })
    }

    /// The right to compute the result with this digest. If another process has it, the claim waits for at most `patience`.
    /// If the result `is_there` when the wait ends, the claim is free. Reading the result may take long, and all waiters can read
    /// it at once.
    pub fn claim(
        self: &Arc<Self>,
        digest: KeyHash,
        patience: Duration,
        is_there: impl Fn() -> bool + Send + 'static,
    ) -> Claim {
        match self.try_claim(digest) {
            Ok(Some(claim)) => return claim,
            Ok(None) => {}
            Err(error) => {
                log::debug!(target: "twat_cache", "cannot claim a result in {}: {error}", self.dir.display());
                return Claim::free();
            }
        }
        let claims = self.clone();
        let begun = Instant::now();
        let mut last_running = begun;
        Claim::waiting(move || {
            if begun.elapsed() >= patience {
                return Some(Claim::free());
            }
            if let Ok(Some(claim)) = claims.try_claim(digest) {
                return Some(if is_there() { Claim::free() } else { claim });
            }
            if !claims.is_holder_stopped(digest) {
                last_running = Instant::now();
            }
            (last_running.elapsed() > STOPPED).then(Claim::free)
        })
    }

    /// `None` if another process has the right.
    fn try_claim(self: &Arc<Self>, digest: KeyHash) -> io::Result<Option<Claim>> {
        if !self.ours.lock().insert(digest) {
            return Ok(Some(Claim::free()));
        }
        let lock = self.try_lock(digest);
        if !matches!(lock, Ok(Some(_))) {
            self.ours.lock().remove(&digest);
        }
        Ok(lock?.map(|lock| Claim::held(Held { claims: self.clone(), digest, lock: Some(lock) })))
    }

    fn try_lock(&self, digest: KeyHash) -> io::Result<Option<Lock>> {
        if !RangeLock::EXISTS {
            let lock = FileLock::try_take(&self.dir.join(digest.to_string()))?;
            return Ok(lock.map(|lock| Box::new(lock) as Lock));
        }
        // From the length, others learn the number of the process. The kernel does not tell them.
        let len = 1 + u64::from(std::process::id()).min(BYTES - 2);
        let lock = RangeLock::try_take(self.file()?, offset_of(digest), len)?;
        Ok(lock.map(|lock| Box::new(lock) as Lock))
    }

    /// Whether the process that has a claim is stopped, by a signal or a debugger. It may never go on.
    fn is_holder_stopped(&self, digest: KeyHash) -> bool {
        let len = self.file.get().and_then(|file| ranges::len_of_other(file, offset_of(digest)));
        len.is_some_and(|len| system::is_stopped(len - 1))
    }

    fn file(&self) -> io::Result<&Arc<File>> {
        if let Some(file) = self.file.get() {
            return Ok(file);
        }
        make_dir(&self.dir, is_own)?;
        let file = open_or_create(&self.dir.join("claims"), 0o600)?;
        Ok(self.file.get_or_init(|| Arc::new(file)))
    }
}

/// Made from 39 bits of the digest. Two results that have them in common wait for each other in vain. By chance, that does not
/// happen.
fn offset_of(digest: KeyHash) -> u64 {
    let digest = digest.to_bytes();
    let low = digest.first_chunk().map_or(0, |low| u64::from_le_bytes(*low));
    (low >> 25) * BYTES
}
