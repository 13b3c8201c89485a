//! Where results are kept on disk.

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use etcetera::BaseStrategy;

use super::trust::{self, Place, Trust};
use crate::{Error, ErrorKind};

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

/// Makes a cache directory ready, and gives its path without links: it exists, is private if it is new, is one that `trust`
/// allows, and is known for what it is to backup programs and to git.
///
/// A directory that was there before and has something else in it is somebody's: its mode and files stay as they are.
/// So the store that uses it makes a directory of its own inside, by [`prepare_below`].
pub fn prepare_root(dir: &Path, trust: Trust) -> Result<PathBuf, Error> {
    let failed = |error: io::Error| Error::from(error).attempting("prepare the cache directory").at(dir);
    // Nobody else says where it is.
    for link in dir.ancestors().filter(|dir| fs::symlink_metadata(dir).is_ok_and(|found| found.is_symlink())) {
        trust::check_one(link, dir, trust, Place::Above)?;
        let parent = link.parent().map_or_else(|| Ok(PathBuf::new()), fs::canonicalize).map_err(failed)?;
        trust::check(&parent, dir, trust, Place::Above)?;
    }
    // Nothing is made in a directory that is not trusted.
    if let Some(above) = dir.ancestors().skip(1).find_map(|above| fs::canonicalize(above).ok())
        && fs::symlink_metadata(dir).is_err()
    {
        trust::check(&above, dir, trust, Place::Above)?;
    }
    create(dir).map_err(failed)?;
    let root = fs::canonicalize(dir).map_err(failed)?;
    trust::check(&root, dir, trust, Place::Own)?;
    cover(&root, trust);
    Ok(root)
}

/// Makes a directory ready in one that is: it exists, is no link, and is one that `trust` allows. What is in its way, and is
/// no directory, is [moved aside](trust::move_aside).
pub fn prepare_below(dir: &Path, trust: Trust) -> Result<(), Error> {
    let made = trust::make_dir(dir, |_| true);
    made.map_err(|error| Error::from(error).attempting("prepare the cache directory").at(dir))?;
    trust::check_one(dir, dir, trust, Place::Own)?;
    cover(dir, trust);
    Ok(())
}

fn cover(dir: &Path, trust: Trust) {
    // What is in a directory with our mark needs none of its own.
    let is_covered = dir.parent().is_some_and(has_mark);
    if !is_covered
        && is_ours(dir)
        && let Err(error) = mark(dir, trust)
    {
        // The cache works without.
        log::debug!(target: "twat_cache", "cannot mark the cache directory at {}: {error}", dir.display());
    }
}

/// With those above it.
fn create(dir: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(dir)
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

fn mark(dir: &Path, trust: Trust) -> io::Result<()> {
    let ignore = dir.join(".gitignore");
    if has_mark(dir) && fs::symlink_metadata(&ignore).is_ok() {
        return Ok(());
    }
    trust::fits(TAG_TEXT.len() as u64)?;
    // A directory of a group was made for it by somebody.
    #[cfg(unix)]
    if trust == Trust::Owner {
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
