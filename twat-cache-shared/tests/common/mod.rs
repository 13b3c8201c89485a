//! What several tests use that start other processes.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part of it")]

pub mod numbers;
pub mod truth;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use twat_cache_core::testing::child::Child;
use twat_cache_core::testing::system::run;

/// No test takes longer, except those that run for a given time.
pub const LIMIT: Duration = Duration::from_secs(60);

/// The files of a database, and those beside it that all processes use.
pub const NAME: &str = "entries-1.db";
pub const LOG: &str = "entries-1.db-wal";
pub const INDEX: &str = "entries-1.db-shm";
pub const META: &str = "meta-1";

/// Starts a test of this name as another process, which is ready when this returns.
pub fn start(test: &str, dir: &Path) -> Child {
    let mut child = Child::start(test, dir);
    assert_eq!(child.hear().as_deref(), Some("ready"));
    child
}

/// Sends a signal to a process.
pub fn signal(signal: &str, process: u64) {
    assert!(run("sh", &[&"-c", &format!("kill -{signal} {process}")]));
}

/// Gives an order, and returns the answer.
pub fn ask(child: &mut Child, order: impl std::fmt::Display) -> String {
    child.tell(order);
    child.hear().expect("the child has failed")
}

/// The numbers of the databases in a cache directory, in order.
pub fn numbers(dir: &Path) -> Vec<u64> {
    let entries = fs::read_dir(dir.join("scache")).unwrap().map(Result::unwrap);
    let mut numbers: Vec<u64> = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    numbers.sort_unstable();
    numbers
}

/// The directory of the latest database in a cache directory.
pub fn database(dir: &Path) -> PathBuf {
    dir.join("scache").join(numbers(dir).last().unwrap().to_string())
}

/// How long the log of the latest database is, in bytes.
pub fn log_length(dir: &Path) -> u64 {
    fs::metadata(database(dir).join(LOG)).map_or(0, |log| log.len())
}
