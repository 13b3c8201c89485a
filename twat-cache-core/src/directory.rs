//! Where results are kept on disk.

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use etcetera::BaseStrategy;

use crate::{Error, ErrorKind};

/// Whose cache directories are used.
///
/// A directory that others can write to is not used in any case, unless it is said here: what they put there would be
/// given out as results of this program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Trust {
    /// Those that this user owns and nobody else can write to; the default.
    #[default]
    Owner,
    /// Also those that the members of their group can write to.
    Group,
}

/// The directory that a cache without `.dir(…)` uses: `$TWAT_CACHE_DIR`, or else `twat-cache/<program name>` in the
/// platform's directory for caches.
pub fn default_directory() -> Result<PathBuf, Error> {
    if let Some(dir) = env::var_os("TWAT_CACHE_DIR").filter(|dir| !dir.is_empty()) {
        return Ok(PathBuf::from(dir));
    }
    let strategy = etcetera::choose_base_strategy()
        .map_err(|error| Error::new(ErrorKind::Unavailable, "find this user's cache directory").because(error))?;
    let program = env::current_exe().ok();
    let name = program.as_deref().and_then(Path::file_stem).unwrap_or(OsStr::new("unknown"));
    Ok(strategy.cache_dir().join("twat-cache").join(name))
}

/// Makes sure that a cache directory exists, is private, and is known for what it is to backup programs and to git.
///
/// A directory that was there before and has something else in it is somebody's: its mode and files stay as they are.
/// So the store that uses it makes a directory of its own inside, by this function.
pub fn prepare_directory(dir: &Path) -> Result<(), Error> {
    create(dir).map_err(|error| Error::from(error).attempting("prepare the cache directory").at(dir))?;
    // What is in a directory with our mark needs none of its own.
    let is_covered = dir.parent().is_some_and(has_mark);
    if !is_covered
        && is_ours(dir)
        && let Err(error) = mark(dir)
    {
        // The cache works without.
        log::debug!(target: "twat_cache", "cannot mark the cache directory at {}: {error}", dir.display());
    }
    Ok(())
}

#[cfg(unix)]
fn create(dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

#[cfg(not(unix))]
fn create(dir: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).create(dir)
}

/// Nothing in it, or our mark. Other programs, `cargo` among them, have such a file in theirs.
fn is_ours(dir: &Path) -> bool {
    match tag(dir) {
        // One that is cut short, in a directory that nobody else can enter, was written by us to a disk that was full.
        Some(text) => text == TAG_TEXT || (TAG_TEXT.starts_with(&text) && is_private(dir)),
        None => fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_none()),
    }
}

#[cfg(unix)]
fn is_private(dir: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(dir).is_ok_and(|dir| dir.permissions().mode() & 0o777 == 0o700)
}

#[cfg(not(unix))]
fn is_private(_: &Path) -> bool {
    false
}

fn has_mark(dir: &Path) -> bool {
    tag(dir).is_some_and(|text| text == TAG_TEXT)
}

/// What is in the tag, if it is a file that could be ours. To look into a pipe could take for ever.
fn tag(dir: &Path) -> Option<String> {
    let path = dir.join(TAG);
    let found = fs::symlink_metadata(&path).ok()?;
    let could_be_ours = found.is_file() && found.len() <= TAG_TEXT.len() as u64;
    if could_be_ours { fs::read_to_string(path).ok() } else { None }
}

const TAG: &str = "CACHEDIR.TAG";

/// As <https://bford.info/cachedir/> wants it.
const TAG_TEXT: &str = "Signature: 8a477f597d28d172789f06886806bc55\n\
    # This directory holds results that twat-cache has remembered. They can be deleted at any time.\n";

fn mark(dir: &Path) -> io::Result<()> {
    let ignore = dir.join(".gitignore");
    if has_mark(dir) && fs::symlink_metadata(&ignore).is_ok() {
        return Ok(());
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(dir, fs::Permissions::from_mode(0o700))?;
    }
    // The tag first: with it, a start that was cut short here is completed by the next.
    if !has_mark(dir) {
        fs::write(dir.join(TAG), TAG_TEXT)?;
    }
    match fs::File::create_new(ignore) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        file => file?.write_all(b"*\n"),
    }
}
