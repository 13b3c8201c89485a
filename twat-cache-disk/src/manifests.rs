//! The engine's manifests, checked before it reads them.
//!
//! A manifest says which tables a keyspace has. The engine asserts what it finds in it at a moment when a panic aborts the
//! process, and does not look at the checksum that it has written beside it: so that is done here.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use twat_cache_core::{Error, ErrorKind};
use xxhash_rust::xxh3::xxh3_128;

/// The engine's own keyspace, which has the names of the others, and ours.
const NEEDED: [&str; 2] = ["0", "1"];

/// An error if a manifest is not what the engine has written.
pub(crate) fn check(dir: &Path) -> Result<(), Error> {
    let keyspaces = dir.join("keyspaces");
    let found = fs::read_dir(&keyspaces)?.map(|keyspace| keyspace.map(|keyspace| keyspace.path()));
    for keyspace in NEEDED.iter().map(|keyspace| Ok(keyspaces.join(keyspace))).chain(found) {
        let keyspace: PathBuf = keyspace?;
        let is_right = match fs::read(keyspace.join("current")) {
            // The engine takes such a keyspace for a new one.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                !NEEDED.iter().any(|needed| keyspace.ends_with(needed))
            }
            current => is_right(&keyspace, &current?)?,
        };
        if !is_right {
            let why = format!("the manifest of {} is missing or has been changed", keyspace.display());
            return Err(Error::new(ErrorKind::Corrupt, "open the database").because(why));
        }
    }
    Ok(())
}

/// Whether the manifest is there that `current` names, and has the sum that it says: its number (8 bytes), its sum (16),
/// little-endian, and 0 for the kind of sum, xxh3 of 128 bits.
fn is_right(keyspace: &Path, current: &[u8]) -> io::Result<bool> {
    let Some((number, sum)) = current.split_first_chunk::<8>() else { return Ok(false) };
    let Some((sum, [0])) = sum.split_first_chunk::<16>() else { return Ok(false) };
    match fs::read(keyspace.join(format!("v{}", u64::from_le_bytes(*number)))) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        manifest => Ok(xxh3_128(&manifest?) == u128::from_le_bytes(*sum)),
    }
}
