//! What only the operating system can do to a cache: read-only directories and full disks.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Runs a command; whether it succeeded.
pub fn run(program: &str, args: &[&dyn AsRef<std::ffi::OsStr>]) -> bool {
    let args = args.iter().map(AsRef::as_ref);
    Command::new(program).args(args).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|s| s.success())
}

/// A small disk at this directory, until it is dropped.
#[derive(Debug)]
pub struct Disk(PathBuf);

impl Disk {
    /// Needs root; `None`, with a word on stderr, without it.
    pub fn mount(at: &Path, megabytes: u32) -> Option<Self> {
        let size = format!("size={megabytes}m,mode=700");
        if run("mount", &[&"-t", &"tmpfs", &"-o", &size, &"tmpfs", &at]) {
            return Some(Self(at.to_owned()));
        }
        eprintln!("skipped: no small disk can be mounted here");
        None
    }

    /// Takes this much of its room, or all that there is.
    pub fn fill(&self, megabytes: usize) {
        let _ = fs::write(self.filler(), vec![1; megabytes << 20]);
    }

    /// Gives the room back.
    pub fn make_room(&self) {
        fs::remove_file(self.filler()).unwrap();
    }

    fn filler(&self) -> PathBuf {
        self.0.join("filler")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        run("umount", &[&"--lazy", &self.0]);
    }
}

/// A directory in which nothing can be changed, not even by root or through open files, until this is dropped.
#[derive(Debug)]
pub struct Frozen(PathBuf);

impl Frozen {
    /// `None`, with a word on stderr, where it cannot be done: as root, on a file system without the attribute.
    pub fn freeze(dir: &Path) -> Option<Self> {
        let frozen = Self(dir.to_owned());
        if run("chattr", &[&"-R", &"+i", &dir]) {
            return Some(frozen);
        }
        run("chmod", &[&"-R", &"a-w", &dir]);
        if fs::File::create(dir.join("probe")).is_err() {
            return Some(frozen);
        }
        eprintln!("skipped: {} cannot be made read-only", dir.display());
        None
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        run("chattr", &[&"-R", &"-i", &self.0]);
        run("chmod", &[&"-R", &"u+w", &self.0]);
    }
}
