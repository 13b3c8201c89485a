//! Whether a file can be mapped: only if nobody but this user can change it.

use std::path::Path;

use crate::system::{self, FileSystem, Stat};

/// Proof that a file is a regular one on a local file system, that it is this user's, and that nobody else can write to it
/// or to the directories of the cache that it is in.
#[derive(Debug)]
pub(crate) struct Private(());

/// What others must not have: the rights of group and others to write.
const SHARED: u32 = 0o022;

/// The proof for an open file in this directory of a cache, if there is one.
///
/// The directory is looked at every time, as is the one above it, which is the cache's: somebody may have opened them to
/// others since.
pub(crate) fn prove(file: &Stat, dir: &Path, cache: &Path) -> Option<Private> {
    let is_ours = |what: &Stat| what.owner == system::owner() && what.mode & SHARED == 0;
    let is_private = |dir: &Path| {
        let Ok(dir) = system::stat_of(dir) else { return false };
        dir.is_dir && is_ours(&dir) && dir.identity.0 == file.identity.0
    };
    let proven = file.is_file
        && is_ours(file)
        && is_private(dir)
        && is_private(cache)
        && system::file_system(cache) == FileSystem::Local;
    proven.then_some(Private(()))
}
