//! What lies in the directory of a database that the engine cannot be left alone with.

use std::fs::{self, File, FileType};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use twat_cache_core::persist::trust;
use twat_cache_core::{Error, ErrorKind};

use crate::journals;
use crate::manifests;

/// What the engine or we put there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Directory,
    Journal,
    /// A table of a keyspace that is not the engine's own.
    Table,
    Other,
}

struct Found {
    path: PathBuf,
    kind: FileType,
    /// What something with this name should be.
    part: Option<Part>,
    /// Whether it can be of our making: nobody else's, and without content where we put none.
    could_be_ours: bool,
}

impl Found {
    fn is_ours(&self) -> bool {
        self.part.is_some_and(|part| if part == Part::Directory { self.kind.is_dir() } else { self.kind.is_file() })
    }
}

/// A file which says that the engine gave up, and nobody has looked for damage since.
pub(crate) const SUSPECT: &str = "suspect";

/// All that is in the directory of a database. No link is followed, and no directory that is not the database's.
fn contents(dir: &Path) -> io::Result<Vec<Found>> {
    let mut contents = Vec::new();
    let mut directories = vec![dir.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory)? {
            let (path, kind) = entry.and_then(|entry| Ok((entry.path(), entry.file_type()?)))?;
            let part = path.strip_prefix(dir).ok().and_then(part);
            if kind.is_dir() && part == Some(Part::Directory) {
                directories.push(path.clone());
            }
            let found = fs::symlink_metadata(&path)?;
            let is_marker = directory == dir && ["lock", SUSPECT].iter().any(|marker| path.ends_with(marker));
            let could_be_ours = trust::is_own(&found) && (!is_marker || found.len() == 0);
            contents.push(Found { path, kind, part, could_be_ours });
        }
    }
    Ok(contents)
}

/// What should have this name.
fn part(inside: &Path) -> Option<Part> {
    let parts: Vec<_> = inside.iter().map(|part| part.to_string_lossy()).collect();
    let is_number = |name: &str| name.parse::<u64>().is_ok();
    match parts.iter().map(AsRef::as_ref).collect::<Vec<&str>>()[..] {
        ["keyspaces"] | ["keyspaces", _, "tables" | "blobs"] => Some(Part::Directory),
        ["keyspaces", keyspace] if is_number(keyspace) => Some(Part::Directory),
        ["keyspaces", "0", "tables", table] if is_number(table) => Some(Part::Other),
        ["keyspaces", _, "tables" | "blobs", table] if is_number(table) => Some(Part::Table),
        // The second is one that is being written, and then gets its name.
        ["keyspaces", _, name] if name == "current" || name.starts_with(".tmp") => Some(Part::Other),
        ["keyspaces", _, name] if name.strip_prefix('v').is_some_and(is_number) => Some(Part::Other),
        ["version" | "lock" | SUSPECT | journals::FILE | "CACHEDIR.TAG" | ".gitignore"] => Some(Part::Other),
        [name] if journals::number(Path::new(name)).is_some() => Some(Part::Journal),
        _ => None,
    }
}

fn corrupt(what: &Path, why: &str) -> Error {
    Error::new(ErrorKind::Corrupt, "open the database").because(format!("{} {why}", what.display()))
}

/// Whether a database is in this directory, and is whole as far as the engine does not look, or panics when it does. An
/// error if it is not whole.
///
/// The engine asserts that files are files, and a panic in the middle of opening aborts the process: its own cleaning up
/// panics again. So nothing but files and the known directories may be there; links least of all. It takes a keyspace
/// without `current` for a new one, and a directory without `version`.
///
/// What is left of a database whose making was cut short, by a kill or for want of room, is removed.
pub(crate) fn is_there(dir: &Path) -> Result<bool, Error> {
    let contents = contents(dir)?;
    for Found { path, kind, part, could_be_ours } in &contents {
        if !could_be_ours || (*part == Some(Part::Directory)) != kind.is_dir() || !(kind.is_dir() || kind.is_file()) {
            return Err(corrupt(path, "is not what it should be"));
        }
    }
    let file = dir.join(journals::FILE);
    if !file.try_exists()? {
        return remove_half_made(dir, &contents, &file);
    }
    let version = dir.join("version");
    if !fs::metadata(&version).is_ok_and(|version| version.len() > 0) {
        return Err(corrupt(&version, "is missing"));
    }
    manifests::check(dir)?;
    Ok(true)
}

fn remove_half_made(dir: &Path, contents: &[Found], file: &Path) -> Result<bool, Error> {
    let journals = || contents.iter().filter(|found| found.part == Some(Part::Journal));
    // The engine's own journal is made before its `version`, and nothing is written before our file is there.
    let mut is_half_made = journals().next().is_some() || !dir.join("version").try_exists()?;
    is_half_made &= contents.iter().all(|found| found.is_ours() && found.part != Some(Part::Table));
    for journal in journals() {
        is_half_made &= is_empty(&journal.path)?;
    }
    if !is_half_made {
        return Err(corrupt(file, "is missing"));
    }
    // What is in a directory comes after it.
    for Found { path, kind, part, .. } in contents.iter().rev() {
        let is_mark = path.ends_with("CACHEDIR.TAG") || path.ends_with(".gitignore");
        if part.is_some() && !is_mark {
            let removed = if kind.is_dir() { fs::remove_dir(path) } else { fs::remove_file(path) };
            removed.map_err(|error| Error::from(error).attempting("remove a database that was not finished"))?;
        }
    }
    Ok(false)
}

/// A journal is made long before something is written to it, and a write does not begin with a zero.
fn is_empty(journal: &Path) -> io::Result<bool> {
    let mut first = [0];
    Ok(File::open(journal)?.read(&mut first)? == 0 || first == [0])
}

/// Moves a damaged database out of the way, in place of the one that was moved before.
pub(crate) fn quarantine(dir: &Path) -> io::Result<PathBuf> {
    let aside = dir.with_extension("corrupt");
    let is_ours = || fs::symlink_metadata(&aside).is_ok_and(|found| found.is_dir());
    // If it has anything else in it, it stays.
    if is_ours() && contents(&aside)?.iter().all(Found::is_ours) && aside.join("version").try_exists()? {
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
