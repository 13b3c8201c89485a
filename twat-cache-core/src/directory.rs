//! Where results are kept on disk.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use etcetera::BaseStrategy;

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

/// Makes sure that a cache directory exists, is private, and is known for what it is to backup programs and to git.
///
/// A directory that was there before and has something else in it is somebody's: its mode and files stay as they are.
/// So the store that uses it makes a directory of its own inside, by this function.
pub fn prepare_directory(dir: &Path) -> Result<(), Error> {
    // What is in a directory with our mark needs none of its own.
    let is_covered = || dir.parent().is_some_and(has_mark);
    let prepared = create(dir).and_then(|()| if !is_covered() && is_ours(dir)? { mark(dir) } else { Ok(()) });
    prepared.map_err(|error| Error::from(error).attempting("prepare the cache directory").at(dir))
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
fn is_ours(dir: &Path) -> io::Result<bool> {
    Ok(fs::read_dir(dir)?.next().is_none() || has_mark(dir))
}

fn has_mark(dir: &Path) -> bool {
    fs::read_to_string(dir.join(TAG)).is_ok_and(|text| text == TAG_TEXT)
}

const TAG: &str = "CACHEDIR.TAG";

/// As <https://bford.info/cachedir/> wants it.
const TAG_TEXT: &str = "Signature: 8a477f597d28d172789f06886806bc55\n\
    # This directory holds results that twat-cache has remembered. They can be deleted at any time.\n";

fn mark(dir: &Path) -> io::Result<()> {
    if dir.join(TAG).exists() && dir.join(".gitignore").exists() {
        return Ok(());
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(dir, fs::Permissions::from_mode(0o700))?;
    }
    // The tag first: with it, a start that was cut short here is completed by the next.
    fs::write(dir.join(TAG), TAG_TEXT)?;
    fs::write(dir.join(".gitignore"), "*\n")
}
