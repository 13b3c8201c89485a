//! The files that the job reads.

use std::path::{Path, PathBuf};
use std::time::SystemTime;
use std::{env, fmt};

use indicatif::HumanBytes;
use walkdir::{DirEntry, WalkDir};

use crate::progress;

/// A file, without its contents. These three fields are the key of its signature.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Source {
    pub(crate) path: PathBuf,
    pub(crate) size: u64,
    pub(crate) modified: SystemTime,
}

/// The Rust sources below a directory.
#[derive(Debug)]
pub(crate) struct Sources {
    pub(crate) root: PathBuf,
    pub(crate) files: Vec<Source>,
}

impl Sources {
    /// Finds the sources below `dir`, or else below the default directory. It is an error if there are none.
    pub(crate) fn find(dir: Option<&Path>) -> Result<Self, String> {
        if let Some(dir) = dir {
            return Self::below(dir);
        }
        // A machine that builds from vendored sources has no registry. It always has this directory.
        let workspace = || Self::below(&Path::new(env!("CARGO_MANIFEST_DIR")).join(".."));
        registry().and_then(|registry| Self::below(&registry).ok()).map_or_else(workspace, Ok)
    }

    fn below(dir: &Path) -> Result<Self, String> {
        // The path of a file is part of its key. So it must not depend on the working directory.
        let root = dir.canonicalize().map_err(|error| format!("cannot look at {}: {error}", dir.display()))?;
        if !root.is_dir() {
            return Err(format!("{} is not a directory", dir.display()));
        }
        let counter = progress::counter();
        let mut files = Vec::new();
        // The order is fixed, so that the same tree always gives the same report.
        for entry in WalkDir::new(&root).follow_links(false).sort_by_file_name() {
            match entry.and_then(source).transpose() {
                Some(Ok(source)) => {
                    files.push(source);
                    counter.inc(1);
                }
                Some(Err(error)) => progress::skipped(&counter, &reason(&error)),
                None => {}
            }
        }
        counter.finish_and_clear();
        if files.is_empty() {
            return Err(format!("no Rust sources (*.rs) below {}", dir.display()));
        }
        Ok(Self { root, files })
    }

    /// The path of a file relative to the root.
    pub(crate) fn relative<'a>(&self, source: &'a Source) -> &'a Path {
        source.path.strip_prefix(&self.root).unwrap_or(&source.path)
    }
}

/// The directory into which cargo unpacks the sources of dependencies.
fn registry() -> Option<PathBuf> {
    let cargo = env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| Some(env::home_dir()?.join(".cargo")))?;
    Some(cargo.join("registry").join("src"))
}

/// Makes a source of this directory entry, if it is one.
fn source(entry: DirEntry) -> walkdir::Result<Option<Source>> {
    if !entry.file_type().is_file() || entry.path().extension().is_none_or(|extension| extension != "rs") {
        return Ok(None);
    }
    let metadata = entry.metadata()?;
    // A few systems have no modification times. On them, only the size distinguishes versions of a file.
    let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    Ok(Some(Source { size: metadata.len(), modified, path: entry.into_path() }))
}

fn reason(error: &walkdir::Error) -> String {
    match (error.path(), error.io_error()) {
        (Some(path), Some(error)) => format!("{}: {error}", path.display()),
        _ => error.to_string(),
    }
}

impl fmt::Display for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files = plural(self.files.len(), "Rust source", "Rust sources");
        let bytes = HumanBytes(self.files.iter().map(|source| source.size).sum());
        write!(f, "{files}, {bytes}, below {}", self.root.display())
    }
}

pub(crate) fn plural(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn only_files_that_end_in_rs_count() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("directory.rs")).unwrap();
        for file in ["a.rs", "directory.rs/b.rs", "c.txt", "rs"] {
            fs::write(dir.path().join(file), "x").unwrap();
        }
        let found = Sources::find(Some(dir.path())).unwrap();
        let names: Vec<_> = found.files.iter().map(|source| found.relative(source)).collect();
        assert_eq!(names, [Path::new("a.rs"), Path::new("directory.rs/b.rs")]);
    }

    #[test]
    fn a_directory_without_sources_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "x").unwrap();
        let refusal = |dir: &Path| Sources::find(Some(dir)).unwrap_err();
        assert!(refusal(dir.path()).starts_with("no Rust sources (*.rs) below "));
        assert!(refusal(&file).ends_with("file is not a directory"));
        assert!(refusal(&dir.path().join("missing")).starts_with("cannot look at "));
    }
}
