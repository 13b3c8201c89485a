//! Damage that the engine ignores or panics over, incomplete databases, and where damaged ones are moved.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use twat_cache_core::persist::trust;
use twat_cache_core::{Error, ErrorKind};
use xxhash_rust::xxh3::xxh3_128;

use super::journals::{INCOMPLETE, JOURNALS, number};

/// What something in the directory of a database is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Directory,
    File,
    /// A file that a directory without a database may have, too.
    Mark,
    /// A file with a name that neither the engine nor this crate uses.
    Stranger,
    /// Anything else, such as a link, an unknown directory, or a file of another user.
    Wrong,
}

/// A file which says that the engine gave up, and that the database was not searched for damage since. It has a byte if files
/// of two databases may be there.
pub(crate) const SUSPECT: &str = "suspect";

/// Marks what is at the place of a database whose engine gave up. The engine finds its files by their paths. If the database
/// was moved away, it may have written into the one that another process has made there.
pub(crate) fn suspect(dir: &Path, was_moved: bool) {
    let file = trust::options().write(true).create(true).truncate(false).open(dir.join(SUSPECT));
    // Without the mark, there is no directory either, or it takes no writes.
    let _ = file.and_then(|mut file| file.write_all(if was_moved { b"2" } else { b"" }));
}

/// All that is in the directory of a database; the contents of a directory come after it. No link is followed.
pub(super) fn contents(dir: &Path) -> io::Result<Vec<(PathBuf, Part)>> {
    let mut contents = Vec::new();
    let mut directories = vec![dir.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory)? {
            let path = entry?.path();
            let found = fs::symlink_metadata(&path)?;
            let named = path.strip_prefix(dir).map_or(Part::Stranger, named);
            let is_right = if named == Part::Directory { found.is_dir() } else { found.is_file() };
            let part = if is_right && trust::is_own(&found) { named } else { Part::Wrong };
            if part == Part::Directory {
                directories.push(path.clone());
            }
            contents.push((path, part));
        }
    }
    Ok(contents)
}

/// What should have this name in the directory of a database.
fn named(name: &Path) -> Part {
    let is_number = |name: &str| name.parse::<u64>().is_ok();
    let names: Vec<&str> = name.iter().map(|name| name.to_str().unwrap_or_default()).collect();
    match *names {
        ["keyspaces"] | ["keyspaces", _, "tables" | "blobs"] => Part::Directory,
        ["keyspaces", keyspace] if is_number(keyspace) => Part::Directory,
        ["keyspaces", _, "tables" | "blobs", table] if is_number(table) => Part::File,
        // The engine writes `current` and manifests under a temporary name first.
        ["keyspaces", _, name] if name == "current" || name.starts_with(".tmp") => Part::File,
        ["keyspaces", _, name] if name.strip_prefix('v').is_some_and(is_number) => Part::File,
        ["lock" | SUSPECT | INCOMPLETE | "CACHEDIR.TAG" | ".gitignore"] => Part::Mark,
        ["version" | JOURNALS] => Part::File,
        [name] if number(Path::new(name)).is_some() => Part::File,
        _ => Part::Stranger,
    }
}

fn are_ours(contents: &[(PathBuf, Part)]) -> bool {
    contents.iter().all(|(_, part)| !matches!(part, Part::Stranger | Part::Wrong))
}

fn corrupt(what: &Path, why: &str) -> Error {
    Error::new(ErrorKind::Corrupt, "open the database").because(format!("{} {why}", what.display()))
}

/// Whether a database is in this directory. An error if it is damaged in a way that the engine ignores or panics over.
///
/// The engine asserts that files are files. A panic while it opens a database aborts the process, because its own clean-up
/// panics again. So there may be only files, and the directories that the engine makes; above all no links. The engine takes
/// a directory without `version` for a new database.
///
/// A database that is incomplete, because the process was killed or the disk was full, is removed.
pub(crate) fn is_there(dir: &Path) -> Result<bool, Error> {
    let contents = contents(dir)?;
    if let Some((path, _)) = contents.iter().find(|(_, part)| *part == Part::Wrong) {
        return Err(corrupt(path, "is not what it should be"));
    }
    if dir.join(JOURNALS).try_exists()? {
        if fs::metadata(dir.join(SUSPECT)).is_ok_and(|suspect| suspect.len() > 0) {
            return Err(corrupt(dir, "may have files of a database that was moved away"));
        }
        let version = dir.join("version");
        if !fs::metadata(&version).is_ok_and(|version| version.len() > 0) {
            return Err(corrupt(&version, "is missing"));
        }
        check_manifests(dir)?;
        return Ok(true);
    }
    let is_incomplete = dir.join(INCOMPLETE).try_exists()? && are_ours(&contents);
    for (path, part) in contents.iter().rev().filter(|(_, part)| *part != Part::Mark) {
        if !is_incomplete {
            return Err(corrupt(&dir.join(JOURNALS), "is missing"));
        }
        let removed = if *part == Part::Directory { fs::remove_dir(path) } else { fs::remove_file(path) };
        removed.map_err(|error| Error::from(error).attempting("remove an incomplete database"))?;
    }
    Ok(false)
}

/// An error if a manifest is not what the engine has written: its own, or that of the entries.
///
/// A manifest lists the tables of a keyspace. The engine asserts what it reads there, and a failed assertion aborts the
/// process. It writes a checksum of the manifest, too, but does not compare it.
fn check_manifests(dir: &Path) -> Result<(), Error> {
    for keyspace in ["keyspaces/0", "keyspaces/1"].map(|keyspace| dir.join(keyspace)) {
        if !is_manifest_right(&keyspace)? {
            return Err(corrupt(&keyspace, "has a manifest that was changed"));
        }
    }
    Ok(())
}

/// Compares the manifest with `current`, which has its number (8 bytes, little-endian), its checksum (16) and 0 for the kind
/// of checksum: xxh3 of 128 bits.
fn is_manifest_right(keyspace: &Path) -> io::Result<bool> {
    let current = fs::read(keyspace.join("current"))?;
    let Some((number, sum)) = current.split_first_chunk::<8>() else { return Ok(false) };
    let Some((sum, [0])) = sum.split_first_chunk::<16>() else { return Ok(false) };
    let manifest = fs::read(keyspace.join(format!("v{}", u64::from_le_bytes(*number))))?;
    Ok(xxh3_128(&manifest) == u128::from_le_bytes(*sum))
}

/// Moves a damaged database aside, in place of the one that was moved aside before.
pub(crate) fn quarantine(dir: &Path) -> io::Result<PathBuf> {
    let aside = dir.with_extension("corrupt");
    // A directory that has anything else in it stays.
    if fs::symlink_metadata(&aside).is_ok_and(|found| found.is_dir()) && are_ours(&contents(&aside)?) {
        fs::remove_dir_all(&aside)?;
    }
    for number in 1..=16 {
        let aside = if number == 1 { aside.clone() } else { dir.with_extension(format!("corrupt-{number}")) };
        if trust::rename_to_new(dir, &aside)? {
            return Ok(aside);
        }
    }
    Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("remove {} and the like", aside.display())))
}
