//! Things that are where a cache wants to have a file or directory of its own, and what is beside the cache and not its
//! own: nothing may be lost of either.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::damage::Act;
use super::system::run;

/// What a file contains that no cache has written.
pub const THEIRS: &str = "somebody's";

/// A file that no cache has written.
pub const FILE: Act = ("a file", |path| fs::write(path, THEIRS).unwrap());
/// A directory with nothing in it.
pub const EMPTY_DIRECTORY: Act = ("an empty directory", |path| fs::create_dir(path).unwrap());
/// A directory with a directory and a file in it.
pub const DIRECTORY: Act = ("a directory", |path| {
    fs::create_dir_all(path.join("a/b")).unwrap();
    fs::write(path.join("a/file"), THEIRS).unwrap();
});
/// A pipe, at which one that opens it waits.
pub const PIPE: Act = ("a pipe", |path| assert!(run("mkfifo", &[&path])));
/// A socket.
pub const SOCKET: Act = ("a socket", |path| drop(UnixListener::bind(path).unwrap()));
/// A device; or a directory, where only root can make devices.
pub const DEVICE: Act = ("a device", |path| {
    if !run("mknod", &[&path, &"c", &"1", &"5"]) {
        (DIRECTORY.1)(path);
    }
});
/// A link that leads nowhere.
pub const LINK_TO_NOTHING: Act = ("a link to nothing", |path| symlink("nothing", path).unwrap());
/// A link that not even root can follow.
pub const LINK_TO_ITSELF: Act = ("a link to itself", |path| symlink(path, path).unwrap());
/// A link to the file of [`Others`].
pub const LINK_TO_FILE: Act = ("a link to a file", |path| symlink(others(path).join("file"), path).unwrap());
/// A link to the directory of [`Others`].
pub const LINK_TO_DIRECTORY: Act =
    ("a link to a directory", |path| symlink(others(path).join("directory"), path).unwrap());

/// All that can be in the way of a file, below [`Others`].
pub const OBSTACLES: [Act; 8] =
    [FILE, DIRECTORY, PIPE, SOCKET, LINK_TO_NOTHING, LINK_TO_ITSELF, LINK_TO_FILE, LINK_TO_DIRECTORY];

/// Makes it in place of what is at this path, if anything is.
pub fn put((_, make): Act, path: &Path) {
    let _ = fs::remove_file(path).or_else(|_| fs::remove_dir_all(path));
    make(path);
}

/// The number of a file on its disk, which tells whether it was moved or replaced. Links are not followed.
pub fn inode(path: &Path) -> u64 {
    fs::symlink_metadata(path).unwrap().ino()
}

/// The directory `others` beside one of the ancestors of this path.
fn others(path: &Path) -> PathBuf {
    path.ancestors().map(|above| above.join("others")).find(|others| others.exists()).expect("`Others` is around it")
}

/// A temporary directory with files in it that no cache has written, below `others`.
#[derive(Debug)]
pub struct Others {
    dir: TempDir,
    before: BTreeMap<u64, Vec<u8>>,
}

impl Others {
    /// Makes a file, and a directory with a file in it.
    pub fn beside() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let others = dir.path().join("others");
        fs::create_dir_all(others.join("directory")).unwrap();
        fs::write(others.join("file"), THEIRS).unwrap();
        fs::write(others.join("directory/file"), THEIRS).unwrap();
        let before = files(&others);
        Self { dir, before }
    }

    /// The directory in which both these and a cache are.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// None of these files has been changed, moved or replaced, and there is none beside them.
    pub fn assert_untouched(&self, what: &str) {
        assert_eq!(files(&self.path().join("others")), self.before, "{what}");
    }
}

/// The files below a directory, by their numbers on the disk, with what is in them.
fn files(dir: &Path) -> BTreeMap<u64, Vec<u8>> {
    let mut found = BTreeMap::new();
    for path in fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(inode(&path), fs::read(path).unwrap());
        }
    }
    found
}
