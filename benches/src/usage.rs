//! What something takes of the machine.

use std::fs;
use std::path::Path;

/// The bytes that a directory takes on disk with all that is in it: blocks, not lengths, for a file may have holes.
///
/// What vanishes meanwhile counts nothing.
pub fn disk(dir: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(dir) else { return 0 };
    let sizes = entries.flatten().map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => disk(&entry.path()),
        Ok(metadata) => blocks(&metadata),
        Err(_) => 0,
    });
    sizes.sum()
}

#[cfg(unix)]
fn blocks(metadata: &fs::Metadata) -> u64 {
    // The unit is 512 bytes, whatever the file system's own.
    std::os::unix::fs::MetadataExt::blocks(metadata) * 512
}

#[cfg(not(unix))]
fn blocks(metadata: &fs::Metadata) -> u64 {
    metadata.len()
}

/// The bytes of memory that this process has resident; 0 where the system does not tell, which is all but Linux.
pub fn memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).map_or(0, |kib: u64| kib * 1024)
}
