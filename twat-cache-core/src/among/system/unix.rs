//! Files on unix.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::persist::trust;
use rustix::fs::FileType;
use rustix::time::{ClockId, Timespec, clock_gettime};

use super::Stat;

pub fn stat(file: &File) -> io::Result<Stat> {
    Ok(from_rustix(&rustix::fs::fstat(file)?))
}

/// What is at a path. If it is a link, it is not followed.
pub fn stat_of(path: &Path) -> io::Result<Stat> {
    Ok(from_rustix(&rustix::fs::lstat(path)?))
}

#[allow(
    clippy::unnecessary_cast,
    clippy::cast_sign_loss,
    clippy::cast_lossless,
    clippy::useless_conversion,
    reason = "these fields have other types on other systems; none of them is negative"
)]
fn from_rustix(stat: &rustix::fs::Stat) -> Stat {
    let kind = FileType::from_raw_mode(stat.st_mode.into());
    let seconds = u64::try_from(stat.st_mtime).unwrap_or(0);
    Stat {
        is_file: kind == FileType::RegularFile,
        is_dir: kind == FileType::Directory,
        len: u64::try_from(stat.st_size).unwrap_or(0),
        links: stat.st_nlink as u64,
        identity: (stat.st_dev as u64, stat.st_ino as u64),
        owner: stat.st_uid,
        mode: stat.st_mode.into(),
        modified: seconds.saturating_mul(1_000_000_000).saturating_add(stat.st_mtime_nsec as u64),
    }
}

/// How many files this process may have open.
pub fn most_handles() -> usize {
    let most = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    most.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX)
}

/// The user that this process acts for.
pub fn owner() -> u32 {
    trust::user()
}

/// The unit in which the file system of a directory gives space to files, in bytes.
pub fn block_size(dir: &Path) -> u64 {
    // `st_blksize` is another thing: NFS and ZFS say there what they like to read at once.
    let size = rustix::fs::statvfs(dir).map_or(0, |system| system.f_frsize);
    // Some file systems of user space say 0 or 1.
    if (512..=1 << 20).contains(&size) { size } else { super::BLOCK }
}

/// How many bytes there is room for in the file system of a directory, as far as it says.
pub fn free_space(dir: &Path) -> u64 {
    rustix::fs::statvfs(dir).map_or(u64::MAX, |system| system.f_bavail.saturating_mul(system.f_frsize))
}

/// Whether a directory is on a file system that is known to be used by this machine only. statfs(2) lists the numbers.
#[cfg(target_os = "linux")]
pub fn is_local(dir: &Path) -> bool {
    // ext2 to 4, XFS, tmpfs, ramfs, Btrfs, F2FS, bcachefs, ZFS, overlayfs.
    const LOCAL: [u32; 9] = [
        0xEF53,
        0x5846_5342,
        0x0102_1994,
        0x8584_58F6,
        0x9123_683E,
        0xF2F5_2010,
        0xCA45_1A4E,
        0x2FC1_2FC1,
        0x794C_7630,
    ];
    // Where the field is signed, the larger numbers are negative.
    #[allow(clippy::cast_sign_loss, clippy::cast_possible_truncation, reason = "they have 32 bits")]
    rustix::fs::statfs(dir).is_ok_and(|system| LOCAL.contains(&(system.f_type as u32)))
}

#[cfg(not(target_os = "linux"))]
pub fn is_local(_: &Path) -> bool {
    false
}

/// Nanoseconds on a clock that takes less time to read than others, and has ticks of some milliseconds.
#[inline]
pub fn coarse_clock() -> u64 {
    #[cfg(target_os = "linux")]
    let now = clock_gettime(ClockId::MonotonicCoarse);
    #[cfg(not(target_os = "linux"))]
    let now = clock_gettime(ClockId::Monotonic);
    nanos(now)
}

/// Nanoseconds on a clock that all processes of this machine have in common, and that nobody sets.
pub fn shared_clock() -> u64 {
    nanos(clock_gettime(ClockId::Monotonic))
}

fn nanos(time: Timespec) -> u64 {
    let [seconds, rest] = [time.tv_sec, time.tv_nsec].map(|part| u64::try_from(part).unwrap_or(0));
    seconds * 1_000_000_000 + rest
}

/// Reads at an offset of a file. Other threads may do so at the same time.
pub fn read_at(file: &File, bytes: &mut [u8], at: u64) -> io::Result<()> {
    file.read_exact_at(bytes, at)
}

pub(super) fn write_at(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    file.write_all_at(bytes, at)
}
