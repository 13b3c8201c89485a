//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

pub(crate) const USAGE: &str = "\
Finds Rust sources (*.rs) that are nearly the same, and shows what remembering their signatures saves.

Usage: tour [DIR]

  DIR         looks below this directory; by default at the sources that cargo has unpacked on this
              machine, or at this workspace if there are none. Symbolic links are not followed.
  -h, --help  prints this";

/// What was asked for.
#[derive(Debug, PartialEq)]
pub(crate) enum Command {
    Help,
    /// Work below this directory, or below the default one.
    Work(Option<PathBuf>),
}

impl Command {
    /// Reads the arguments, without the program's name.
    pub(crate) fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Self, String> {
        let mut dir = None;
        let mut options = true;
        for argument in arguments {
            if argument.is_empty() {
                return Err("a directory needs a name".into());
            }
            // A directory may have any name, and any bytes in it; `--` lets it begin with a dash.
            if options && argument.as_encoded_bytes().starts_with(b"-") {
                match argument.to_str() {
                    Some("-h" | "--help") => return Ok(Self::Help),
                    Some("--") => options = false,
                    _ => return Err(format!("unknown option {}", argument.display())),
                }
            } else if let Some(other) = dir.replace(PathBuf::from(&argument)) {
                return Err(format!("one directory at a time, not {} and {}", other.display(), argument.display()));
            }
        }
        Ok(Self::Work(dir))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Command, String> {
        Command::parse(arguments.iter().map(OsString::from))
    }

    #[test]
    fn a_directory_is_optional_and_may_look_like_an_option() {
        assert_eq!(parse(&[]), Ok(Command::Work(None)));
        assert_eq!(parse(&["src"]), Ok(Command::Work(Some("src".into()))));
        assert_eq!(parse(&["--", "-h"]), Ok(Command::Work(Some("-h".into()))));
    }

    #[test]
    fn help_is_given_and_anything_else_refused() {
        assert_eq!(parse(&["src", "--help"]), Ok(Command::Help));
        assert_eq!(parse(&["--fast"]), Err("unknown option --fast".into()));
        assert_eq!(parse(&["a", "b"]), Err("one directory at a time, not a and b".into()));
        assert!(parse(&[""]).is_err());
    }
}
