//! Checks of owners and permissions, and access to files that others may replace. For authors of stores.
//!
//! Below the cache directory, these functions follow no link and wait for no other process. They delete nothing: they
//! move files that are in the way aside. On systems other than Unix, they ignore owners and permissions.

use std::ffi::OsString;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use crate::Error;

/// Which cache directories are used, by owner and permissions.
///
/// A user that can write to a cache directory can change the results of this program. So this user must own the
/// directory, and no other user may be able to write to it or to the directories above it. A directory above it may
/// belong to the system. It may be writable by others if it has the sticky bit, as `/tmp` has: there, a user cannot
/// replace other users' files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Trust {
    /// Directories that this user owns, and that no other user can write to; the default.
    #[default]
    Owner,
    /// Directories that this user owns, and that no other user can write to except members of the directory's group.
    /// For example, for systems on which each user has their own group.
    Group,
}

/// The role of a directory that is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// The cache directory, or a directory below it.
    Cache,
    /// A directory above the cache directory.
    Ancestor,
}

/// Checks a directory and all its ancestors. `found` is a path without links. `dir` is the path that the user gave, for
/// the error.
pub(crate) fn check(found: &Path, dir: &Path, trust: Trust, role: Role) -> Result<(), Error> {
    check_one(found, dir, trust, role)?;
    found.ancestors().skip(1).try_for_each(|above| check_one(above, dir, trust, Role::Ancestor))
}

/// Like [`check`], without the ancestors.
#[cfg(unix)]
pub(crate) fn check_one(found: &Path, dir: &Path, trust: Trust, role: Role) -> Result<(), Error> {
    use std::os::unix::fs::MetadataExt;

    use crate::ErrorKind;

    let refused = |why: String| Error::new(ErrorKind::Other, "use the cache directory").at(dir).because(why);
    let stat = fs::symlink_metadata(found)
        .map_err(|error| Error::from(error).attempting("find the owner of the cache directory").at(found))?;
    let shown = found.display();
    let is_above = role == Role::Ancestor;
    // The owner of the root directory can change every file. In a container, their id may not be 0.
    let is_systems = || stat.uid() == 0 || fs::metadata("/").is_ok_and(|root| root.uid() == stat.uid());
    if stat.uid() != user() && !(is_above && is_systems()) {
        let remedy = if is_above { "choose" } else { "remove it, or choose" };
        let uid = stat.uid();
        return Err(refused(format!("{shown} belongs to user {uid}; {remedy} another directory with `.dir`")));
    }
    // The permissions of a link have no effect.
    if is_above && stat.is_symlink() {
        return Ok(());
    }
    let is_sticky = stat.mode() & 0o1000 != 0;
    let (of_others, of_group) = (stat.mode() & 0o002 != 0, stat.mode() & 0o020 != 0 && trust == Trust::Owner);
    if !(of_others || of_group) || (is_above && is_sticky) {
        return Ok(());
    }
    Err(refused(if is_sticky {
        format!("others can write to {shown}; choose a directory in it with `.dir`")
    } else if of_others {
        format!("others can write to {shown}; `chmod go-w` it, or choose another directory with `.dir`")
    } else {
        format!("the group of {shown} can write to it; `chmod g-w` it, or allow that by `.trust(Trust::Group)`")
    }))
}

#[cfg(not(unix))]
pub(crate) fn check_one(_: &Path, _: &Path, _: Trust, _: Role) -> Result<(), Error> {
    Ok(())
}

/// Returns the effective user id of this process.
#[cfg(unix)]
pub fn user() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Returns whether this user owns a file or directory.
#[cfg(unix)]
pub fn is_own(found: &Metadata) -> bool {
    std::os::unix::fs::MetadataExt::uid(found) == user()
}

#[cfg(not(unix))]
pub fn is_own(_: &Metadata) -> bool {
    true
}

/// Creates a directory and its ancestors, with mode 0700, if they do not exist.
pub(crate) fn create_private(dir: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(dir)
}

/// How often an operation is repeated if other processes change the same name.
const ATTEMPTS: u32 = 16;

/// Creates a directory with mode 0700 if it does not exist. Anything else with its name is [moved aside](move_aside): a
/// file, a link, or a directory for which `is_usable` is false.
pub fn make_dir(dir: &Path, is_usable: impl Fn(&Metadata) -> bool) -> io::Result<()> {
    for _ in 0..ATTEMPTS {
        match fs::symlink_metadata(dir) {
            Ok(found) if found.is_dir() && is_usable(&found) => return Ok(()),
            Ok(found) => move_aside(dir, &found)?,
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Err(_) => match create_private(dir) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                created => return created,
            },
        }
    }
    Err(io::ErrorKind::Interrupted.into())
}

/// Returns options for [`OpenOptions::open`] that do not follow a link in place of the file, and do not wait on a pipe.
pub fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, flags.bits().cast_signed());
    }
    options
}

/// Opens a file to read and write, and creates it with this mode if it does not exist. Anything with its name that is
/// not a regular file of this user is [moved aside](move_aside).
pub fn open_or_create(path: &Path, mode: u32) -> io::Result<File> {
    let is_usable = |found: &Metadata| found.is_file() && is_own(found);
    let mut options = options();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    options.read(true).write(true).create(true).truncate(false);
    for _ in 0..ATTEMPTS {
        // Check before opening, because opening a device can have effects.
        if let Ok(found) = fs::symlink_metadata(path)
            && !is_usable(&found)
        {
            move_aside(path, &found)?;
        }
        match options.open(path) {
            Ok(file) if is_usable(&file.metadata()?) => return Ok(file),
            Err(error) if fs::symlink_metadata(path).map_or(true, |found| is_usable(&found)) => return Err(error),
            // Another process has put something else there. Try again.
            _ => {}
        }
    }
    Err(io::ErrorKind::Interrupted.into())
}

/// The most files that are moved aside from one name.
const MAX_ASIDE: u32 = 16;

/// Renames the file or directory `found` at a path to `….in-the-way`, with a number if that name is taken.
///
/// If the path has another file or directory by now, it stays, and the result is `Ok`.
///
/// # Errors
///
/// It returns an error if the rename fails, or if 16 files were moved aside from this path before.
pub fn move_aside(path: &Path, found: &Metadata) -> io::Result<()> {
    let mut last = io::Error::new(
        io::ErrorKind::AlreadyExists,
        format!("{MAX_ASIDE} files were moved aside from this name before; remove them"),
    );
    for number in 1..=MAX_ASIDE {
        let mut aside = OsString::from(path.as_os_str());
        aside.push(".in-the-way");
        if number > 1 {
            aside.push(format!("-{number}"));
        }
        let aside = PathBuf::from(aside);
        match rename_to_new(path, &aside) {
            Ok(true) => {
                // Another process may have moved `found` and created the right file. Then move that file back.
                if !fs::symlink_metadata(&aside).is_ok_and(|moved| is_same(&moved, found)) {
                    let _ = rename_to_new(&aside, path);
                }
                return Ok(());
            }
            Ok(false) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => {
                last = error;
                break;
            }
        }
    }
    Err(last)
}

#[cfg(unix)]
fn is_same(one: &Metadata, other: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

#[cfg(not(unix))]
fn is_same(one: &Metadata, other: &Metadata) -> bool {
    one.file_type() == other.file_type()
}

/// Renames a file or directory, unless the new name exists. Returns whether it was renamed.
pub fn rename_to_new(from: &Path, to: &Path) -> io::Result<bool> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{CWD, RenameFlags};
        use rustix::io::Errno;
        match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            Ok(()) => return Ok(true),
            Err(Errno::EXIST) => return Ok(false),
            // Some file systems do not support this.
            Err(Errno::INVAL | Errno::NOSYS) => {}
            Err(error) => return Err(error.into()),
        }
    }
    // A hard link fails if the new name exists. Directories cannot have hard links; for them this is not atomic.
    match fs::hard_link(from, to) {
        Ok(()) => fs::remove_file(from).map(|()| true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(_) if fs::symlink_metadata(to).is_ok() => Ok(false),
        Err(_) => fs::rename(from, to).map(|()| true),
    }
}

/// Returns the maximum length of a file that this process may write. The system kills a process that exceeds it.
pub fn most_file_bytes() -> u64 {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, getrlimit};
        getrlimit(Resource::Fsize).current.unwrap_or(u64::MAX)
    }
    #[cfg(not(unix))]
    u64::MAX
}

/// Returns an error if a file of `len` bytes exceeds the [limit of this process](most_file_bytes).
pub fn fits(len: u64) -> io::Result<()> {
    let most = most_file_bytes();
    if len <= most {
        return Ok(());
    }
    let why = format!("this process cannot write files of more than {most} bytes (`ulimit -f`)");
    Err(io::Error::new(io::ErrorKind::FileTooLarge, why))
}
