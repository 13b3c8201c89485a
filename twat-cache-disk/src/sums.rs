//! Sums of the engine's manifests, checked before it reads them.
//!
//! A manifest says which tables there are. It has no checksum, and the engine asserts what it finds in it at a moment
//! when a panic aborts the process. Manifests are never changed, only replaced by others, so a sum that is noted once
//! stays right. One that was written since the last opening, by a process that was killed, is not checked.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::Path;

use twat_cache_core::{Error, ErrorKind, Namespace};

const NAME: &str = "sums";

/// The sums of all manifests, by their paths within `dir`.
fn sums(dir: &Path) -> io::Result<HashMap<String, String>> {
    let mut sums = HashMap::new();
    for keyspace in fs::read_dir(dir.join("keyspaces"))? {
        let keyspace = keyspace?;
        for file in fs::read_dir(keyspace.path())? {
            let (file, name) = file.map(|file| (file.path(), file.file_name()))?;
            if name.to_string_lossy().starts_with('v') {
                let sum = Namespace::from_secret([0; 16]).digest(&fs::read(file)?);
                let path = format!("{}/{}", keyspace.file_name().display(), name.display());
                sums.insert(path, sum.to_string());
            }
        }
    }
    Ok(sums)
}

/// Notes the manifests of a database that has been opened, and is sound so far. Without a note nothing is checked.
pub(crate) fn note(dir: &Path) {
    let Ok(sums) = sums(dir) else { return };
    let lines: Vec<_> = sums.into_iter().map(|(path, sum)| format!("{path} {sum}")).collect();
    let new = dir.join("sums.new");
    let _ = fs::write(&new, lines.join("\n")).and_then(|()| fs::rename(&new, dir.join(NAME)));
}

/// An error if a manifest is not what was noted of it.
pub(crate) fn check(dir: &Path) -> Result<(), Error> {
    let (Ok(noted), Ok(sums)) = (fs::read_to_string(dir.join(NAME)), sums(dir)) else { return Ok(()) };
    for (path, noted) in noted.lines().filter_map(|line| line.split_once(' ')) {
        if sums.get(path).is_some_and(|sum| sum != noted) {
            let why = format!("the manifest {path} has been changed");
            return Err(Error::new(ErrorKind::Corrupt, "open the database").because(why));
        }
    }
    Ok(())
}
