//! The cache directory.

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use etcetera::BaseStrategy;

use super::trust::{self, Role, Trust};
use crate::{Error, ErrorKind};

/// Returns the default cache directory: `$TWAT_CACHE_DIR`, or, if that is not set, `twat-cache/<program name>` in the
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

/// One path for all spellings of a directory, which may not exist yet.
#[doc(hidden)]
pub fn canonical(dir: &Path) -> PathBuf {
    let absolute = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
    let canonical = |above: &Path| Some(above.canonicalize().ok()?.join(absolute.strip_prefix(above).ok()?));
    absolute.ancestors().find_map(canonical).unwrap_or_else(|| absolute.clone())
}

/// Prepares a cache directory, and returns its path without links.
///
/// It creates the directory with mode 0700 if it does not exist, and checks that `trust` allows it. It adds a
/// `CACHEDIR.TAG` and a `.gitignore`, so that backup programs and git ignore the directory.
///
/// A directory that already contains other files keeps its mode and files, and gets no tag. So a store creates its own
/// directory inside, with [`prepare_below`].
pub fn prepare_root(dir: &Path, trust: Trust) -> Result<PathBuf, Error> {
    let failed = |error: io::Error| Error::from(error).attempting("prepare the cache directory").at(dir);
    // Other users must not be able to replace a link on the path.
    for link in dir.ancestors().filter(|dir| fs::symlink_metadata(dir).is_ok_and(|found| found.is_symlink())) {
        trust::check_one(link, dir, trust, Role::Ancestor)?;
        let parent = link.parent().map_or_else(|| Ok(PathBuf::new()), fs::canonicalize).map_err(failed)?;
        trust::check(&parent, dir, trust, Role::Ancestor)?;
    }
    // Check the nearest existing ancestor before anything is created in it.
    if let Some(above) = dir.ancestors().skip(1).find_map(|above| fs::canonicalize(above).ok())
        && fs::symlink_metadata(dir).is_err()
    {
        trust::check(&above, dir, trust, Role::Ancestor)?;
    }
    trust::create_private(dir).map_err(failed)?;
    let root = fs::canonicalize(dir).map_err(failed)?;
    trust::check(&root, dir, trust, Role::Cache)?;
    add_tag(&root, trust);
    Ok(root)
}

/// Prepares a directory inside a prepared one: creates it if it does not exist, and checks that `trust` allows it. A
/// link or file with its name is [moved aside](trust::move_aside).
pub fn prepare_below(dir: &Path, trust: Trust) -> Result<(), Error> {
    let made = trust::make_dir(dir, |_| true);
    made.map_err(|error| Error::from(error).attempting("prepare the cache directory").at(dir))?;
    trust::check_one(dir, dir, trust, Role::Cache)?;
    add_tag(dir, trust);
    Ok(())
}

/// Tags a directory, unless its parent has our tag or other programs use it.
fn add_tag(dir: &Path, trust: Trust) {
    if !dir.parent().is_some_and(has_tag)
        && is_ours(dir)
        && let Err(error) = write_tag(dir, trust)
    {
        // The cache works without a tag.
        log::debug!(target: "twat_cache", "cannot tag the cache directory at {}: {error}", dir.display());
    }
}

/// Returns whether a directory is empty or has our tag. The tags of other programs, such as `cargo`, differ.
fn is_ours(dir: &Path) -> bool {
    match read_tag(dir) {
        // A full disk may have truncated our tag. In a directory that no other user can enter, such a tag is ours.
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

fn has_tag(dir: &Path) -> bool {
    read_tag(dir).is_some_and(|text| text == TAG_TEXT)
}

/// Reads the tag if it is a file that could be ours. Reading a pipe could block forever.
fn read_tag(dir: &Path) -> Option<String> {
    let path = dir.join(TAG);
    let found = fs::symlink_metadata(&path).ok()?;
    let could_be_ours = found.is_file() && found.len() <= TAG_TEXT.len() as u64;
    if could_be_ours { fs::read_to_string(path).ok() } else { None }
}

const TAG: &str = "CACHEDIR.TAG";

/// The format of <https://bford.info/cachedir/>.
const TAG_TEXT: &str = "Signature: 8a477f597d28d172789f06886806bc55\n\
    # This directory holds results that twat-cache has remembered. They can be deleted at any time.\n";

fn write_tag(dir: &Path, trust: Trust) -> io::Result<()> {
    let ignore = dir.join(".gitignore");
    if has_tag(dir) && fs::symlink_metadata(&ignore).is_ok() {
        return Ok(());
    }
    trust::fits(TAG_TEXT.len() as u64)?;
    // With `Trust::Group`, the user has chosen the mode.
    #[cfg(unix)]
    if trust == Trust::Owner {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(dir, fs::Permissions::from_mode(0o700))?;
    }
    // Write the tag first. If the process is killed after it, the next one completes the work.
    if !has_tag(dir) {
        fs::write(dir.join(TAG), TAG_TEXT)?;
    }
    match fs::File::create_new(ignore) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        file => file?.write_all(b"*\n"),
    }
}
