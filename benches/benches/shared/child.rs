//! Other processes: this bench again, with a task. They talk in lines of numbers.

use std::env;
use std::io::{BufRead, BufReader, Lines, Write as _};
use std::path::{Path, PathBuf};
use std::process::{self, ChildStdout, Command, Stdio};
use std::time::Duration;

use twat_cache_benches::{Latencies, Until};

/// The first argument of a process that has a task.
const CHILD: &str = "--child";

/// What a process should do that the bench has started.
pub(crate) struct Task {
    pub(crate) role: String,
    pub(crate) dir: PathBuf,
    pub(crate) numbers: Vec<u64>,
}

impl Task {
    /// `None` in the process that Cargo has started.
    pub(crate) fn given() -> Option<Self> {
        let mut args = env::args().skip(1);
        if args.next()? != CHILD {
            return None;
        }
        let (role, dir) = (args.next()?, args.next()?.into());
        let numbers = args.map(|number| number.parse().expect("it is a number")).collect();
        Some(Self { role, dir, numbers })
    }

    /// Waits until the bench says that all go on.
    pub(crate) fn wait() {
        say(&[]);
        std::io::stdin().lines().next();
    }
}

/// Says numbers to the bench.
pub(crate) fn say(numbers: &[f64]) {
    let numbers: Vec<_> = numbers.iter().map(ToString::to_string).collect();
    println!("{}", numbers.join(" "));
}

/// Another process. It is killed when this is dropped.
pub(crate) struct Child {
    process: process::Child,
    said: Lines<BufReader<ChildStdout>>,
}

impl Child {
    pub(crate) fn start(role: &str, dir: &Path, numbers: &[u64]) -> Self {
        let mut command = Command::new(env::current_exe().expect("it is this program"));
        command.args([CHILD, role]).arg(dir).args(numbers.iter().map(ToString::to_string));
        let started = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut process = started.expect("a process can be started");
        let said = BufReader::new(process.stdout.take().expect("it is piped")).lines();
        Self { process, said }
    }

    /// Waits for what it says next.
    pub(crate) fn hear(&mut self) -> Vec<f64> {
        let line = self.said.next().expect("the child has failed").expect("it is a line");
        line.split_whitespace().map(|number| number.parse().expect("it is a number")).collect()
    }

    /// Waits for its end.
    pub(crate) fn finish(mut self) {
        assert!(self.process.wait().expect("it was started").success(), "the child has failed");
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Waits until all children wait, and lets them go on. Gives what each says then.
pub(crate) fn next_step(children: &mut [Child]) -> Vec<Vec<f64>> {
    for child in &mut *children {
        child.hear();
    }
    for child in &mut *children {
        let stdin = child.process.stdin.as_mut().expect("it is piped");
        stdin.write_all(b"\n").expect("the child has not failed");
    }
    children.iter_mut().map(Child::hear).collect()
}

/// The times of many operations, in microseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    pub(crate) mean: f64,
    pub(crate) median: f64,
    /// 99 % are shorter.
    pub(crate) long: f64,
    pub(crate) worst: f64,
}

impl Times {
    /// Runs an operation for each number below `count`.
    pub(crate) fn measure(count: u64, operate: impl Fn(u64) + Sync) -> Self {
        let begin = std::time::Instant::now();
        let latencies = Latencies::measure(1, Until::Count(count), operate);
        Self::of(&latencies, begin.elapsed())
    }

    pub(crate) fn of(latencies: &Latencies, took: Duration) -> Self {
        let micros = |time: Duration| time.as_secs_f64() * 1e6;
        let count = u32::try_from(latencies.total()).unwrap_or(u32::MAX).max(1);
        Self {
            mean: micros(took) / f64::from(count),
            median: micros(latencies.all_but_one_of(2)),
            long: micros(latencies.all_but_one_of(100)),
            worst: micros(latencies.worst()),
        }
    }

    pub(crate) fn to_numbers(self) -> [f64; 4] {
        [self.mean, self.median, self.long, self.worst]
    }

    pub(crate) fn from_numbers(numbers: &[f64]) -> Self {
        Self { mean: numbers[0], median: numbers[1], long: numbers[2], worst: numbers[3] }
    }

    /// The means of what several processes have measured, and the worst of all.
    pub(crate) fn of_all(all: &[Vec<f64>]) -> Self {
        let count = f64::from(u32::try_from(all.len()).unwrap_or(u32::MAX));
        let mean = |place: usize| all.iter().map(|numbers| numbers[place]).sum::<f64>() / count;
        let worst = all.iter().map(|numbers| numbers[3]).fold(0.0, f64::max);
        Self { mean: mean(0), median: mean(1), long: mean(2), worst }
    }

    /// For a table.
    pub(crate) fn columns(self) -> [String; 4] {
        self.to_numbers().map(|time| format!("{time:.1}"))
    }
}
