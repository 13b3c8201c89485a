//! Six processes that use one database at random, and are killed and stopped at random. For a longer run:
//! `TWAT_CACHE_TEST_SECONDS=600 cargo test -p twat-cache-shared --test soak`.
#![cfg(target_os = "linux")]

mod common;

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use common::truth::{Board, KEYS, hot, memo, step};
use common::{INDEX, LOG, META, NAME, database, log_length, numbers, signal};
use twat_cache_core::testing::child::{Child, Task};
use twat_cache_core::testing::files::names;
use twat_cache_core::testing::{PATIENCE, Random, soak, volatile_dir};
use twat_cache_shared::{Store as _, scache};

const PROCESSES: u64 = 6;
const LIMIT: u64 = 100 << 10;

/// Two threads that go on until they are told to end. An error of a change is one that it has told of.
#[test]
fn child_at_random() {
    let Some(mut task) = Task::given() else { return };
    let place: u64 = task.value("PLACE").parse().unwrap();
    let memo = memo(hot(&task.dir, LIMIT), place.is_multiple_of(2));
    let board = Board::open(&task.dir);
    task.say(std::process::id());
    // The threads end with the process.
    thread::scope(|scope| {
        let threads = [0, 1].map(|thread| {
            let (memo, board) = (&memo, &board);
            scope.spawn(move || {
                let mut random = Random(u64::from(std::process::id()) << 8 | thread);
                loop {
                    let _ = step(memo, board, place * 2 + thread, &mut random);
                }
            })
        });
        while task.order().is_some() && !threads.iter().any(thread::ScopedJoinHandle::is_finished) {
            task.say("goes on");
        }
        std::process::exit(i32::from(threads.iter().any(thread::ScopedJoinHandle::is_finished)));
    });
}

struct Worker {
    child: Child,
    id: u64,
    resumes: Option<Instant>,
}

fn begin(dir: &Path, place: u64) -> Worker {
    let mut child = Child::with("child_at_random", dir, [("PLACE", &place)]);
    let id = child.hear_number();
    Worker { child, id, resumes: None }
}

#[test]
fn processes_that_are_killed_and_stopped_at_random_give_no_stale_value_and_keep_to_the_limit() {
    let dir = volatile_dir();
    let cache = dir.path().join("cache");
    Board::open(dir.path());
    let mut workers: Vec<_> = (0..PROCESSES).map(|place| begin(dir.path(), place)).collect();
    let mut random = Random(7);
    let end = Instant::now() + Duration::from_secs(soak("TWAT_CACHE_TEST_SECONDS", 5));
    let (mut kills, mut longest) = (0, 0);
    while Instant::now() < end {
        thread::sleep(Duration::from_millis(20 + random.below(60)));
        let place = random.below(PROCESSES);
        let worker = &mut workers[usize::try_from(place).unwrap()];
        match random.below(3) {
            0 if worker.resumes.is_none() => {
                // What failed in it before is noticed first.
                worker.child.tell("go on");
                assert_eq!(worker.child.hear().as_deref(), Some("goes on"), "a process has failed");
                let before = std::mem::replace(worker, begin(dir.path(), place));
                before.child.kill();
                kills += 1;
            }
            1 if worker.resumes.is_none() => {
                signal("STOP", worker.id);
                worker.resumes = Some(Instant::now() + Duration::from_millis(random.below(1500)));
            }
            _ => {}
        }
        for worker in &mut workers {
            if worker.resumes.is_some_and(|then| then < Instant::now()) {
                signal("CONT", worker.id);
                worker.resumes = None;
            }
        }
        if fs::exists(cache.join("scache/1")).unwrap() {
            longest = longest.max(log_length(&cache));
        }
    }
    let begun = Instant::now();
    for mut worker in workers {
        signal("CONT", worker.id);
        worker.child.tell("go on");
        assert_eq!(worker.child.hear().as_deref(), Some("goes on"), "a process has failed or hangs");
        worker.child.finish();
    }
    assert!(begun.elapsed() < PATIENCE, "only after {:?}", begun.elapsed());
    assert_eq!(numbers(&cache), [1], "a kill is no damage");
    assert!(longest < 64 << 20, "the log had {longest} bytes");
    assert!(kills > 5, "{kills} killed");
    // A store that evicts counts again what killed processes had yet to count.
    let store = scache("hot").dir(&cache).max_bytes(LIMIT).open::<String>().unwrap();
    assert!(store.len().unwrap() <= usize::try_from(KEYS).unwrap());
    let count = "SELECT count(*), coalesce(sum(length(value) + 64), 0),
                 coalesce(sum(space NOT IN (SELECT no FROM space)), 0) FROM entry";
    let row = |connection: &twat_cache_shared::rusqlite::Connection| {
        connection.query_row(count, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
    };
    let (entries, bytes, orphans): (i64, i64, i64) = store.with_connection(row).unwrap().unwrap();
    let most = i64::try_from(LIMIT + LIMIT / 10).unwrap();
    assert!(bytes <= most, "{bytes} bytes in {entries} entries where {LIMIT} may be");
    assert_eq!(orphans, 0, "entries of a cleared space that is gone");
    assert_eq!(names(&database(&cache)), [NAME, INDEX, LOG]);
    assert_eq!(names(&cache.join("scache")), ["1", "lock", META, "tmp"]);
    assert_eq!(names(&cache.join("scache/tmp")), [""; 0], "left by a process that was killed");
    assert_eq!(names(&cache.join("scache/lock")), ["claims"], "left by a process that was killed");
}
