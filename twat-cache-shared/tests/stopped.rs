//! A process stops while it writes, reads, or makes the database. What others wait for it is bounded, and gets shorter; memory
//! serves; and when it goes on, all is as before.
#![cfg(target_os = "linux")]

mod common;

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use common::{LIMIT, META, NAME, ask, database, log_length, numbers, signal, start};
use twat_cache_core::among::meta::Meta;
use twat_cache_core::testing::child::{Child, Task};
use twat_cache_core::testing::{record_logs, text, until, volatile_dir, warnings, within};
use twat_cache_shared::{KeyedStore as _, Memo, SharedBuilder, SharedFallback, Store as _, scache};

fn cache(dir: &Path) -> SharedBuilder {
    scache("texts").dir(dir)
}

type Texts = Memo<SharedFallback<String>, fn(&u64) -> String>;

#[expect(clippy::trivially_copy_pass_by_ref, reason = "a memo's function takes its key so")]
fn text_of(key: &u64) -> String {
    text(*key, 1000)
}

fn memo(dir: &Path) -> Texts {
    record_logs();
    cache(dir).wrap(text_of as fn(&u64) -> String)
}

/// Holds something of the database until it is told to go on.
#[test]
fn child_that_holds() {
    let Some(mut task) = Task::given() else { return };
    let store = cache(&task.dir).open::<String>().unwrap();
    task.say("ready");
    let what = task.order().unwrap();
    if what == "the making" {
        let meta = Meta::open(&task.dir.join("scache"), META, None, [0; 4]).unwrap().0;
        let _making = meta.lock_own(3).unwrap().unwrap();
        task.say(std::process::id());
        task.order();
        return;
    }
    store
        .with_connection(|connection| {
            connection.execute_batch(if what == "a change" { "BEGIN IMMEDIATE" } else { "BEGIN" }).unwrap();
            connection.query_row("SELECT count(*) FROM entry", [], |_| Ok(())).unwrap();
            task.say(std::process::id());
            task.order();
            connection.execute_batch("COMMIT").unwrap();
        })
        .unwrap();
    task.say("done");
}

/// A process that has stopped while it holds this.
fn stopped(dir: &Path, what: &str) -> (Child, u64) {
    let mut child = start("child_that_holds", dir);
    let id = ask(&mut child, what).parse().unwrap();
    signal("STOP", id);
    (child, id)
}

fn go_on((mut child, id): (Child, u64)) {
    signal("CONT", id);
    child.tell("go on");
    child.finish();
}

/// How long all calls of some keys take together. The results are right.
fn time_of(memo: &Texts, keys: std::ops::Range<u64>) -> Duration {
    let begun = Instant::now();
    keys.for_each(|key| assert_eq!(memo.call(&key), text(key, 1000)));
    begun.elapsed()
}

#[test]
fn a_process_that_stops_while_it_writes_is_waited_for_once() {
    within(LIMIT, || {
        let dir = volatile_dir();
        let memo = memo(dir.path());
        time_of(&memo, 0..10);
        let holder = stopped(dir.path(), "a change");
        // 200 ms and half of that, and so on: 400 ms in all, and more on a busy machine.
        let all = time_of(&memo, 10..60);
        assert!(all < Duration::from_secs(3), "{all:?}");
        // Memory has the new ones, and the database has the old ones.
        assert!(time_of(&memo, 0..60) < Duration::from_secs(1));
        assert_eq!(memo.store().secondary().len().unwrap(), 50);
        memo.forget(&1).unwrap_err();
        assert!(warnings(dir.path()).len() == 1, "{:#?}", warnings(dir.path()));
        let other = self::memo(dir.path());
        assert!(time_of(&other, 0..20) < Duration::from_secs(3));
        go_on(holder);
        time_of(&memo, 100..110);
        time_of(&other, 110..120);
        let all = cache(dir.path()).open::<String>().unwrap();
        assert!((100..120_u64).all(|key| all.get(&key).unwrap().is_some()), "what was stored since is there");
    });
}

/// Uses are noted in the database, now and then.
#[test]
fn hits_do_not_wait_for_a_process_that_stops_while_it_writes() {
    within(LIMIT, || {
        let dir = volatile_dir();
        let memo = memo(dir.path());
        time_of(&memo, 0..200);
        let hits = || (0..60).map(|_| time_of(&memo, 0..200)).sum::<Duration>();
        let before = hits();
        let holder = stopped(dir.path(), "a change");
        // A wait for each hit would be a millisecond.
        let all = hits();
        assert!(all < 2 * before + Duration::from_secs(2), "{all:?} instead of {before:?}");
        go_on(holder);
    });
}

#[test]
fn a_process_that_writes_slowly_is_waited_for() {
    within(LIMIT, || {
        let dir = volatile_dir();
        let memo = memo(dir.path());
        time_of(&memo, 0..1);
        let mut child = start("child_that_holds", dir.path());
        ask(&mut child, "a change");
        thread::scope(|scope| {
            let storing = scope.spawn(|| time_of(&memo, 1..2));
            // This test needs a time longer than the wait for a stopped process.
            thread::sleep(Duration::from_millis(500));
            child.tell("go on");
            storing.join().unwrap();
        });
        assert!(warnings(dir.path()).is_empty(), "{:#?}", warnings(dir.path()));
        assert!(cache(dir.path()).open::<String>().unwrap().get(&1_u64).unwrap().is_some());
    });
}

/// Stores 16 KB for each key.
fn store_much(dir: &Path, keys: std::ops::Range<u64>) -> (Duration, u64) {
    let memo = scache("much").dir(dir).wrap(|key: &u64| text(*key, 2000));
    let (begun, mut longest) = (Instant::now(), 0);
    for key in keys {
        assert_eq!(memo.call(&key), text(key, 2000));
        longest = longest.max(log_length(dir));
    }
    (begun.elapsed(), longest)
}

#[test]
fn the_log_stays_short_while_a_process_has_stopped_that_reads() {
    within(LIMIT, || {
        let dir = volatile_dir();
        record_logs();
        store_much(dir.path(), 0..1);
        let holder = stopped(dir.path(), "a read");
        let (time, longest) = store_much(dir.path(), 1..6000);
        assert!(longest > 40 << 20, "this test needs a full log, and it had {longest} bytes");
        assert!(longest < 64 << 20, "the log had {longest} bytes");
        assert!(time < Duration::from_secs(30), "{time:?}");
        assert!(warnings(dir.path()).len() == 1, "{:#?}", warnings(dir.path()));
        go_on(holder);
        let (_, after) = store_much(dir.path(), 10_000..10_400);
        assert!(after < 64 << 20);
        assert!(log_length(dir.path()) < 10 << 20, "it is short again");
        let all = scache("much").dir(dir.path()).open::<String>().unwrap();
        assert!((10_000..10_400_u64).all(|key| all.get(&key).unwrap().is_some()), "what was stored since is there");
    });
}

#[test]
fn child_that_stores_much() {
    let Some(mut task) = Task::given() else { return };
    record_logs();
    task.say("ready");
    let first: u64 = task.order().unwrap().parse().unwrap();
    task.say(store_much(&task.dir, first..first + 1500).1);
    assert!(warnings(&task.dir).is_empty(), "{:#?}", warnings(&task.dir));
}

#[test]
fn eight_processes_that_write_keep_the_log_short_and_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    within(2 * LIMIT, move || {
        store_much(dir.path(), 0..1);
        let mut children: Vec<_> = (0..8).map(|_| start("child_that_stores_much", dir.path())).collect();
        for (first, child) in (10_000..).step_by(10_000).zip(&mut children) {
            child.tell(first);
        }
        for child in &mut children {
            let longest = child.hear_number();
            assert!(longest < 64 << 20, "the log had {longest} bytes");
        }
        for child in children {
            child.finish();
        }
        let all = scache("much").dir(dir.path()).open::<String>().unwrap();
        assert_eq!(all.len().unwrap(), 8 * 1500 + 1);
    });
}

#[test]
fn a_process_that_stops_while_it_makes_the_database_anew_is_waited_for_once() {
    within(LIMIT, || {
        let dir = volatile_dir();
        let memo = memo(dir.path());
        time_of(&memo, 0..10);
        let holder = stopped(dir.path(), "the making");
        fs::remove_file(database(dir.path()).join(NAME)).unwrap();
        thread::sleep(Duration::from_millis(20));
        let all = time_of(&memo, 0..200);
        assert!(all < Duration::from_secs(3), "{all:?}");
        let other = self::memo(dir.path());
        let all = time_of(&other, 0..200);
        assert!(all < Duration::from_secs(3), "{all:?}");
        go_on(holder);
        // There is a pause before the next attempt.
        until("the database is made anew", || {
            time_of(&memo, 0..1);
            numbers(dir.path()) == [1, 2]
        });
        time_of(&other, 2000..2010);
        let all = cache(dir.path()).open::<String>().unwrap();
        assert!((2000..2010_u64).all(|key| all.get(&key).unwrap().is_some()), "what was stored since is there");
    });
}
