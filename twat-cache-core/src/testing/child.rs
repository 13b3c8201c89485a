//! Real other processes: this test binary again, running one of its own tests.
//!
//! A test that is to run in another process begins with `let Some(task) = Task::given() else { return };`, so that it does
//! nothing when `cargo test` runs it. The two processes talk in lines.

use std::ffi::OsStr;
use std::fmt::Display;
use std::io::{BufRead, BufReader, Lines, Write};
use std::path::{Path, PathBuf};
use std::process::{self, Command, Stdio};
use std::time::{Duration, Instant};

/// What a test should do that was started as another process.
#[derive(Debug)]
pub struct Task {
    /// The directory that the parent has given.
    pub dir: PathBuf,
    orders: Lines<std::io::StdinLock<'static>>,
    voice: std::io::Stdout,
}

const DIR: &str = "TWAT_CACHE_TEST_CHILD";
/// Sets what a child says apart from what the test harness does.
const MARK: &str = "@ ";

impl Task {
    /// `None` if this process was not started by [`Child`], but by `cargo test`.
    pub fn given() -> Option<Self> {
        let dir = std::env::var_os(DIR)?.into();
        Some(Self { dir, orders: std::io::stdin().lines(), voice: std::io::stdout() })
    }

    /// Waits for the parent's next order; `None` when the parent is gone, or lets this process end.
    pub fn order(&mut self) -> Option<String> {
        self.orders.next()?.ok()
    }

    /// Says a line to the parent.
    pub fn say(&self, what: impl Display) {
        // On a line of its own: the harness leaves one unfinished. A parent that is gone need not hear it.
        let _ = writeln!(&self.voice, "\n{MARK}{what}");
    }

    /// Says several lines to the parent.
    pub fn say_all(&self, what: impl IntoIterator<Item = impl Display>) {
        what.into_iter().for_each(|what| self.say(what));
    }

    /// What [`Child::with`] has set.
    pub fn value(&self, variable: &str) -> String {
        std::env::var(variable).expect("the parent sets it")
    }
}

/// Another process, which is killed when this is dropped.
#[derive(Debug)]
pub struct Child {
    process: process::Child,
    said: Lines<BufReader<process::ChildStdout>>,
}

impl Child {
    /// Runs the test of this name, with this directory as its task.
    pub fn start(test: &str, dir: &Path) -> Self {
        Self::start_with(test, dir, |binary| Command::new(binary))
    }

    /// As [`start`](Self::start), with these environment variables.
    pub fn with<const N: usize>(test: &str, dir: &Path, variables: [(&str, &dyn Display); N]) -> Self {
        Self::start_with(test, dir, |binary| {
            let mut command = Command::new(binary);
            command.envs(variables.map(|(name, value)| (name, value.to_string())));
            command
        })
    }

    /// As [`start`](Self::start), after this command of a shell: `ulimit -n 10`, for example.
    pub fn after(setup: &str, test: &str, dir: &Path) -> Self {
        let script = format!("{setup}; exec \"$0\" \"$@\"");
        Self::start_with(test, dir, |binary| command("sh", [OsStr::new("-c"), script.as_ref(), binary.as_ref()]))
    }

    /// As [`start`](Self::start), by a command that is made for the binary.
    pub fn start_with(test: &str, dir: &Path, command: impl FnOnce(&Path) -> Command) -> Self {
        let mut command = command(&std::env::current_exe().unwrap());
        command.args(["--exact", test, "--nocapture", "--test-threads=1"]).env(DIR, dir);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let said = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process, said }
    }

    /// Gives it an order.
    pub fn tell(&mut self, order: impl Display) {
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

    /// Waits for the number that it says next.
    pub fn hear_number(&mut self) -> u64 {
        self.hear().expect("the child has failed").parse().unwrap()
    }

    /// Sends SIGKILL, and waits until it is gone.
    pub fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Kills it in this time, which is too short to sleep.
    pub fn kill_in(self, time: Duration) {
        let begun = Instant::now();
        while begun.elapsed() < time {
            std::hint::spin_loop();
        }
        self.kill();
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

/// A program with its arguments.
pub fn command(program: &str, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
    let mut command = Command::new(program);
    command.args(args);
    command
}
