//! Whether a file can be mapped: only if nobody but this user can change it.

use std::path::Path;

use super::{Stat, is_local, owner, stat_of};

/// Proof that a file is a regular one on a local file system, that it belongs to this user, and that nobody else can write to
/// it or to the directories of the cache around it.
#[derive(Debug)]
pub struct Private(());

/// The rights of group and others to write.
const SHARED: u32 = 0o022;

impl Private {
    /// The proof for an open file in this directory of a cache, if there is one.
    ///
    /// It looks at the directory each time, and at the cache's own above it: their modes may have changed since.
    pub fn prove(file: &Stat, dir: &Path, cache: &Path) -> Option<Self> {
        let is_own = |found: &Stat| found.owner == owner() && found.mode & SHARED == 0;
        let is_private =
            |dir: &Path| stat_of(dir).is_ok_and(|dir| dir.is_dir && is_own(&dir) && dir.identity.0 == file.identity.0);
        let is_proven = file.is_file && is_own(file) && is_private(dir) && is_private(cache) && is_local(cache);
        is_proven.then_some(Self(()))
    }
}
