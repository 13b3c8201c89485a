//! What lies in the directory of a database that the engine cannot be left alone with.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use twat_cache_core::{Error, ErrorKind};

/// Whether a database is there as far as the engine does not look, or panics when it does.
///
/// It asserts that files are files, and a panic in the middle of opening aborts the process: its own cleaning up panics
/// again. So nothing but files and the known directories may be there; links least of all. And without a journal it
/// opens, but numbers its writes from the start, and takes them for older than what is there when it opens again.
pub(crate) fn is_well_formed(dir: &Path) -> Result<(), Error> {
    let known = |path: &Path| {
        let inside = path.strip_prefix(dir).ok();
        let parts: Vec<_> = inside.into_iter().flatten().map(|part| part.to_string_lossy()).collect();
        match parts.iter().map(AsRef::as_ref).collect::<Vec<&str>>()[..] {
            ["keyspaces"] => true,
            ["keyspaces", number] => number.parse::<u64>().is_ok(),
            ["keyspaces", _, inner] => inner == "tables" || inner == "blobs",
            _ => false,
        }
    };
    let corrupt = |what: String| Error::new(ErrorKind::Corrupt, "open the database").because(what);
    let mut journals = 0;
    let mut directories = vec![dir.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory)? {
            let entry = entry?;
            let (path, kind) = (entry.path(), entry.file_type()?);
            journals += usize::from(path.extension().is_some_and(|extension| extension == "jnl"));
            if kind.is_dir() && known(&path) {
                directories.push(path);
            } else if !kind.is_file() || known(&path) {
                return Err(corrupt(format!("{} is not what it should be", path.display())));
            }
        }
    }
    if journals == 0 && dir.join("version").exists() {
        return Err(corrupt("there is no journal".into()));
    }
    Ok(())
}

/// Removes what was left of a database whose making was cut short, by a kill or for want of room: the engine takes it for a
/// damaged one. It writes `version` last, and only then is our keyspace made.
pub(crate) fn remove_half_made(dir: &Path) -> Result<(), Error> {
    let is_begun = match fs::symlink_metadata(dir.join("version")) {
        Ok(version) => version.is_file() && version.len() == 0,
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    };
    if !is_begun {
        return Ok(());
    }
    let mut parts = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let is_file = entry.file_type()?.is_file();
        match name.to_str() {
            Some("CACHEDIR.TAG" | ".gitignore") => continue,
            Some("version" | "lock" | "0.jnl") if is_file => {}
            // The engine's own is number 0.
            Some("keyspaces") if !is_file && is_absent(&entry.path().join("1")) => {}
            // Damaged, or somebody's: not to be removed without a word.
            _ => return Ok(()),
        }
        parts.push(entry);
    }
    for part in parts {
        let (path, is_dir) = (part.path(), part.file_type()?.is_dir());
        let removed = if is_dir { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        removed.map_err(|error| Error::from(error).attempting("remove a database that was not finished"))?;
    }
    Ok(())
}

fn is_absent(path: &Path) -> bool {
    fs::symlink_metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

/// Moves a damaged database out of the way, in place of the one that was moved before.
pub(crate) fn quarantine(dir: &Path) -> io::Result<PathBuf> {
    let aside = dir.with_extension("corrupt");
    match fs::remove_dir_all(&aside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::rename(dir, &aside)?;
    Ok(aside)
}
