//! The program is a process of its own, as for a user, and starts its services from this test binary.

use std::process::Command;

use twat_cache_core::testing::child::{Child, Task, command};
use twat_cache_core::testing::{Server, volatile_dir};

use crate::{notice, report, run, serve};

const SERVES: &str = "SERVES";

/// The service, if the program has started it.
#[test]
fn service() {
    if std::env::var_os(SERVES).is_some() {
        serve().unwrap();
    }
}

/// The program, which says what it would print.
#[test]
fn program() {
    let Some(task) = Task::given() else { return };
    let binary = std::env::current_exe().unwrap();
    let steps = run(|| {
        let mut service = command(binary.to_str().unwrap(), ["--exact", "tests::service", "--nocapture"]);
        service.env(SERVES, "1");
        service
    });
    task.say_all(steps.unwrap().iter().map(|step| step.computations));
    task.say(report::memo().describe());
    task.say_all(notice());
}

/// Runs the program with this server.
fn figures(url: Option<&str>) -> Vec<String> {
    let dir = volatile_dir();
    let child = Child::start_with("tests::program", dir.path(), |binary| {
        let mut command = Command::new(binary);
        match url {
            Some(url) => command.env("TWAT_CACHE_SERVER", url),
            None => command.env_remove("TWAT_CACHE_SERVER"),
        };
        command
    });
    child.finish()
}

#[test]
fn a_stampede_to_two_processes_makes_one_computation() {
    let Some(server) = Server::start() else { return };
    for _ in 0..2 {
        let figures = figures(Some(&server.url()));
        assert_eq!(figures[..3], ["1", "0", "1"]);
        assert!(figures[3].contains("the server at"), "{figures:?}");
    }
}

#[test]
fn without_a_server_each_process_computes_for_itself() {
    let figures = figures(None);
    assert_eq!(figures[..4], ["2", "0", "1", "memory"]);
    assert!(figures[4].contains("$TWAT_CACHE_SERVER names no server"), "{figures:?}");
}
