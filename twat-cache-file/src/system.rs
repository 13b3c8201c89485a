//! What std does not tell of files, or takes a second call for. On systems other than unix, the part of it that there is.

use std::fs::File;
use std::io;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use twat_cache_core::persist::trust;

/// What there is to know of a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stat {
    pub(crate) is_file: bool,
    pub(crate) is_dir: bool,
    pub(crate) len: u64,
    /// How many names it has.
    pub(crate) links: u64,
    /// Which file it is: no two have the same at a time.
    pub(crate) identity: (u64, u64),
    pub(crate) owner: u32,
    pub(crate) mode: u32,
    /// When it was last changed or touched, in nanoseconds since 1970.
    pub(crate) modified: u64,
}

/// The present moment, in nanoseconds since 1970, as file systems have it.
pub(crate) fn now() -> u64 {
    nanos(SystemTime::now())
}

fn nanos(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |time| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
}

/// What is known of the file system that a directory is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(dead_code, reason = "what is known depends on the system")]
pub(crate) enum FileSystem {
    /// Of this machine alone.
    Local,
    /// Nothing.
    Unknown,
    /// Perhaps other machines use it, and see changes late.
    Remote,
}

pub(crate) use platform::{file_system, most_handles, owner, shared_moment, stat, stat_of, touch};

impl Stat {
    /// Whether it is a file that this user has made.
    pub(crate) fn is_own_file(&self) -> bool {
        self.is_file && self.owner == owner()
    }
}

/// Opens a file to read it. No link is followed, neither to it nor to its directory, and nobody is waited for.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    platform::open_without_links(path, None).unwrap_or_else(|| {
        is_in_place(path)?;
        trust::options().read(true).open(path)
    })
}

/// Makes a file of this mode, to read and write, which must be new. No link is followed to its directory.
pub(crate) fn create(path: &Path, mode: u32) -> io::Result<File> {
    platform::open_without_links(path, Some(mode)).unwrap_or_else(|| {
        is_in_place(path)?;
        let mut options = trust::options();
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
        options.read(true).write(true).create_new(true).open(path)
    })
}

/// An error if a file's directory is none, but a link, say.
fn is_in_place(path: &Path) -> io::Result<()> {
    let is_dir = path.parent().map_or(Ok(true), |dir| stat_of(dir).map(|dir| dir.is_dir))?;
    if is_dir { Ok(()) } else { Err(io::ErrorKind::NotADirectory.into()) }
}

/// Reads at a place of a file, whoever else does so.
pub(crate) fn read_at(file: &File, bytes: &mut [u8], at: u64) -> io::Result<()> {
    platform::read_at(file, bytes, at)
}

/// Writes to a place of a file, if this process may: else it would be killed.
pub(crate) fn write_at(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    trust::fits(at + bytes.len() as u64)?;
    platform::write_at(file, bytes, at)
}

#[cfg(unix)]
mod platform {
    use std::fs::File;
    use std::io;
    use std::os::unix::fs::FileExt;
    use std::path::Path;

    use rustix::fs::{AtFlags, CWD, FileType, Timespec, Timestamps, UTIME_OMIT};
    use rustix::time::{ClockId, clock_gettime};

    use super::{FileSystem, Stat};

    /// Opens a file, or makes it with this mode. `None` if that must be done in another way: the system is older than 2020, or
    /// there is a link on the way that somebody has made since the cache was opened.
    #[cfg(target_os = "linux")]
    pub(crate) fn open_without_links(path: &Path, new: Option<u32>) -> Option<io::Result<File>> {
        use rustix::fs::{Mode, OFlags, ResolveFlags};
        use rustix::io::Errno;
        let (how, mode) = match new {
            Some(mode) => (OFlags::RDWR | OFlags::CREATE | OFlags::EXCL, Mode::from_raw_mode(mode)),
            None => (OFlags::RDONLY | OFlags::NONBLOCK, Mode::empty()),
        };
        match rustix::fs::openat2(CWD, path, how | OFlags::CLOEXEC, mode, ResolveFlags::NO_SYMLINKS) {
            Ok(file) => Some(Ok(file.into())),
            Err(error @ (Errno::NOENT | Errno::EXIST | Errno::MFILE | Errno::NFILE)) => Some(Err(error.into())),
            Err(_) => None,
        }
    }

    #[cfg(not(target_os = "linux"))]
    pub(crate) fn open_without_links(_: &Path, _: Option<u32>) -> Option<io::Result<File>> {
        None
    }

    pub(crate) fn stat(file: &File) -> io::Result<Stat> {
        Ok(from_rustix(&rustix::fs::fstat(file)?))
    }

    /// Of what is at a path, which is not followed if it is a link.
    pub(crate) fn stat_of(path: &Path) -> io::Result<Stat> {
        Ok(from_rustix(&rustix::fs::lstat(path)?))
    }

    #[allow(
        clippy::unnecessary_cast,
        clippy::cast_sign_loss,
        clippy::cast_lossless,
        clippy::useless_conversion,
        reason = "these fields are of other types on other systems; none of them is negative"
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
    pub(crate) fn most_handles() -> u64 {
        rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(u64::MAX)
    }

    /// The user that this process acts for.
    pub(crate) fn owner() -> u32 {
        rustix::process::geteuid().as_raw()
    }

    /// Only those count as local that are known to be: see statfs(2) for the numbers.
    #[cfg(target_os = "linux")]
    pub(crate) fn file_system(dir: &Path) -> FileSystem {
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
        let Ok(fs) = rustix::fs::statfs(dir) else { return FileSystem::Remote };
        // Where the field is signed, the larger numbers are negative.
        #[allow(clippy::cast_sign_loss, clippy::cast_possible_truncation, reason = "they have 32 bits")]
        let is_local = LOCAL.contains(&(fs.f_type as u32));
        if is_local { FileSystem::Local } else { FileSystem::Remote }
    }

    #[cfg(not(target_os = "linux"))]
    pub(crate) fn file_system(_: &Path) -> FileSystem {
        FileSystem::Unknown
    }

    /// Sets the time of what is at a path.
    pub(crate) fn touch(path: &Path, nanos: u64) -> io::Result<()> {
        let omit = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
        let [seconds, rest] =
            [nanos / 1_000_000_000, nanos % 1_000_000_000].map(|part| i64::try_from(part).unwrap_or(0));
        #[allow(clippy::useless_conversion, reason = "these are of other types on other systems")]
        let touched = Timespec { tv_sec: seconds.into(), tv_nsec: rest.into() };
        let times = Timestamps { last_access: omit, last_modification: touched };
        Ok(rustix::fs::utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW)?)
    }

    /// Nanoseconds on a clock that all processes of this machine read, and nobody sets.
    pub(crate) fn shared_moment() -> u64 {
        let now = clock_gettime(ClockId::Monotonic);
        let [seconds, rest] = [now.tv_sec, now.tv_nsec].map(|part| u64::try_from(part).unwrap_or(0));
        seconds * 1_000_000_000 + rest
    }

    pub(crate) fn read_at(file: &File, bytes: &mut [u8], at: u64) -> io::Result<()> {
        file.read_exact_at(bytes, at)
    }

    pub(crate) fn write_at(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
        file.write_all_at(bytes, at)
    }
}

// Nothing is provably private here, so nothing is mapped; and a file cannot be told from its successor, so it is read anew.
#[cfg(not(unix))]
mod platform {
    use std::fs::{File, Metadata};
    use std::io;
    use std::path::Path;
    use std::time::{Duration, UNIX_EPOCH};

    use super::{FileSystem, Stat, nanos};

    pub(crate) fn open_without_links(_: &Path, _: Option<u32>) -> Option<io::Result<File>> {
        None
    }

    pub(crate) fn stat(file: &File) -> io::Result<Stat> {
        Ok(from_metadata(&file.metadata()?))
    }

    pub(crate) fn stat_of(path: &Path) -> io::Result<Stat> {
        Ok(from_metadata(&std::fs::symlink_metadata(path)?))
    }

    fn from_metadata(metadata: &Metadata) -> Stat {
        Stat {
            is_file: metadata.is_file(),
            is_dir: metadata.is_dir(),
            len: metadata.len(),
            links: 1,
            identity: (0, 0),
            owner: 0,
            mode: 0,
            modified: metadata.modified().map_or(0, nanos),
        }
    }

    pub(crate) fn most_handles() -> u64 {
        u64::MAX
    }

    pub(crate) fn owner() -> u32 {
        0
    }

    pub(crate) fn file_system(_: &Path) -> FileSystem {
        FileSystem::Unknown
    }

    pub(crate) fn touch(path: &Path, nanos: u64) -> io::Result<()> {
        File::options().write(true).open(path)?.set_modified(UNIX_EPOCH + Duration::from_nanos(nanos))
    }

    pub(crate) fn shared_moment() -> u64 {
        super::now()
    }

    #[cfg(windows)]
    pub(crate) fn read_at(file: &File, mut bytes: &mut [u8], mut at: u64) -> io::Result<()> {
        while !bytes.is_empty() {
            match std::os::windows::fs::FileExt::seek_read(file, bytes, at)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => (bytes, at) = (&mut bytes[read..], at + read as u64),
            }
        }
        Ok(())
    }

    #[cfg(windows)]
    pub(crate) fn write_at(file: &File, mut bytes: &[u8], mut at: u64) -> io::Result<()> {
        while !bytes.is_empty() {
            match std::os::windows::fs::FileExt::seek_write(file, bytes, at)? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                written => (bytes, at) = (&bytes[written..], at + written as u64),
            }
        }
        Ok(())
    }

    #[cfg(not(windows))]
    pub(crate) fn read_at(_: &File, _: &mut [u8], _: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    #[cfg(not(windows))]
    pub(crate) fn write_at(_: &File, _: &[u8], _: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Whether nothing is there, not even where it would be.
pub(crate) fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
