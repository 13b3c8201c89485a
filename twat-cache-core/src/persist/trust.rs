//! Whose files and directories a store on disk uses, and what it does with those that are in its way. For those who write
//! stores.
//!
//! Below the cache directory no link is followed, nobody is waited for, and nothing is deleted that is not provably the
//! cache's own. On systems other than unix, files have no owner here.

use std::ffi::OsString;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use crate::Error;

/// Whose cache directories are used.
///
/// What others put into a cache directory would be given out as results of this program. So this user must own the
/// directory, and nobody else may write to it, nor to the directories above it: except to one with the sticky bit, as
/// `/tmp` has it, where nobody can replace what is another's. Those above may also be the system's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Trust {
    /// Those that this user owns, and nobody else can write to; the default.
    #[default]
    Owner,
    /// Of those that this user owns, also those that members of their group can write to: for systems where each user has
    /// a group of their own, say.
    Group,
}

/// Where a directory is, as seen from the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// It is the cache directory, or below it.
    Own,
    Above,
}

/// Checks a directory, which is where `dir` says and whose path has no links, and all those above it.
pub(crate) fn check(found: &Path, dir: &Path, trust: Trust, place: Place) -> Result<(), Error> {
    check_one(found, dir, trust, place)?;
    found.ancestors().skip(1).try_for_each(|above| check_one(above, dir, trust, Place::Above))
}

/// Checks this directory alone. It is `dir`, or above it.
#[cfg(unix)]
pub(crate) fn check_one(found: &Path, dir: &Path, trust: Trust, place: Place) -> Result<(), Error> {
    use std::os::unix::fs::MetadataExt;

    use crate::ErrorKind;

    let refused = |why: String| Error::new(ErrorKind::Other, "use the cache directory").at(dir).because(why);
    let stat = fs::symlink_metadata(found)
        .map_err(|error| Error::from(error).attempting("find out whose the cache directory is").at(found))?;
    let shown = found.display();
    let is_above = place == Place::Above;
    // Nothing protects from those who have the root directory. Seen from a container, they may have another number than 0.
    let is_systems = || stat.uid() == 0 || fs::metadata("/").is_ok_and(|root| root.uid() == stat.uid());
    if stat.uid() != user() && !(is_above && is_systems()) {
        let remedy = if is_above { "choose" } else { "remove it, or choose" };
        let uid = stat.uid();
        return Err(refused(format!("{shown} belongs to user {uid}; {remedy} another directory with `.dir`")));
    }
    // The rights of a link mean nothing.
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
pub(crate) fn check_one(_: &Path, _: &Path, _: Trust, _: Place) -> Result<(), Error> {
    Ok(())
}

/// The user that this process acts for.
#[cfg(unix)]
pub fn user() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Whether something is this user's.
#[cfg(unix)]
pub fn is_own(found: &Metadata) -> bool {
    std::os::unix::fs::MetadataExt::uid(found) == user()
}

#[cfg(not(unix))]
pub fn is_own(_: &Metadata) -> bool {
    true
}

/// Makes sure that a directory is there, of mode 0700 if it is new. Whatever else is there is [moved aside](move_aside):
/// links, and directories of which `is_fit` is false.
pub fn make_dir(dir: &Path, is_fit: impl Fn(&Metadata) -> bool) -> io::Result<()> {
    // Others may do the same.
    for _ in 0..16 {
        match fs::symlink_metadata(dir) {
            Ok(found) if found.is_dir() && is_fit(&found) => return Ok(()),
            Ok(found) => move_aside(dir, &found)?,
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Err(_) => {
                let mut builder = fs::DirBuilder::new();
                #[cfg(unix)]
                std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
                match builder.recursive(true).create(dir) {
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                    made => return made,
                }
            }
        }
    }
    Err(io::ErrorKind::Interrupted.into())
}

/// Options that follow no link in place of the file, and wait for nobody: a pipe in its place would.
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

/// Opens a file to read and write, which gets this mode if it is new. What is in its way, and is no file of this user, is
/// [moved aside](move_aside).
pub fn open_or_create(path: &Path, mode: u32) -> io::Result<File> {
    let is_fit = |found: &Metadata| found.is_file() && is_own(found);
    let mut options = options();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    options.read(true).write(true).create(true).truncate(false);
    for _ in 0..16 {
        // First of all: to open a device may do something.
        if let Ok(found) = fs::symlink_metadata(path)
            && !is_fit(&found)
        {
            move_aside(path, &found)?;
        }
        match options.open(path) {
            Ok(file) if is_fit(&file.metadata()?) => return Ok(file),
            // Somebody has put something else there.
            Err(error) if fs::symlink_metadata(path).map_or(true, |found| is_fit(&found)) => return Err(error),
            _ => {}
        }
    }
    Err(io::ErrorKind::Interrupted.into())
}

/// How many things may have been moved out of the way of one name.
const MOST_ASIDE: u32 = 16;

/// Gives what was `found` at a path another name: `….in-the-way`, or that and a number. It is `Ok` as well if something else
/// is there by now, which then stays.
pub fn move_aside(path: &Path, found: &Metadata) -> io::Result<()> {
    let mut last =
        io::Error::new(io::ErrorKind::AlreadyExists, "too much was moved out of its way before; remove that");
    for number in 1..=MOST_ASIDE {
        let mut aside = OsString::from(path.as_os_str());
        aside.push(".in-the-way");
        if number > 1 {
            aside.push(format!("-{number}"));
        }
        let aside = PathBuf::from(aside);
        match rename_to_new(path, &aside) {
            Ok(true) => {
                // Another process may have done so before, and have put there what should be there.
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

/// Gives a file or directory a name that nothing has; says whether it could.
pub fn rename_to_new(from: &Path, to: &Path) -> io::Result<bool> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{CWD, RenameFlags};
        use rustix::io::Errno;
        match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            Ok(()) => return Ok(true),
            Err(Errno::EXIST) => return Ok(false),
            // Not all file systems can do that.
            Err(Errno::INVAL | Errno::NOSYS) => {}
            Err(error) => return Err(error.into()),
        }
    }
    // Of a file, a second name is refused where there is one; a directory can have no second name.
    match fs::hard_link(from, to) {
        Ok(()) => fs::remove_file(from).map(|()| true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(_) if fs::symlink_metadata(to).is_ok() => Ok(false),
        Err(_) => fs::rename(from, to).map(|()| true),
    }
}

/// How long a file this process may write. The system kills a process that writes more.
pub fn most_file_bytes() -> u64 {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, getrlimit};
        getrlimit(Resource::Fsize).current.unwrap_or(u64::MAX)
    }
    #[cfg(not(unix))]
    u64::MAX
}

/// An error if a file of `len` bytes is longer than [this process may write](most_file_bytes).
pub fn fits(len: u64) -> io::Result<()> {
    let most = most_file_bytes();
    if len <= most {
        return Ok(());
    }
    let why = format!("this process may not write files of more than {most} bytes (`ulimit -f`)");
    Err(io::Error::new(io::ErrorKind::FileTooLarge, why))
}
