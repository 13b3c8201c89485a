//! Files on systems other than unix. Nothing is known to be private there, so nothing is mapped. A file cannot be told from
//! its successor, so it is read anew.

use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::UNIX_EPOCH;

use crate::Clock;
use parking_lot::Mutex;

use super::Stat;

pub fn stat(file: &File) -> io::Result<Stat> {
    Ok(from_metadata(&file.metadata()?))
}

pub fn stat_of(path: &Path) -> io::Result<Stat> {
    Ok(from_metadata(&std::fs::symlink_metadata(path)?))
}

fn from_metadata(metadata: &Metadata) -> Stat {
    let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    Stat {
        is_file: metadata.is_file(),
        is_dir: metadata.is_dir(),
        len: metadata.len(),
        links: 1,
        identity: (0, 0),
        owner: 0,
        mode: 0,
        modified: u64::try_from(modified.as_nanos()).unwrap_or(u64::MAX),
    }
}

pub fn most_handles() -> usize {
    usize::MAX
}

pub fn owner() -> u32 {
    0
}

pub fn block_size(_: &Path) -> u64 {
    super::BLOCK
}

pub fn free_space(_: &Path) -> u64 {
    u64::MAX
}

pub fn is_local(_: &Path) -> bool {
    false
}

pub fn coarse_clock() -> u64 {
    Clock::system().since_1970()
}

pub fn shared_clock() -> u64 {
    Clock::system().since_1970()
}

/// A file has one cursor for all threads.
static CURSOR: Mutex<()> = Mutex::new(());

pub fn read_at(mut file: &File, bytes: &mut [u8], at: u64) -> io::Result<()> {
    let _one_at_a_time = CURSOR.lock();
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(bytes)
}

pub(super) fn write_at(mut file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    let _one_at_a_time = CURSOR.lock();
    file.seek(SeekFrom::Start(at))?;
    file.write_all(bytes)
}
