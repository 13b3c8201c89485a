//! Options that hold in memory, behind it, and after a restart.

use std::cell::Cell;
use std::path::PathBuf;
use std::time::Duration;

use twat_cache::{Backend, ManualClock, ucache};
use twat_cache_core::testing::{record_logs, warnings};

use super::{UnifiedBuilder, dir};

const MINUTE: Duration = Duration::from_secs(60);

/// The backends that are compiled in, and results that outlive a memo.
fn backends() -> Vec<Backend> {
    let compiled = [(cfg!(feature = "disk"), Backend::Disk), (cfg!(feature = "file"), Backend::File)];
    compiled.into_iter().filter_map(|(is_there, backend)| is_there.then_some(backend)).collect()
}

#[test]
fn a_stale_result_serves_after_a_restart_if_the_function_fails_and_never_too_long() {
    for backend in backends() {
        let (dir, hand) = (dir(), ManualClock::new());
        let cache =
            || ucache("rates").dir(dir.path()).backend(backend).clock(hand.clock()).ttl(MINUTE).stale(MINUTE * 9);
        let works = Cell::new(true);
        let function = |n: &u64| if works.get() { Ok(n * 2) } else { Err("away") };
        assert_eq!(cache().try_wrap(function).try_call(&3), Ok(6));
        works.set(false);
        hand.advance(MINUTE * 5);
        let memo = cache().try_wrap(function);
        assert_eq!((memo.try_call(&3), memo.try_call(&4)), (Ok(6), Err("away")));
        // The copy in memory is as old as the entry.
        hand.advance(MINUTE * 5);
        assert_eq!(memo.try_call(&3), Err("away"));
        assert_eq!(cache().try_wrap(function).try_call(&3), Err("away"));
    }
}

#[test]
fn a_stale_result_is_gone_once_it_is_forgotten() {
    let (dir, hand) = (dir(), ManualClock::new());
    let cache = ucache("rates").dir(dir.path()).clock(hand.clock()).ttl(MINUTE).stale(MINUTE);
    let works = Cell::new(true);
    let memo = cache.try_wrap(|n: &u64| if works.replace(false) { Ok(*n) } else { Err("away") });
    assert_eq!(memo.try_call(&3), Ok(3));
    hand.advance(MINUTE);
    assert_eq!(memo.try_call(&3), Ok(3));
    assert!(memo.forget(&3).unwrap());
    assert_eq!(memo.try_call(&3), Err("away"));
}

#[test]
fn the_ttl_of_a_value_counts_in_memory_and_after_a_restart() {
    for backend in backends() {
        let (dir, hand) = (dir(), ManualClock::new());
        let cache = || ucache("pages").dir(dir.path()).backend(backend).clock(hand.clock()).ttl(MINUTE * 2);
        let memo = || cache().wrap(|n: &u32| *n).ttl_by(|n| MINUTE * *n);
        let first = memo();
        for n in [0, 1, 5] {
            assert_eq!(first.call(&n), n);
        }
        let found = |n: u32| [first.peek(&n).unwrap(), memo().peek(&n).unwrap()];
        assert_eq!((found(0), found(1), found(5)), ([None; 2], [Some(1); 2], [Some(5); 2]));
        hand.advance(MINUTE);
        assert_eq!((found(1), found(5)), ([None; 2], [Some(5); 2]));
        hand.advance(MINUTE * 3);
        assert_eq!(found(5), [Some(5); 2]);
        hand.advance(MINUTE);
        assert_eq!(found(5), [None; 2]);
    }
}

#[test]
fn a_result_that_is_not_to_be_kept_is_neither_in_memory_nor_behind_it() {
    for backend in backends() {
        let dir = dir();
        let memo = || ucache("found").dir(dir.path()).backend(backend).wrap(|n: &u32| n % 2).keep_if(|n| *n > 0);
        let first = memo();
        assert_eq!((first.call(&2), first.call(&3)), (0, 1));
        assert_eq!((first.len().unwrap(), memo().peek(&2).unwrap(), memo().peek(&3).unwrap()), (1, None, Some(1)));
        assert_eq!(first.store().memory().cache().len(), 1);
    }
}

#[cfg(feature = "stats")]
#[test]
fn evictions_of_the_backend_are_counted() {
    for backend in backends() {
        let dir = dir();
        let memo = ucache("counted").dir(dir.path()).backend(backend).max_bytes(20_000).wrap(|n: &u64| [*n; 100]);
        (0..100).for_each(|n| assert_eq!(memo.call(&n), [n; 100]));
        assert_eq!(memo.store().backend(), backend);
        assert!(memo.stats().evictions > 0, "{backend:?} {:?}", memo.stats());
    }
}

#[cfg(feature = "serde")]
#[test]
fn values_of_serde_are_found_after_a_restart_and_apart_from_those_of_rkyv() {
    for backend in backends() {
        let dir = dir();
        let cache = || -> UnifiedBuilder { ucache("paths").dir(dir.path()).backend(backend) };
        let computed = Cell::new(0);
        let function = |text: &str| {
            computed.set(computed.get() + 1);
            PathBuf::from(text)
        };
        for _ in 0..2 {
            let memo = cache().serde().wrap(function);
            assert_eq!((memo.call("a//b"), memo.call("a//b")), (PathBuf::from("a//b"), PathBuf::from("a//b")));
            assert_eq!(memo.store().backend(), backend);
        }
        assert_eq!(computed.get(), 1);
        cache().wrap(|_: &u32| String::from("by rkyv")).call(&1);
        cache().serde().wrap(|_: &u32| String::from("by serde")).call(&1);
        assert_eq!(cache().wrap(|_: &u32| String::new()).call(&1), "by rkyv");
        assert_eq!(cache().serde().wrap(|_: &u32| String::new()).call(&1), "by serde");
    }
}

#[cfg(feature = "serde")]
#[test]
fn an_option_with_nothing_in_it_is_returned_as_it_is_in_every_run() {
    record_logs();
    for backend in backends() {
        let dir = dir();
        for _ in 0..2 {
            let memo = ucache("options")
                .dir(dir.path())
                .backend(backend)
                .serde()
                .wrap(|n: &u8| vec![Some((*n > 0).then_some(1))]);
            assert_eq!((memo.call(&0), memo.call(&0)), (vec![Some(None)], vec![Some(None)]));
            assert_eq!(memo.call(&1), [Some(Some(1))]);
        }
        let memo = ucache("options").dir(dir.path()).backend(backend).serde().wrap(|_: &u8| vec![None]);
        assert_eq!(memo.call(&1), [Some(Some(1))]);
        // One for each memo.
        let warnings = warnings(dir.path());
        assert_eq!(warnings.len(), 2, "{warnings:#?}");
        assert!(warnings.iter().all(|it| it.contains("Some(None)") && it.contains("Option<i32>")), "{warnings:#?}");
    }
}
