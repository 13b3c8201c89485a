//! Each run is a separate process, as for a user. In one process, the second run would find the pages in memory.

use std::path::Path;
use std::process::Command;

use tempfile::tempdir;
use twat_cache_core::testing::child::{Child, Task};

use crate::run;
use crate::server::PAGES;

/// Runs the program with this cache directory and returns the numbers of each step.
fn figures(dir: &Path, fresh: bool) -> Vec<String> {
    let mut child = Child::start_with("tests::a_second_run_makes_no_request", dir, |binary| {
        let mut command = Command::new(binary);
        command.env("TWAT_CACHE_DIR", dir);
        command
    });
    child.tell(if fresh { "fresh" } else { "as it is" });
    child.finish()
}

/// The test that the child process runs.
#[tokio::main]
async fn work(mut task: Task) {
    let fresh = task.order().as_deref() == Some("fresh");
    let report = run(fresh).await.unwrap();
    task.say(format!("remembered: {}", report.remembered));
    for step in &report.steps {
        let (calls, asked, computed) = (step.hits + step.misses, step.requests, step.computations);
        task.say(format!("{}: {calls} calls, {asked} requests, {computed} computations", step.name));
    }
    task.say(report.error.unwrap());
}

/// The expected `figures`, if this many pages are cached at the start.
fn expected(remembered: usize) -> Vec<String> {
    let all = PAGES;
    let (first, others) = if remembered == 0 { (1, all - 1) } else { (0, 0) };
    vec![
        format!("remembered: {remembered}"),
        format!("stampede: 100 calls, {first} requests, {first} computations"),
        format!("crawl: {all} calls, {others} requests, {others} computations"),
        format!("again: {all} calls, 0 requests, 0 computations"),
        // In every run, both calls send a request.
        "missing: 2 calls, 2 requests, 2 computations".to_owned(),
        "/nowhere: 404 Not Found".to_owned(),
    ]
}

#[test]
fn a_second_run_makes_no_request() {
    if let Some(task) = Task::given() {
        return work(task);
    }
    let dir = tempdir().unwrap();
    assert_eq!(figures(dir.path(), false), expected(0));
    assert_eq!(figures(dir.path(), false), expected(PAGES));
}

#[test]
fn a_fresh_run_asks_for_every_page_again() {
    let dir = tempdir().unwrap();
    for _ in 0..2 {
        assert_eq!(figures(dir.path(), true), expected(0));
    }
}
