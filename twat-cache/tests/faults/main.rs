//! Every fault, with every wrapper: scenarios 18 to 21 and 31. The required outcomes are a table, which is also in the docs.
//!
//! Each cell is a separate process. So a crash or a hang fails only its own cell, and other side effects, such as child
//! processes, do not disturb other cells.
#![cfg(target_os = "linux")]

mod cell;
mod damage;
mod kills;
mod moved;
mod processes;
mod session;
mod stopped;
mod strangers;
mod system;
mod table;
mod wrappers;

use std::collections::BTreeMap;
use std::io::{Read, Seek};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use cell::{Cell, Fault, Seen};
use twat_cache_core::testing::child::{Child, Task};
use twat_cache_core::testing::{record_logs, soak, volatile_dir, within};
use wrappers::Kind;

fn faults() -> Vec<Fault> {
    let faults = [
        kills::faults(),
        damage::faults(),
        system::faults(),
        processes::faults(),
        stopped::faults(),
        strangers::faults(),
        moved::faults(),
    ];
    faults.into_iter().flatten().collect()
}

/// Which wrapper and which fault a child is for: their places in the lists.
const KIND: &str = "TWAT_CACHE_TEST_WRAPPER";
const FAULT: &str = "TWAT_CACHE_TEST_FAULT";

/// The value that the parent has set, or 0.
fn place(variable: &str) -> usize {
    usize::try_from(soak(variable, 0)).unwrap()
}

fn kind_of_child() -> Kind {
    Kind::ALL[place(KIND)]
}

#[test]
fn child_with_a_fault() {
    let Some(task) = Task::given() else { return };
    record_logs();
    let (kind, dir) = (kind_of_child(), task.dir.clone());
    let fault = place(FAULT);
    // The limit is in the child, so that a hanging child ends. Soak runs get the time that they are told to take.
    let more = soak("TWAT_CACHE_TEST_SECONDS", 0) + 2 * soak("TWAT_CACHE_TEST_ROUNDS", 0);
    let limit = Duration::from_secs(60 + more + 60 * soak("TWAT_CACHE_TEST_PLACES", 0));
    let seen = within(limit, move || {
        let fault = &faults()[fault];
        let mut cell = Cell { kind, dir, rule: (fault.rule)(kind), seen: Seen::default() };
        (fault.run)(&mut cell);
        cell.seen
    });
    seen.tell(&task);
}

/// Makes the fault in a separate process.
fn what_comes_of(fault: &Fault, number: usize, kind: Kind) -> Seen {
    // What is done hundreds of times need not reach a disk; what is done to a file system is done to a real one.
    let dir = if fault.scenario == 20 { tempfile::tempdir().unwrap() } else { volatile_dir() };
    // Engines panic over damage, which is caught. Their messages are shown only if it is not.
    let mut noise = tempfile::tempfile().unwrap();
    let child = Child::start_with("child_with_a_fault", dir.path(), |binary| {
        let mut command = Command::new(binary);
        command.env(KIND, (kind as usize).to_string()).env(FAULT, number.to_string()).env("RUST_BACKTRACE", "0");
        command.stderr(noise.try_clone().unwrap());
        command
    });
    let said = catch_unwind(AssertUnwindSafe(|| child.finish())).unwrap_or_default();
    Seen::told(&said).unwrap_or_else(|| {
        noise.rewind().unwrap();
        let mut text = Vec::new();
        noise.read_to_end(&mut text).unwrap();
        let complaints = vec![format!("its process failed: {}", String::from_utf8_lossy(&text))];
        Seen { cases: 1, complaints, ..Seen::default() }
    })
}

#[test]
fn whatever_happens_to_whichever_wrapper_its_values_are_right_and_it_heals() {
    let count = faults().len();
    let mut jobs: Vec<_> = (0..count).flat_map(|fault| Kind::ALL.map(|kind| (fault, kind))).collect();
    // The slow ones are at the end of the list, and start first.
    jobs.reverse();
    let (next, outcomes) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    thread::scope(|scope| {
        for _ in 0..=thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                let faults = faults();
                while let Some((fault, kind)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let seen = what_comes_of(&faults[*fault], *fault, *kind);
                    outcomes.lock().unwrap().insert((*fault, *kind as usize), seen);
                }
            });
        }
    });
    let (faults, outcomes) = (faults(), outcomes.into_inner().unwrap());
    let mut failures = Vec::new();
    for ((fault, kind), Seen { cases, computed, warnings, complaints }) in &outcomes {
        let cell = format!("{}, {}", Kind::ALL[*kind].name(), faults[*fault].name);
        println!("{cell}: {cases} cases, up to {computed} computed, up to {warnings} warnings");
        if *cases == 0 {
            eprintln!("skipped: {cell}");
        }
        failures.extend(complaints.iter().map(|complaint| format!("{cell}: {complaint}")));
    }
    let table = table::rendered(&faults, |fault, kind| outcomes[&(fault, kind)].complaints.is_empty());
    println!("{table}");
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
    table::compare(&table, outcomes.values().all(|seen| seen.cases > 0));
}
