//! Scenario 20: the system refuses something to a cache.

use std::fs;
use std::path::Path;
use std::time::Duration;

use twat_cache_core::ManualClock;
use twat_cache_core::testing::child::{Child, Task};
use twat_cache_core::testing::obstacles::THEIRS;
use twat_cache_core::testing::system::{Disk, Frozen, run};

use super::cell::{Amount, Cell, Fault, Rule};
use super::kind_of_child;
use super::session::{Round, Session, round, twice};
use super::wrappers::{Kind, Limits};
use Amount::{AtMost, Exactly};

pub(crate) fn faults() -> Vec<Fault> {
    let fault = |name, keys, run: fn(&mut Cell), rule: fn(Kind) -> Rule| Fault {
        scenario: 20,
        name,
        keys,
        run: Box::new(run),
        rule,
    };
    vec![
        fault("its directory cannot be created", 20, in_the_way, |kind| match kind {
            Kind::Memory => untouched(20),
            _ => Rule::instead(Exactly(20), "memory"),
        }),
        fault("its directory is read-only, and has 20 of the results", 30, read_only, |kind| match kind {
            Kind::Memory => untouched(30),
            // Its engine cannot open a database then.
            Kind::Disk | Kind::UnifiedDisk => Rule::instead(Exactly(30), "memory"),
            // What is there can be read.
            _ => Rule::instead(Exactly(10), "memory"),
        }),
        fault("its directory becomes read-only after 10", 20, becomes_read_only, |kind| match kind {
            Kind::Memory => untouched(20),
            // The ten unreachable results are computed once more.
            Kind::Disk => Rule::instead(AtMost(30), "memory"),
            _ => Rule::instead(Exactly(20), "memory"),
        }),
        fault("the disk is full from the start", 20, full_from_the_start, |kind| match kind {
            Kind::Memory => untouched(20),
            _ => Rule::instead(Exactly(20), "memory"),
        }),
        fault("the disk fills up", 400, fills_up, |kind| match kind {
            Kind::Memory => untouched(400),
            // The unreachable results are computed once more.
            Kind::Disk => Rule::instead(AtMost(800), "memory"),
            _ => Rule::instead(Exactly(400), "memory"),
        }),
        fault("another process has it open, and made 10 of the results", 20, taken, |kind| match kind {
            Kind::Memory => untouched(20),
            Kind::Disk | Kind::UnifiedDisk => Rule::instead(Exactly(20), "memory"),
            // Any number of processes share them.
            _ => Rule::new(Exactly(10), Exactly(0)),
        }),
        fault("too many files are open, and there are all results", 20, too_many_files, |kind| match kind {
            Kind::Memory => untouched(20),
            _ => Rule::new(AtMost(20), AtMost(1)),
        }),
        fault("the clock jumps by a day, forth and back", 20, clock_jumps, |_| untouched(20)),
    ]
}

fn untouched(keys: usize) -> Rule {
    Rule::new(Exactly(keys), Exactly(0))
}

fn in_the_way(cell: &mut Cell) {
    let file = cell.dir.join("file");
    fs::write(&file, THEIRS).unwrap();
    let dir = file.join("cache");
    cell.check(&"a file in the way", &round(cell.kind, &dir, 0..20));
    cell.expect(fs::read_to_string(&file).unwrap() == THEIRS, &"a file in the way", "somebody's file is lost");
    fs::remove_file(file).unwrap();
    cell.recovers(&"no file in the way any more", &dir, 0..20);
}

fn read_only(cell: &mut Cell) {
    let dir = cell.dir.clone();
    round(cell.kind, &dir, 0..20);
    {
        let Some(_frozen) = Frozen::freeze(&dir) else { return };
        cell.check(&"read-only", &round(cell.kind, &dir, 0..30));
    }
    cell.is_healed(&"not read-only any more", &dir, 0..20);
    cell.recovers(&"not read-only any more", &dir, 0..30);
}

fn becomes_read_only(cell: &mut Cell) {
    let dir = cell.dir.clone();
    let session = Session::open(cell.kind, &dir);
    session.call_all(0..10);
    {
        let Some(_frozen) = Frozen::freeze(&dir) else { return };
        // The system ends a process that writes to mapped memory whose file has become read-only.
        run("chattr", &[&"-i", &dir.join("scache/1/entries-1.db-shm")]);
        (0..3).for_each(|_| session.call_all(0..20));
        cell.check(&"read-only", &session.seen());
    }
    resumes(cell, session, 20);
    cell.recovers(&"not read-only any more", &dir, 0..20);
}

fn full_from_the_start(cell: &mut Cell) {
    let Some(disk) = Disk::mount(&cell.dir, 4) else { return };
    disk.fill(5);
    let dir = cell.dir.join("cache");
    let session = Session::open(cell.kind, &dir);
    (0..2).for_each(|_| session.call_all(0..20));
    cell.check(&"full", &session.seen());
    disk.make_room();
    resumes(cell, session, 20);
    cell.recovers(&"not full any more", &dir, 0..20);
    is_not_damaged(cell, &dir);
}

fn fills_up(cell: &mut Cell) {
    let Some(disk) = Disk::mount(&cell.dir, 8) else { return };
    disk.fill(6);
    let dir = cell.dir.join("cache");
    let session = Session::open(cell.kind, &dir);
    (0..3).for_each(|_| session.call_all(0..400));
    cell.check(&"full", &session.seen());
    disk.make_room();
    resumes(cell, session, 400);
    cell.recovers(&"not full any more", &dir, 380..400);
    is_not_damaged(cell, &dir);
}

fn is_not_damaged(cell: &mut Cell, dir: &Path) {
    cell.expect(!Kind::has_replaced(dir), &"afterwards", "it was taken for damaged");
}

/// When the fault is over, the same wrapper stores results in its backend again, and logs nothing more.
fn resumes(cell: &mut Cell, session: Session, key: u64) {
    let before = session.seen().warnings.len();
    session.until_kept(key);
    session.call_all(key..key + 1);
    let Round { wrong, warnings, .. } = session.end();
    let case = "when it is over";
    cell.expect(wrong == 0, &case, format_args!("{wrong} wrong values"));
    cell.expect(warnings.len() == before, &case, format_args!("{warnings:?}"));
}

#[test]
fn child_that_has_it_open() {
    let Some(mut task) = Task::given() else { return };
    let session = Session::open(kind_of_child(), &task.dir);
    session.call_all(0..10);
    task.say(session.computed.get());
    task.order();
}

fn taken(cell: &mut Cell) {
    let dir = cell.dir.clone();
    let mut child = Child::start("system::child_that_has_it_open", &dir);
    assert_eq!(child.hear().as_deref(), Some("10"));
    cell.check(&"taken", &round(cell.kind, &dir, 0..20));
    child.finish();
    // The output of the other process comes first.
    cell.recovers(&"not taken any more", &dir, 0..10);
    cell.recovers(&"not taken any more", &dir, 0..20);
}

#[test]
fn child_with_few_handles() {
    let Some(task) = Task::given() else { return };
    round(kind_of_child(), &task.dir, 0..20).tell(&task);
}

fn too_many_files(cell: &mut Cell) {
    let dir = cell.dir.clone();
    round(cell.kind, &dir, 0..20);
    for handles in [4, 5, 6, 7, 8, 9, 10, 12, 14, 17, 20] {
        let child = Child::after(&format!("ulimit -n {handles}"), "system::child_with_few_handles", &dir);
        // With fewer files, the program itself does not start.
        if let Some(seen) = Round::told(child.finish()) {
            cell.check(&format_args!("{handles} handles"), &seen);
        }
    }
    cell.is_healed(&"handles enough", &dir, 0..20);
}

/// What is of another day has expired, or is not from before now. Both are misses.
fn clock_jumps(cell: &mut Cell) {
    let dir = cell.dir.clone();
    let clocks = [(); 2].map(|()| ManualClock::new());
    let [today, tomorrow] = &clocks;
    tomorrow.advance(Duration::from_secs(24 * 60 * 60));
    let session = |clock: &ManualClock| {
        let limits = Limits { ttl: Duration::from_secs(60 * 60), clock: clock.clock(), ..Limits::default() };
        Session::limited(cell.kind, &dir, limits)
    };
    session(today).call_all(0..20);
    let rounds = [tomorrow, today].map(|clock| twice(session(clock), 0..20));
    for (case, seen) in ["forth", "back"].iter().zip(&rounds) {
        cell.check(case, seen);
    }
    cell.is_healed(&"afterwards", &dir, 0..20);
}
