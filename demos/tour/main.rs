//! A real job on real input: finds source files that are nearly the same.
//!
//! ```text
//! cargo run --release --example tour -- [--backend BACKEND] [DIR]
//! ```
//!
//! Every file gets a `MinHash` signature, which is slow to compute. The key of a cached signature is the file's path,
//! size and modification time. The job runs twice with each wrapper. A table shows the numbers of computations and
//! hits, and the time of a hit. Signatures on disk outlive the program, so the next run computes nothing for them. Read
//! `wrappers.rs` first.

mod command;
mod matrix;
mod pairs;
mod passes;
mod progress;
mod shingles;
mod signature;
mod sources;
mod table;
mod wrappers;

use std::env;
use std::io::{self, Write};
use std::process::ExitCode;

use twat_cache::Backend;

use crate::command::Command;
use crate::pairs::Pairs;
use crate::passes::run_pass;
use crate::sources::{Sources, plural};
use crate::table::Table;
use crate::wrappers::wrappers;

fn main() -> ExitCode {
    let command = match Command::parse(env::args_os().skip(1)) {
        Ok(command) => command,
        Err(message) => {
            eprintln!("tour: {message}\n\n{}", command::USAGE);
            return ExitCode::from(2);
        }
    };
    let mut out = io::stdout().lock();
    let done = match command {
        Command::Help => writeln!(out, "{}", command::USAGE).map_err(Into::into),
        Command::Work { dir, backend } => {
            Sources::find(dir.as_deref()).map_err(Into::into).and_then(|found| tour(&found, backend, &mut out))
        }
    };
    match done {
        Ok(()) | Err(Stop::ClosedPipe) => ExitCode::SUCCESS,
        Err(Stop::Because(message)) => {
            eprintln!("tour: {message}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the job twice with each wrapper and prints the report.
fn tour(found: &Sources, backend: Backend, out: &mut impl Write) -> Result<(), Stop> {
    writeln!(out, "{found}\n")?;

    let mut table = Table::default();
    let mut signed = Vec::new();
    let mut readable = Vec::new();
    let mut served = Vec::new();
    for wrapper in wrappers(found.files.len(), backend, None) {
        let first = run_pass(&wrapper, 1, &found.files);
        if first.signed.is_empty() {
            return Err(Stop::Because(format!("none of the files below {} can be read", found.root.display())));
        }
        // Errors are not cached. So the second pass leaves out unreadable files, which the first has reported.
        readable = first.signed.iter().map(|(source, _)| (*source).clone()).collect();
        let second = run_pass(&wrapper, 2, &readable);
        table.rows.extend([first.figures, second.figures]);
        signed = first.signed;
        served.push(format!("{}: {}", wrapper.name, (wrapper.describe)()));
    }
    // Computes the signatures of all files as one large result, which a view reads without a copy.
    let maker = matrix::maker(None);
    let mut matrix = None;
    for number in [1, 2] {
        match matrix::run_pass(&maker, number, &readable) {
            Ok((made, figures)) => {
                table.rows.push(figures);
                matrix = Some(made);
            }
            Err(error) => eprintln!("tour: there is no matrix of signatures: {error}"),
        }
    }
    served.push(format!("fcache: {}", maker.describe()));
    writeln!(out, "{table}\n{}\n", served.join("\n"))?;
    if let Some(matrix) = &matrix {
        writeln!(out, "{matrix}\n")?;
    }

    let pairs = Pairs::among(signed.iter().map(|(_, signature)| &**signature));
    let identical = plural(pairs.identical, "pair", "pairs");
    writeln!(out, "{identical} of identical signature; the most similar others:")?;
    if pairs.similar.is_empty() {
        writeln!(out, "    none")?;
    }
    for pair in &pairs.similar {
        let [left, right] = [pair.left, pair.right].map(|index| found.relative(signed[index].0).display());
        let similarity = matrix.as_ref().map_or(pair.similarity, |matrix| matrix.similarity(pair.left, pair.right));
        writeln!(out, "{:>6.1} %  {left}\n          {right}", similarity * 100.0)?;
    }
    Ok(())
}

/// Why the job ends early.
enum Stop {
    /// The reader of our output, such as `head`, has closed the pipe. That is not an error.
    ClosedPipe,
    Because(String),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::ClosedPipe;
        }
        Self::Because(format!("cannot write the report: {error}"))
    }
}

impl From<String> for Stop {
    fn from(message: String) -> Self {
        Self::Because(message)
    }
}
