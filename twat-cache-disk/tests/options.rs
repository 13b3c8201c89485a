//! `stale`, `ttl_by` and `keep_if` from one run to the next, and what statistics count.

use std::path::Path;
use std::time::Duration;

use twat_cache_core::testing::child::{Child, Task};
use twat_cache_core::testing::{Counter, volatile_dir};
use twat_cache_disk::{DiskBuilder, KeyedStore, ManualClock, Store, bcache};

const TTL: Duration = Duration::from_secs(60);
const STALE: Duration = Duration::from_secs(30);
const MOMENT: Duration = Duration::from_millis(1);

/// A moment less.
fn almost(time: Duration) -> Duration {
    time.saturating_sub(MOMENT)
}

fn builder(dir: &Path, hand: &ManualClock, stale: Option<Duration>) -> DiskBuilder {
    let builder = bcache("name").dir(dir).ttl(TTL).clock(hand.clock());
    stale.into_iter().fold(builder, DiskBuilder::stale)
}

/// A run of a program whose function fails.
fn failing_run(dir: &Path, hand: &ManualClock, stale: Option<Duration>) -> Result<String, &'static str> {
    builder(dir, hand, stale).try_wrap(|_: &u64| Err::<String, _>("it fails")).try_call(&1)
}

#[test]
fn a_later_run_gets_the_stale_result_for_as_long_as_the_first_one() {
    let dir = volatile_dir();
    let hand = ManualClock::new();
    builder(dir.path(), &hand, Some(STALE)).wrap(|n: &u64| n.to_string()).call(&1);
    hand.advance(TTL);
    assert_eq!(failing_run(dir.path(), &hand, Some(STALE)), Ok("1".to_owned()));
    hand.advance(almost(STALE));
    assert_eq!(failing_run(dir.path(), &hand, Some(STALE)), Ok("1".to_owned()));
    hand.advance(MOMENT);
    assert_eq!(failing_run(dir.path(), &hand, Some(STALE)), Err("it fails"));
}

#[test]
fn a_run_with_another_stale_time_or_none_gets_no_stale_result() {
    let dir = volatile_dir();
    let hand = ManualClock::new();
    builder(dir.path(), &hand, Some(STALE)).wrap(|n: &u64| n.to_string()).call(&1);
    hand.advance(almost(TTL));
    for advance in [Duration::ZERO, MOMENT, almost(STALE)] {
        hand.advance(advance);
        for stale in [None, Some(MOMENT), Some(STALE * 100)] {
            let found = failing_run(dir.path(), &hand, stale);
            // A result that is not stale may be found.
            assert!(found == Err("it fails") || advance.is_zero(), "{stale:?}: {found:?}");
        }
    }
    // The other way round as well.
    let dir = volatile_dir();
    builder(dir.path(), &hand, None).wrap(|n: &u64| n.to_string()).call(&1);
    hand.advance(TTL);
    assert_eq!(failing_run(dir.path(), &hand, Some(STALE)), Err("it fails"));
}

#[test]
fn a_stale_result_that_was_forgotten_is_gone_in_the_next_run() {
    let dir = volatile_dir();
    let hand = ManualClock::new();
    let memo = builder(dir.path(), &hand, Some(STALE)).wrap(|n: &u64| n.to_string());
    memo.call(&1);
    hand.advance(TTL);
    assert!(memo.forget(&1).unwrap());
    drop(memo);
    assert_eq!(failing_run(dir.path(), &hand, Some(STALE)), Err("it fails"));
}

#[test]
fn a_stale_result_is_evicted_like_any_other() {
    let dir = volatile_dir();
    let hand = ManualClock::new();
    let store = builder(dir.path(), &hand, Some(STALE)).max_bytes(100_000).open::<String>().unwrap();
    (0..50).for_each(|key: u64| store.insert(&key, &"x".repeat(1000)).unwrap());
    hand.advance(TTL);
    (50..500).for_each(|key: u64| store.insert(&key, &"x".repeat(1000)).unwrap());
    assert!((0..50).all(|key: u64| store.get(&key).unwrap().is_none()));
}

#[test]
fn a_ttl_by_the_value_counts_in_later_runs() {
    let dir = volatile_dir();
    let hand = ManualClock::new();
    let computed = Counter::new();
    let run = || {
        let memo = builder(dir.path(), &hand, None).wrap(|seconds: &u64| {
            computed.count();
            *seconds
        });
        let memo = memo.ttl_by(|seconds| Duration::from_secs(*seconds));
        [0, 30, 600].map(|seconds| {
            let before = computed.get();
            assert_eq!(memo.call(&seconds), seconds);
            computed.get() > before
        })
    };
    assert_eq!(run(), [true, true, true]);
    assert_eq!(run(), [true, false, false]);
    hand.advance(Duration::from_secs(30));
    assert_eq!(run(), [true, true, false]);
    hand.advance(Duration::from_secs(569));
    assert_eq!(run(), [true, true, false], "it is longer than the TTL of the store");
    hand.advance(Duration::from_secs(1));
    assert_eq!(run(), [true, false, true]);
    // A run without the rule, or without any TTL, finds what is still valid.
    hand.advance(Duration::from_secs(599));
    let plain = builder(dir.path(), &hand, None).open::<u64>().unwrap();
    let endless = bcache("name").dir(dir.path()).clock(hand.clock()).open::<u64>().unwrap();
    assert_eq!([plain.get(&600_u64).unwrap(), endless.get(&600_u64).unwrap()], [Some(600); 2]);
    hand.advance(Duration::from_secs(1));
    assert_eq!([plain.get(&600_u64).unwrap(), endless.get(&600_u64).unwrap()], [None; 2]);
}

#[test]
fn child_that_keeps_even_numbers() {
    let Some(task) = Task::given() else { return };
    let computed = Counter::new();
    let memo = bcache("numbers").dir(&task.dir).wrap(|n: &u64| {
        computed.count();
        n * 3
    });
    let memo = memo.keep_if(|value| value % 2 == 0);
    (0..10).for_each(|n| assert_eq!(memo.call(&n), n * 3));
    task.say(computed.get());
}

#[test]
fn another_process_computes_only_what_was_not_kept() {
    let dir = volatile_dir();
    let run = || Child::start("child_that_keeps_even_numbers", dir.path()).finish();
    assert_eq!(run(), ["10"]);
    assert_eq!(run(), ["5"]);
}

#[test]
fn memory_that_serves_instead_of_the_database_has_stale_results_too() {
    let dir = volatile_dir();
    let hand = ManualClock::new();
    std::fs::write(dir.path().join("file"), "in the way").unwrap();
    let computed = Counter::new();
    let memo = builder(&dir.path().join("file"), &hand, Some(STALE));
    let memo = memo.try_wrap(|n: &u64| if computed.count() == 0 { Ok(n.to_string()) } else { Err("it fails") });
    assert_eq!(memo.try_call(&1), Ok("1".to_owned()));
    hand.advance(almost(TTL + STALE));
    assert_eq!(memo.try_call(&1), Ok("1".to_owned()));
    hand.advance(MOMENT);
    assert_eq!(memo.try_call(&1), Err("it fails"));
    assert_eq!(computed.get(), 3);
}

fn filled(store: &impl KeyedStore<u64, Value = String>, keys: std::ops::Range<u64>) {
    keys.for_each(|key| store.insert(&key, &"x".repeat(1000)).unwrap());
}

#[test]
fn evictions_are_the_entries_that_are_not_found_any_more() {
    let dir = volatile_dir();
    let open = |name: &str| bcache(name).dir(dir.path()).max_bytes(100_000).open::<String>().unwrap();
    let (store, other) = (open("one"), open("other"));
    filled(&store, 0..300);
    filled(&other, 0..10);
    assert_eq!(store.evictions(), 300 - store.len().unwrap() as u64);
    assert_eq!(open("one").evictions(), store.evictions(), "stores of a name share their entries");
    let before = store.evictions();
    // What is replaced, removed or cleared is not evicted.
    (0..100).for_each(|_| filled(&store, 299..300));
    assert!(store.remove(&299_u64).unwrap());
    store.clear().unwrap();
    filled(&store, 0..50);
    assert_eq!(store.evictions(), before + 50 - store.len().unwrap() as u64);
    assert_eq!((other.evictions(), other.len().unwrap()), (0, 10));
}

#[test]
fn entries_of_an_earlier_run_are_evicted_without_being_counted() {
    let dir = volatile_dir();
    let open = || bcache("name").dir(dir.path()).max_bytes(100_000).open::<String>().unwrap();
    filled(&open(), 0..90);
    let store = open();
    assert_eq!(store.evictions(), 0);
    filled(&store, 100..180);
    assert!(store.evictions() < 10, "{}", store.evictions());
    assert!(store.get(&0_u64).unwrap().is_none());
}

#[cfg(feature = "stats")]
#[test]
fn statistics_count_evictions_until_they_are_reset() {
    let dir = volatile_dir();
    let memo = bcache("name").dir(dir.path()).max_bytes(100_000).wrap(|n: &u64| n.to_string().repeat(300));
    let run = |keys: std::ops::Range<u64>| {
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| keys.clone().for_each(|n| drop(memo.call(&n))));
            }
        });
    };
    run(1000..1200);
    let stats = memo.stats();
    assert_eq!((stats.hits + stats.misses, stats.store_errors), (800, 0));
    assert!(stats.evictions > 100, "{stats:?}");
    assert_eq!(stats.evictions, memo.store().evictions());
    memo.reset_stats();
    assert_eq!(memo.stats(), twat_cache_core::Stats::default());
    run(2000..2200);
    assert!(memo.stats().evictions > 100);
}
