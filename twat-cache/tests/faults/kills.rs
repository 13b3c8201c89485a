//! Scenario 18: killed at any moment.

use std::path::Path;
use std::time::{Duration, Instant};

use twat_cache_core::testing::child::{Child, Task};
use twat_cache_core::testing::files::{Files, Random};

use super::cell::{Amount, Cell, Fault, Rule, Session};
use super::wrappers::{Kind, ROOM};
use super::{kind_of_child, number_of};

const KEYS: u64 = 10;

pub(crate) const FAULTS: [Fault; 3] = [
    Fault { scenario: 18, name: "killed while it is made", keys: KEYS, run: creating, rule },
    Fault { scenario: 18, name: "killed while it stores", keys: KEYS, run: storing, rule },
    Fault { scenario: 18, name: "killed while it evicts", keys: KEYS, run: evicting, rule },
];

fn rule(kind: Kind) -> Rule {
    let all = Amount::Exactly(10);
    // A kill is no damage.
    Rule::new(if kind == Kind::Memory { all } else { Amount::AtMost(10) }, Amount::Exactly(0))
}

/// How many keys a child stores, if it comes that far.
const BATCH: u64 = 200;

#[test]
fn child_that_is_killed() {
    let Some(mut task) = Task::given() else { return };
    task.say("begun");
    let order = task.order().unwrap();
    let (start, max_bytes) = order.split_once(' ').unwrap();
    let (start, max_bytes): (u64, u64) = (start.parse().unwrap(), max_bytes.parse().unwrap());
    let session = Session::limited(kind_of_child(), &task.dir, max_bytes);
    let mut random = Random(start);
    for key in start..start + BATCH {
        session.call_all(key..key + 1);
        if key % 16 == 0 {
            task.say("another sixteen");
        }
        match random.below(32) {
            0 => drop(session.wrapper.forget(key - random.below(16) as u64).unwrap()),
            1 => drop(session.wrapper.refresh(key)),
            2 if random.below(16) == 0 => session.wrapper.clear().unwrap(),
            _ => {}
        }
    }
    // To be killed while nothing happens is an end like any other.
    task.order();
}

fn creating(cell: &mut Cell) {
    let mut random = Random(1);
    for round in 0..number_of("TWAT_CACHE_TEST_ROUNDS", 4) {
        let dir = cell.dir.join(round.to_string());
        let mut child = Child::start("kills::child_that_is_killed", &dir);
        child.hear();
        child.tell(format_args!("{} {ROOM}", 100));
        // It has nothing to say then: the moment of the kill is what is random here.
        let (begun, moment) = (Instant::now(), Duration::from_micros(random.below(30_000) as u64));
        while begun.elapsed() < moment {
            std::hint::spin_loop();
        }
        child.kill();
        inspect(cell, round, &dir, ROOM, 100);
    }
}

fn storing(cell: &mut Cell) {
    in_one_directory(cell, ROOM);
}

fn evicting(cell: &mut Cell) {
    // 32 of the 200 that each child stores.
    in_one_directory(cell, 256 << 10);
}

/// Each child meets what those before it have left.
fn in_one_directory(cell: &mut Cell, max_bytes: u64) {
    let mut random = Random(max_bytes);
    let dir = cell.dir.clone();
    for round in 0..number_of("TWAT_CACHE_TEST_ROUNDS", 4) {
        let start = 100 + round * BATCH;
        let mut child = Child::start("kills::child_that_is_killed", &dir);
        child.tell(format_args!("{start} {max_bytes}"));
        (0..random.below(13) + 2).for_each(|_| drop(child.hear()));
        child.kill();
        inspect(cell, round, &dir, max_bytes, start);
    }
}

/// Opens what was left, looks at all of it, and uses it.
fn inspect(cell: &mut Cell, round: u64, dir: &Path, max_bytes: u64, start: u64) {
    let case = format!("round {round}");
    let session = Session::limited(cell.kind, dir, max_bytes);
    session.peek_all(0..start + BATCH);
    let keys = start..start + KEYS;
    (0..2).for_each(|_| session.call_all(keys.clone()));
    cell.check(&case, &session.end());
    cell.is_healed(&case, dir, keys);
    let left = Files::read(&cell.dir).paths();
    let is_left_over = |path: &Path| path.iter().any(|part| part == "tmp" || part == "bcache.corrupt");
    let left: Vec<_> = left.into_iter().filter(|path| is_left_over(path)).collect();
    cell.expect(left.is_empty(), &case, format_args!("left over: {left:?}"));
}
