//! Stale results: one process computes the new one, and all others have the old one until then.
#![cfg(unix)]

use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use twat_cache_core::testing::child::{Child, Task};
use twat_cache_core::testing::{Counter, block_on, volatile_dir, within};
use twat_cache_file::{FileBuilder, ManualClock, fcache};

const MINUTE: Duration = Duration::from_secs(60);
/// No test here may take longer.
const LIMIT: Duration = Duration::from_secs(60);

/// Large enough to be mapped.
const LEN: usize = 40_000;

/// A cache of a run that begins this many minutes later. Results are fresh for 60 minutes, and then stale for 60 more.
fn cache(dir: &Path, minutes: u32) -> FileBuilder {
    let clock = ManualClock::new();
    clock.advance(MINUTE * minutes);
    fcache("stale").dir(dir).ttl(60 * MINUTE).stale(60 * MINUTE).clock(clock.clock())
}

/// What a run finds or computes: this number.
fn call(dir: &Path, minutes: u32, number: u64) -> u64 {
    cache(dir, minutes).wrap(|_: &u8| vec![number; LEN]).call(&1)[0]
}

/// What a run finds whose function fails.
fn find(dir: &Path, minutes: u32) -> Result<u64, &'static str> {
    let computed = Counter::new();
    let failing = |_: &u8| -> Result<Vec<u64>, _> {
        computed.count();
        Err("no")
    };
    let memo = cache(dir, minutes).try_wrap(failing);
    let found = memo.try_call(&1).map(|numbers| numbers[0]);
    assert_eq!(memo.try_view(&1).map(|view| u64::from(view[0])), found);
    let tasks = cache(dir, minutes).try_wrap_async(async |_: &u8| failing(&1));
    assert_eq!(block_on(tasks.try_call_async(&1)).map(|numbers| numbers[0]), found);
    assert!(matches!(computed.get(), 0 | 3), "it is computed by each call or by none");
    found
}

/// Computes, as a run that begins this many minutes later. It says when it begins, and gives this number when it is told to.
#[test]
fn child_that_computes_when_it_is_told_to() {
    let Some(mut task) = Task::given() else { return };
    let minutes = task.order().unwrap().parse().unwrap();
    let dir = task.dir.clone();
    let task = Mutex::new(task);
    let memo = cache(&dir, minutes).wrap(|_: &u8| {
        let mut task = task.lock().unwrap();
        task.say("computing");
        vec![task.order().unwrap().parse::<u64>().unwrap(); LEN]
    });
    let number = memo.call(&1)[0];
    task.lock().unwrap().say(number);
}

fn computing(dir: &Path, minutes: u32) -> Child {
    let mut child = Child::start("child_that_computes_when_it_is_told_to", dir);
    child.tell(minutes);
    assert_eq!(child.hear().as_deref(), Some("computing"));
    child
}

fn let_compute(mut child: Child, number: u64) {
    child.tell(number);
    assert_eq!(child.finish(), [number.to_string()]);
}

#[test]
fn while_one_process_computes_the_others_have_the_stale_result_at_once() {
    let dir = volatile_dir();
    within(LIMIT, move || {
        let dir = dir.path();
        assert_eq!(call(dir, 0, 1), 1);
        let child = computing(dir, 90);
        // The child computes until all of these have returned.
        let memo = cache(dir, 90).wrap(|_: &u8| -> Vec<u64> { panic!("the child computes already") });
        let tasks = cache(dir, 90).wrap_async(async |_: &u8| -> Vec<u64> { panic!("the child computes already") });
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..20 {
                        assert_eq!(memo.call(&1), vec![1; LEN]);
                        let view = memo.view(&1);
                        assert!(view.is_mapped() && view[..] == vec![1_u64; LEN][..]);
                        assert_eq!(block_on(tasks.call_async(&1)), vec![1; LEN]);
                    }
                });
            }
        });
        let_compute(child, 2);
        assert_eq!(call(dir, 91, 3), 2);
    });
}

#[test]
fn a_stale_result_serves_a_function_that_fails_and_is_never_older_than_both_times_together() {
    let dir = volatile_dir();
    let dir = dir.path();
    assert_eq!(find(dir, 0), Err("no"));
    assert_eq!(call(dir, 0, 1), 1);
    for minutes in [0, 58, 62, 118] {
        assert_eq!(find(dir, minutes), Ok(1), "after {minutes} minutes");
    }
    assert_eq!(call(dir, 58, 2), 1);
    assert_eq!(find(dir, 122), Err("no"));
    // A stale result is computed again by the first call, and the new one is fresh.
    assert_eq!(call(dir, 122, 2), 2);
    assert_eq!(call(dir, 190, 3), 3);
    assert_eq!(find(dir, 192), Ok(3));
    assert_eq!(find(dir, 312), Err("no"));
}

#[test]
fn forget_ends_a_stale_result() {
    let dir = volatile_dir();
    within(LIMIT, move || {
        let dir = dir.path();
        assert_eq!(call(dir, 0, 1), 1);
        assert_eq!(find(dir, 90), Ok(1));
        assert!(cache(dir, 90).wrap(|_: &u8| vec![0_u64]).forget(&1_u8).unwrap());
        assert_eq!(find(dir, 90), Err("no"));
        // Also while another process computes.
        assert_eq!(call(dir, 0, 1), 1);
        let child = computing(dir, 90);
        let memo = cache(dir, 90).wrap(|_: &u8| vec![3_u64; LEN]);
        assert_eq!(memo.call(&1)[0], 1);
        assert!(memo.forget(&1_u8).unwrap());
        thread::scope(|scope| {
            // Without the stale result, this call waits. What it waits for began before the result was forgotten.
            let call = scope.spawn(|| memo.call(&1)[0]);
            let_compute(child, 2);
            assert_eq!(call.join().unwrap(), 3);
        });
        assert_eq!(call(dir, 91, 4), 3);
    });
}

#[test]
fn of_those_that_waited_for_a_result_that_is_stale_for_them_one_computes() {
    let dir = volatile_dir();
    within(LIMIT, move || {
        let dir = dir.path();
        let child = computing(dir, 0);
        let computed = Counter::new();
        // To a clock that is behind, even by a microsecond, a result that was just stored is one of the future.
        let clock = ManualClock::new();
        clock.advance(90 * MINUTE);
        // Each memo has a store of its own, as in another process.
        let memos = [(); 3].map(|()| {
            cache(dir, 0).clock(clock.clock()).wrap(|_: &u8| {
                computed.count();
                vec![2_u64; LEN]
            })
        });
        thread::scope(|scope| {
            let calls = memos.each_ref().map(|memo| scope.spawn(|| memo.call(&1)[0]));
            let_compute(child, 1);
            for call in calls {
                let found = call.join().unwrap();
                assert!(matches!(found, 1 | 2), "{found}");
            }
        });
        assert_eq!(computed.get(), 1);
    });
}

#[test]
fn memory_has_stale_results_where_no_file_can_be_written() {
    let dir = volatile_dir();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let clock = ManualClock::new();
    let computed = Counter::new();
    let memo = cache(&file, 0).clock(clock.clock()).try_wrap(|_: &u8| match computed.count() {
        0 => Ok(vec![1_u64; LEN]),
        _ => Err("no"),
    });
    assert_eq!(memo.try_call(&1).unwrap()[0], 1);
    clock.advance(90 * MINUTE);
    assert_eq!(memo.try_call(&1).unwrap()[0], 1);
    assert_eq!(memo.try_view(&1).unwrap()[0], 1);
    assert_eq!(computed.get(), 3);
    clock.advance(31 * MINUTE);
    assert_eq!(memo.try_call(&1), Err("no"));
}
