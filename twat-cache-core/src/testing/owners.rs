//! The owner of a file, and the bits that say which users may change it.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;

/// A user who does not run these tests.
pub const ANOTHER_USER: u32 = 12_345;

/// Gives a file or directory to [`ANOTHER_USER`]; false, with a word on stderr, if only root can do that.
pub fn give_away(path: &Path) -> bool {
    let is_given = chown(path, Some(ANOTHER_USER), None).is_ok();
    if !is_given {
        eprintln!("skipped: only root can give files to others");
    }
    is_given
}

/// Takes back what was given away.
pub fn take_back(path: &Path) {
    let me = tempfile::tempfile().unwrap().metadata().unwrap().uid();
    chown(path, Some(me), None).unwrap();
}

/// The user that it belongs to.
pub fn owner(path: &Path) -> u32 {
    fs::metadata(path).unwrap().uid()
}

/// Sets the bits that say which users may do what.
pub fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// The bits that say which users may read, write and execute it.
pub fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}
