//! What std does not say about files, or says with a second system call. A system that is not unix says less.

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(not(unix), path = "other.rs")]
mod platform;
pub mod private;

use std::ffi::OsStr;
use std::fs::{self, File, ReadDir};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use crate::persist::trust;

pub use platform::{
    block_size, coarse_clock, free_space, is_local, most_handles, owner, read_at, shared_clock, stat, stat_of,
};

/// The unit of space where the system says none.
const BLOCK: u64 = 4096;

/// What is known about a file.
#[derive(Clone, Copy, Debug)]
pub struct Stat {
    pub is_file: bool,
    pub is_dir: bool,
    pub len: u64,
    /// How many names it has.
    pub links: u64,
    /// Device and number. No other file has the same two while this one exists.
    pub identity: (u64, u64),
    pub owner: u32,
    pub mode: u32,
    /// When it was last changed or touched, in nanoseconds since 1970.
    pub modified: u64,
}

impl Stat {
    /// Whether it is a regular file of this user.
    pub fn is_own_file(&self) -> bool {
        self.is_file && self.owner == owner()
    }
}

/// Sets the time at which a file was modified, in nanoseconds since 1970.
pub fn set_modified(file: &File, nanos: u64) -> io::Result<()> {
    file.set_modified(UNIX_EPOCH + Duration::from_nanos(nanos))
}

/// [Sets the time](set_modified) of the file at a path.
pub fn touch(path: &Path, nanos: u64) -> io::Result<()> {
    // On unix its owner may do so even if the file is read-only. Windows asks for the right to write.
    let file = if cfg!(unix) { open(path) } else { trust::options().write(true).open(path) };
    set_modified(&file?, nanos)
}

/// Opens a file for reading. It follows no link, neither to the file nor to its directory, and waits for nobody.
pub fn open(path: &Path) -> io::Result<File> {
    open_or_make(path, None)
}

/// Makes a file of this mode, for reading and writing, which must be new. It follows no link to its directory.
pub fn create(path: &Path, mode: u32) -> io::Result<File> {
    open_or_make(path, Some(mode))
}

fn open_or_make(path: &Path, new: Option<u32>) -> io::Result<File> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
        use rustix::io::Errno;
        let (flags, mode) = match new {
            Some(mode) => (OFlags::RDWR | OFlags::CREATE | OFlags::EXCL, Mode::from_raw_mode(mode)),
            None => (OFlags::RDONLY | OFlags::NONBLOCK, Mode::empty()),
        };
        match rustix::fs::openat2(CWD, path, flags | OFlags::CLOEXEC, mode, ResolveFlags::NO_SYMLINKS) {
            Ok(file) => return Ok(file.into()),
            Err(error @ (Errno::NOENT | Errno::EXIST | Errno::MFILE | Errno::NFILE)) => return Err(error.into()),
            // Linux before 5.6 does not have this call. Or somebody has put a link above the cache since it was opened.
            Err(_) => {}
        }
    }
    check_parent(path)?;
    let mut options = trust::options();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, new.unwrap_or_default());
    options.read(true).write(new.is_some()).create_new(new.is_some()).open(path)
}

/// An error if the directory of a file is not a directory, for instance if it is a link.
fn check_parent(path: &Path) -> io::Result<()> {
    let is_dir = path.parent().map_or(Ok(true), |dir| stat_of(dir).map(|dir| dir.is_dir))?;
    if is_dir { Ok(()) } else { Err(io::ErrorKind::NotADirectory.into()) }
}

/// Writes at an offset of a file, if this process may write a file of that length. Otherwise the system would kill it.
pub fn write_at(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    trust::fits(at + bytes.len() as u64)?;
    platform::write_at(file, bytes, at)
}

/// Removes a file of this user, and returns its length. Moves anything else aside. `None` if nothing is there.
pub fn remove(path: &Path) -> io::Result<Option<u64>> {
    let remove = || {
        // Nothing behind a link belongs to the cache.
        check_parent(path)?;
        let found = fs::symlink_metadata(path)?;
        if found.is_file() && trust::is_own(&found) {
            return fs::remove_file(path).map(|()| found.len());
        }
        trust::move_aside(path, &found).map(|()| 0)
    };
    unless_absent(remove())
}

/// The paths of what is in a directory. If it does not exist or is not a directory, for instance a link, there are none.
pub fn list(dir: &Path) -> io::Result<Vec<PathBuf>> {
    read_dir(dir)?.into_iter().flatten().map(|entry| Ok(entry?.path())).collect()
}

/// Like [`list`], one after the other; `None` if there is no such directory.
pub fn read_dir(dir: &Path) -> io::Result<Option<ReadDir>> {
    let read = || if stat_of(dir)?.is_dir { fs::read_dir(dir) } else { Err(io::ErrorKind::NotADirectory.into()) };
    unless_absent(read())
}

fn unless_absent<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if is_absent(&error) => Ok(None),
        result => result.map(Some),
    }
}

/// Whether the process of this number is stopped, by a signal or a debugger, as far as the system tells. It may never go on.
pub fn is_stopped(process: u64) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"));
    // The state follows the name of the program, which may contain any characters.
    stat.is_ok_and(|stat| stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with(['T', 't'])))
}

/// The name of what is at a path. A name that is not UTF-8 is empty: the cache has no such name.
pub fn name_of(path: &Path) -> &str {
    path.file_name().and_then(OsStr::to_str).unwrap_or_default()
}

/// Whether a text consists of hexadecimal digits in this library's form.
pub fn is_hex(text: &str) -> bool {
    text.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
}

/// Whether an error says that nothing is at a path, or that its directory does not exist.
pub fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
