//! Scenario 18: killed at any moment.

use std::path::Path;
use std::time::Duration;

use twat_cache_core::testing::child::{Child, Task};
use twat_cache_core::testing::files::Files;
use twat_cache_core::testing::kills::{BATCH, until_killed};
use twat_cache_core::testing::{Random, soak};

use super::cell::{Amount, Cell, Fault, Rule};
use super::kind_of_child;
use super::session::Session;
use super::wrappers::{Kind, Limits, ROOM};

const KEYS: u64 = 10;

pub(crate) fn faults() -> Vec<Fault> {
    let fault = |name, run: fn(&mut Cell), rule| Fault { scenario: 18, name, keys: KEYS, run: Box::new(run), rule };
    vec![
        fault("killed while it is made", creating, |kind| match kind {
            // An incomplete file cannot be distinguished from a damaged one.
            Kind::Disk | Kind::UnifiedDisk => {
                Rule { instead: "a new one is made", ..Rule::new(Amount::AtMost(10), Amount::AtMost(1)) }
            }
            _ => rule(kind),
        }),
        fault("killed while it stores", |cell| in_one_directory(cell, ROOM), rule),
        // 32 of the 200 that each child stores.
        fault("killed while it evicts", |cell| in_one_directory(cell, 256 << 10), rule),
    ]
}

fn rule(kind: Kind) -> Rule {
    // A kill is no damage.
    Rule::new(if kind == Kind::Memory { Amount::Exactly(10) } else { Amount::AtMost(10) }, Amount::Exactly(0))
}

/// Where the first batch begins.
const START: u64 = 112;

#[test]
fn child_that_is_killed() {
    let Some(mut task) = Task::given() else { return };
    task.say("begun");
    let order = task.order().unwrap();
    let (start, max_bytes) = order.split_once(' ').unwrap();
    let (start, max_bytes): (u64, u64) = (start.parse().unwrap(), max_bytes.parse().unwrap());
    let session = Session::limited(kind_of_child(), &task.dir, Limits { max_bytes, ..Limits::default() });
    until_killed(&mut task, start, |key, random| {
        session.call_all(key..key + 1);
        match random.below(32) {
            0 => drop(session.wrapper.forget(key - random.below(16)).unwrap()),
            1 => drop(session.wrapper.refresh(key)),
            2 if random.below(64) == 0 => session.wrapper.clear().unwrap(),
            _ => {}
        }
    });
}

fn creating(cell: &mut Cell) {
    let mut random = Random(1);
    // About as long as it takes to make one.
    let longest = if cell.kind.has_database() { 30_000 } else { 6000 };
    for round in 0..soak("TWAT_CACHE_TEST_ROUNDS", 4) {
        let dir = cell.dir.join(round.to_string());
        let mut child = Child::start("kills::child_that_is_killed", &dir);
        child.hear();
        child.tell(format_args!("{START} {ROOM}"));
        // What is random here is the time of the kill.
        child.kill_in(Duration::from_micros(random.below(longest)));
        inspect(cell, round, &dir, ROOM, START);
    }
}

/// Each child opens the cache that the children before it have left.
fn in_one_directory(cell: &mut Cell, max_bytes: u64) {
    let mut random = Random(max_bytes);
    let dir = cell.dir.clone();
    for round in 0..soak("TWAT_CACHE_TEST_ROUNDS", 4) {
        let start = START + round * BATCH;
        let mut child = Child::start("kills::child_that_is_killed", &dir);
        child.tell(format_args!("{start} {max_bytes}"));
        child.hear();
        let last = (0..=random.below(12)).filter_map(|_| child.hear()?.parse().ok()).last();
        child.kill();
        inspect(cell, round, &dir, max_bytes, last.expect("it has stored something"));
    }
}

/// Opens the cache that was left, reads all entries, and uses the last ones.
fn inspect(cell: &mut Cell, round: u64, dir: &Path, max_bytes: u64, last: u64) {
    let case = format!("round {round}");
    let session = Session::limited(cell.kind, dir, Limits { max_bytes, ..Limits::default() });
    let keys = last + 1 - KEYS..last + 1;
    (0..2).for_each(|_| session.call_all(keys.clone()));
    // Only now: what has been looked at is not the first to be evicted.
    session.peek_all(0..last + BATCH);
    let seen = session.end();
    let was_replaced = !seen.warnings.is_empty();
    cell.check(&case, &seen);
    cell.is_healed(&case, dir, keys);
    // A cache in memory has not even made the directory.
    let left = if dir.exists() { Files::read(dir).paths() } else { Vec::new() };
    let is_left_over = |path: &Path| path.iter().any(|part| part == "tmp");
    let left: Vec<_> = left.into_iter().filter(|path| is_left_over(path)).collect();
    cell.expect(left.is_empty(), &case, format_args!("left over: {left:?}"));
    cell.expect(was_replaced || !Kind::has_replaced(dir), &case, "replaced without a word");
}
