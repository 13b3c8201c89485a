//! Scenario 21: another process is stopped, and does not go on.

use std::path::Path;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use twat_cache_core::testing::child::{Child, Task};
use twat_cache_core::testing::kills::until_killed;
use twat_cache_core::testing::system::run;
use twat_cache_core::testing::{PATIENCE, Random, soak, within};

use super::cell::{Amount, Cell, Fault, Rule};
use super::kind_of_child;
use super::session::{Session, twice, value};
use super::wrappers::{Kind, Limits};
use Amount::{AtMost, Exactly};

const KEYS: u64 = 12;

pub(crate) fn faults() -> Vec<Fault> {
    let fault = |name, run: fn(&mut Cell), rule| Fault { scenario: 21, name, keys: KEYS, run: Box::new(run), rule };
    vec![
        fault("another process is stopped while it makes it", making, |kind| match kind {
            Kind::Memory => Rule::new(Exactly(12), Exactly(0)),
            _ => Rule::new(AtMost(12), AtMost(1)),
        }),
        fault("another process is stopped while it stores", storing, |kind| match kind {
            Kind::Memory => Rule::new(Exactly(12), Exactly(0)),
            Kind::Disk | Kind::UnifiedDisk => Rule::instead(Exactly(12), "memory"),
            // Its entries are of other keys.
            _ => Rule::new(Exactly(12), AtMost(1)),
        }),
        fault("another process is stopped while it computes one of the results", computing, |kind| match kind {
            Kind::Disk | Kind::UnifiedDisk => Rule::instead(Exactly(12), "memory"),
            _ => Rule::new(Exactly(12), Exactly(0)),
        }),
    ]
}

/// Where the keys of the child begin.
const START: u64 = 112;

#[test]
fn child_that_is_stopped() {
    let Some(mut task) = Task::given() else { return };
    task.say(std::process::id());
    let session = Session::open(kind_of_child(), &task.dir);
    until_killed(&mut task, START, |key, _| session.call_all(key..key + 1));
}

#[test]
fn child_that_is_stopped_while_it_computes() {
    let Some(mut task) = Task::given() else { return };
    let meeting = Arc::new(Barrier::new(2));
    let inside = meeting.clone();
    let function = move |key: &u64| {
        // It has begun, and may end.
        for _ in 0..2 {
            inside.wait();
        }
        value(*key)
    };
    let wrapper = kind_of_child().open(&task.dir, Limits::default(), Box::new(function));
    thread::scope(|scope| {
        scope.spawn(|| wrapper.call(0));
        meeting.wait();
        task.say(std::process::id());
        task.order();
        meeting.wait();
    });
}

fn making(cell: &mut Cell) {
    let mut random = Random(1);
    for nth in 0..soak("TWAT_CACHE_TEST_ROUNDS", 4) {
        let dir = cell.dir.join(nth.to_string());
        let mut child = Child::start("stopped::child_that_is_stopped", &dir);
        let process = child.hear_number();
        // About as long as it takes to make one.
        thread::sleep(Duration::from_micros(random.below(10_000)));
        while_stopped(cell, nth, &dir, (process, child));
    }
}

fn storing(cell: &mut Cell) {
    let mut random = Random(2);
    for nth in 0..soak("TWAT_CACHE_TEST_ROUNDS", 4) {
        let dir = cell.dir.join(nth.to_string());
        let mut child = Child::start("stopped::child_that_is_stopped", &dir);
        let process = child.hear_number();
        (0..=random.below(8)).for_each(|_| drop(child.hear()));
        thread::sleep(Duration::from_micros(random.below(500)));
        while_stopped(cell, nth, &dir, (process, child));
    }
}

fn computing(cell: &mut Cell) {
    let dir = cell.dir.clone();
    let mut child = Child::start("stopped::child_that_is_stopped_while_it_computes", &dir);
    let process = child.hear_number();
    while_stopped(cell, 0, &dir, (process, child));
}

/// Uses the cache while the child is stopped, and after it has gone on to its end.
fn while_stopped(cell: &mut Cell, nth: u64, dir: &Path, (process, child): (u64, Child)) {
    let case = format!("round {nth}");
    let signal = |name: &str| assert!(run("sh", &[&"-c", &format!("kill -{name} {process}")]));
    signal("STOP");
    let (kind, root) = (cell.kind, dir.to_owned());
    let seen = within(PATIENCE, move || {
        let session = Session::open(kind, &root);
        // How long others are waited for depends on how long the computations take that this process knows of.
        session.call_all(1..KEYS);
        twice(session, 0..KEYS)
    });
    cell.check(&case, &seen);
    signal("CONT");
    child.finish();
    cell.expect(!Kind::has_replaced(dir), &case, "a process that has stopped is no damage");
    cell.recovers(&case, dir, 0..KEYS);
}
