//! Two processes at work in one directory: whoever reads a value, it is one that was computed for that key.
#![cfg(unix)]

mod common;

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use common::child::{Child, Task};
use common::files::Random;
use twat_cache_core::testing::Counter;
use twat_cache_disk::{Error, ErrorKind, bcache};

const KEYS: usize = 20;

/// Up to 64 KB; every eight bytes of it say whose it is.
fn is_of(value: &str, key: u64) -> bool {
    value.len().is_multiple_of(8) && value.as_bytes().chunks(8).all(|part| part == format!("{key:08}").as_bytes())
}

fn seconds() -> u64 {
    // A soak run takes as long as it is told to.
    std::env::var("TWAT_CACHE_TEST_SECONDS").map_or(3, |seconds| seconds.parse().unwrap())
}

/// One of the two has the database, and the other cannot forget what is in it.
fn is_told<T>(forgotten: Result<T, Error>) {
    assert!(forgotten.map_or_else(|error| error.kind() == ErrorKind::Locked, |_| true));
}

/// Four threads do anything to the hot keys until the time is up.
fn work(dir: &Path, seed: u64) {
    let until = Instant::now() + Duration::from_secs(seconds());
    let computed = Counter::new();
    let memo = bcache("hot").dir(dir).max_bytes(400 << 10).wrap(|key: &u64| {
        // Of another length each time.
        let length = Random(computed.count() as u64).below(8192);
        format!("{key:08}").repeat(length)
    });
    thread::scope(|scope| {
        for thread in 0..4 {
            let memo = &memo;
            scope.spawn(move || {
                let mut random = Random(seed * 10 + thread);
                // On a machine that is busy with something else, it takes longer.
                for calls in 0.. {
                    if calls >= 40 && Instant::now() >= until {
                        break;
                    }
                    let key = random.below(KEYS) as u64;
                    match random.below(40) {
                        0..30 => assert!(is_of(&memo.call(&key), key), "another key's value"),
                        30..34 => assert!(is_of(&memo.refresh(&key), key), "another key's value"),
                        34..37 => assert!(memo.peek(&key).unwrap().is_none_or(|value| is_of(&value, key))),
                        37..39 => is_told(memo.forget(&key)),
                        _ => is_told(memo.clear()),
                    }
                }
            });
        }
    });
}

#[test]
fn child_at_work() {
    let Some(task) = Task::given() else { return };
    work(&task.dir, u64::from(std::process::id()));
}

#[test]
fn two_processes_of_four_threads_only_ever_see_right_values() {
    let dir = tempfile::tempdir().unwrap();
    let children = [0, 1].map(|_| Child::start("child_at_work", dir.path()));
    for child in children {
        child.finish();
    }
    assert!(!dir.path().join("bcache.corrupt").exists());
}

/// Processes that come and go: each opens what the one before has left, or serves from memory.
#[test]
fn processes_that_come_and_go_hand_the_database_on() {
    let dir = tempfile::tempdir().unwrap();
    for round in 0..8 {
        let children = [0, 1, 2].map(|_| {
            Child::start_with("child_for_a_moment", dir.path(), |binary| {
                let mut command = std::process::Command::new(binary);
                command.env("ROUND", round.to_string());
                command
            })
        });
        let computed: Vec<usize> = children.map(|child| child.finish()[0].parse().unwrap()).to_vec();
        // Whoever had the database had the results of the rounds before.
        assert!(computed.iter().any(|computed| *computed <= 20), "round {round}: {computed:?}");
    }
    assert!(!dir.path().join("bcache.corrupt").exists());
}

#[test]
fn child_for_a_moment() {
    let Some(task) = Task::given() else { return };
    let round: u64 = std::env::var("ROUND").unwrap().parse().unwrap();
    let computed = Counter::new();
    let memo = bcache("handed on").dir(&task.dir).wrap(|key: &u64| {
        computed.count();
        key.to_string()
    });
    (0..20 * (round + 1)).for_each(|key| assert_eq!(memo.call(&key), key.to_string()));
    task.say(computed.get());
}
