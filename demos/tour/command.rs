//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use twat_cache::Backend;

pub(crate) const USAGE: &str = "\
Finds Rust sources (*.rs) that are nearly the same, and shows what remembering their signatures saves.

Usage: tour [--backend BACKEND] [DIR]

  DIR         looks below this directory; by default at the sources that cargo has unpacked on this
              machine, or at this workspace if there are none. Symbolic links are not followed.
  --backend BACKEND
              what ucache keeps results in behind memory: auto (the default), memory, shared, disk or
              file.
  -h, --help  prints this";

/// A parsed command line.
#[derive(Debug, PartialEq)]
pub(crate) enum Command {
    Help,
    /// Runs the job on this directory, or on the default one.
    Work {
        dir: Option<PathBuf>,
        backend: Backend,
    },
}

impl Command {
    /// Reads the arguments, without the program's name.
    pub(crate) fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Self, String> {
        let (mut dir, mut backend) = (None, Backend::Auto);
        let mut options = true;
        let mut arguments = arguments;
        while let Some(argument) = arguments.next() {
            if argument.is_empty() {
                return Err("a directory needs a name".into());
            }
            // The name of a directory may have any bytes. After `--`, it may begin with a dash.
            if options && argument.as_encoded_bytes().starts_with(b"-") {
                match argument.to_str() {
                    Some("-h" | "--help") => return Ok(Self::Help),
                    Some("--") => options = false,
                    Some("--backend") => backend = named(arguments.next())?,
                    _ => return Err(format!("unknown option {}", argument.display())),
                }
            } else if let Some(other) = dir.replace(PathBuf::from(&argument)) {
                return Err(format!("one directory at a time, not {} and {}", other.display(), argument.display()));
            }
        }
        Ok(Self::Work { dir, backend })
    }
}

/// The backend of this name.
fn named(name: Option<OsString>) -> Result<Backend, String> {
    let name = name.unwrap_or_default();
    match name.to_str() {
        Some("auto") => Ok(Backend::Auto),
        Some("memory") => Ok(Backend::Memory),
        Some("shared") => Ok(Backend::Shared),
        Some("disk") => Ok(Backend::Disk),
        Some("file") => Ok(Backend::File),
        _ => Err(format!("--backend is auto, memory, shared, disk or file, not {:?}", name.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn work(dir: Option<&str>) -> Command {
        Command::Work { dir: dir.map(PathBuf::from), backend: Backend::Auto }
    }

    fn parse(arguments: &[&str]) -> Result<Command, String> {
        Command::parse(arguments.iter().map(OsString::from))
    }

    #[test]
    fn a_directory_is_optional_and_may_look_like_an_option() {
        assert_eq!(parse(&[]), Ok(work(None)));
        assert_eq!(parse(&["src"]), Ok(work(Some("src"))));
        assert_eq!(parse(&["--", "-h"]), Ok(work(Some("-h"))));
    }

    #[test]
    fn a_backend_is_one_of_five() {
        let chosen = Command::Work { dir: Some("src".into()), backend: Backend::File };
        assert_eq!(parse(&["--backend", "file", "src"]), Ok(chosen));
        assert!(parse(&["--backend", "tape"]).is_err());
        assert!(parse(&["--backend"]).is_err());
    }

    #[test]
    fn help_is_given_and_anything_else_refused() {
        assert_eq!(parse(&["src", "--help"]), Ok(Command::Help));
        assert_eq!(parse(&["--fast"]), Err("unknown option --fast".into()));
        assert_eq!(parse(&["a", "b"]), Err("one directory at a time, not a and b".into()));
        assert!(parse(&[""]).is_err());
    }
}
