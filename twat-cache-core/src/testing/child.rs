//! Real other processes: this test binary again, running one of its own tests.

#![allow(missing_docs, missing_debug_implementations, reason = "the names say it")]

use std::io::{BufRead, BufReader, Lines, Write};
use std::path::{Path, PathBuf};
use std::process::{self, Command, Stdio};

/// What the test should do that was started as another process: `None` if it was not, but by `cargo test`.
pub struct Task {
    pub dir: PathBuf,
    orders: Lines<std::io::StdinLock<'static>>,
    voice: std::io::Stdout,
}

const DIR: &str = "TWAT_CACHE_TEST_CHILD";
/// Sets what a child says apart from what the test harness does.
const MARK: &str = "@ ";

impl Task {
    pub fn given() -> Option<Self> {
        let dir = std::env::var_os(DIR)?.into();
        Some(Self { dir, orders: std::io::stdin().lines(), voice: std::io::stdout() })
    }

    /// Waits for the parent's next order; `None` when the parent is gone, or done with us.
    pub fn order(&mut self) -> Option<String> {
        self.orders.next()?.ok()
    }

    pub fn say(&self, what: impl std::fmt::Display) {
        // On a line of its own: the harness leaves one unfinished. Whoever does not listen any more need not hear it.
        let _ = writeln!(&self.voice, "\n{MARK}{what}");
    }
}

/// Another process, which is killed when this is dropped.
pub struct Child {
    process: process::Child,
    said: Lines<BufReader<process::ChildStdout>>,
}

impl Child {
    /// Runs the test of this name, with this directory as its task.
    pub fn start(test: &str, dir: &Path) -> Self {
        Self::start_with(test, dir, |binary| Command::new(binary))
    }

    /// As `start`, with a command made for the binary: through a shell, say, or with more variables.
    pub fn start_with(test: &str, dir: &Path, command: impl FnOnce(&Path) -> Command) -> Self {
        let mut command = command(&std::env::current_exe().unwrap());
        command.args(["--exact", test, "--nocapture", "--test-threads=1"]).env(DIR, dir);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let said = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process, said }
    }

    pub fn tell(&mut self, order: impl std::fmt::Display) {
        let orders = self.process.stdin.as_mut().unwrap();
        writeln!(orders, "{order}").unwrap();
    }

    /// Waits for what it says next; `None` when it has ended.
    pub fn hear(&mut self) -> Option<String> {
        loop {
            let line = self.said.next()?.ok()?;
            if let Some(said) = line.strip_prefix(MARK) {
                return Some(said.to_owned());
            }
        }
    }

    /// SIGKILL, and waits until it is gone.
    pub fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Lets it end, and gives what it still says.
    pub fn finish(mut self) -> Vec<String> {
        drop(self.process.stdin.take());
        let said = std::iter::from_fn(|| self.hear()).collect();
        let status = self.process.wait().unwrap();
        assert!(status.success(), "the child failed: {status}");
        said
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
