//! Disk and memory use.

use std::fs;
use std::path::Path;

/// The bytes that a directory and everything below it take on disk. Blocks count, not lengths, because files may have
/// holes.
///
/// Files that vanish meanwhile are not counted.
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
    // The unit is always 512 bytes, whatever the block size of the file system.
    std::os::unix::fs::MetadataExt::blocks(metadata) * 512
}

#[cfg(not(unix))]
fn blocks(metadata: &fs::Metadata) -> u64 {
    metadata.len()
}

/// The resident memory of this process in bytes. Except on Linux, it is 0.
pub fn memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).map_or(0, |kib: u64| kib * 1024)
}
