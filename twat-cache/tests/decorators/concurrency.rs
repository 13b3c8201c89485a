//! One computation at a time for a key, recursion, and panics.

use std::panic::catch_unwind;
use std::path::PathBuf;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use twat_cache::{bcache, fcache, mcache, rcache, scache, ucache};
use twat_cache_core::testing::{Counter, PATIENCE, until_waiting, within};

fn dir() -> PathBuf {
    crate::dir("concurrency")
}

macro_rules! coalescing {
    ($($name:ident: $attribute:meta;)+) => {
        $(
            #[$attribute]
            fn $name(computed: u32) -> usize {
                static COMPUTED: Counter = Counter::new();
                until_waiting($name::memo(), 9);
                COMPUTED.count() + computed as usize
            }
        )+

        #[test]
        fn ten_threads_compute_a_cold_key_once() {
            $(
                thread::scope(|scope| {
                    for _ in 0..10 {
                        scope.spawn(|| assert_eq!($name(0), 0, stringify!($name)));
                    }
                });
            )+
        }
    };
}

coalescing! {
    in_memory: mcache;
    on_disk: bcache(dir = dir());
    shared: scache(dir = dir());
    in_a_file: fcache(dir = dir());
    remote: rcache(server = crate::server(), timeout = PATIENCE);
    wherever: ucache(dir = dir());
}

static COMPUTED: [Counter; 4] = [const { Counter::new() }; 4];

#[mcache]
fn fib(n: u64) -> u64 {
    COMPUTED[0].count();
    if n < 2 { n } else { fib(n - 1) + fib(n - 2) }
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Series {
    start: u64,
}

impl Series {
    #[mcache]
    fn at(&self, n: u64) -> u64 {
        COMPUTED[1].count();
        if n < 2 { self.start } else { self.at(n - 1) + self.at(n - 2) }
    }

    #[mcache]
    fn associated(n: u64) -> u64 {
        if n < 2 { n } else { Self::associated(n - 1) + Self::associated(n - 2) }
    }
}

#[test]
fn a_function_that_calls_itself_computes_each_result_once() {
    within(PATIENCE, || {
        assert_eq!((fib(90), COMPUTED[0].get()), (2_880_067_194_370_816_120, 91));
        assert_eq!((Series { start: 1 }.at(50), COMPUTED[1].get()), (20_365_011_074, 51));
        assert_eq!(Series::associated(90), 2_880_067_194_370_816_120);
    });
}

#[mcache]
fn is_even(n: u64) -> bool {
    n == 0 || is_odd(n - 1)
}

#[mcache]
fn is_odd(n: u64) -> bool {
    n != 0 && is_even(n - 1)
}

#[test]
fn functions_that_call_each_other_from_two_threads_do_not_deadlock() {
    within(PATIENCE, || {
        let barrier = Barrier::new(2);
        thread::scope(|scope| {
            scope.spawn(|| {
                barrier.wait();
                assert!(is_even(200));
            });
            scope.spawn(|| {
                barrier.wait();
                assert!(is_odd(201));
            });
        });
    });
}

#[mcache]
fn itself(n: u32) -> u32 {
    // Asks for its own key, once.
    if COMPUTED[2].count() == 0 { itself(n) + 1 } else { n }
}

#[test]
fn a_function_that_asks_for_its_own_result_computes_it() {
    assert_eq!(within(PATIENCE, || itself(3)), 4);
}

macro_rules! panicking {
    ($($name:ident: $attribute:meta;)+) => {
        $(
            #[$attribute]
            fn $name(n: u32) -> u32 {
                static COMPUTED: Counter = Counter::new();
                assert!(COMPUTED.count() > 0, "the first time");
                n
            }
        )+

        #[test]
        fn a_panic_reaches_its_caller_and_the_key_works_afterwards() {
            $(
                let panic = catch_unwind(|| $name(1)).unwrap_err();
                assert_eq!(panic.downcast_ref(), Some(&"the first time"), stringify!($name));
                assert_eq!(within(PATIENCE, || ($name(1), $name(1))), (1, 1));
            )+
        }
    };
}

panicking! {
    panics_in_memory: mcache;
    panics_on_disk: bcache(dir = dir());
    panics_shared: scache(dir = dir());
    panics_in_a_file: fcache(dir = dir());
    panics_remote: rcache(server = crate::server(), timeout = PATIENCE);
    panics_wherever: ucache(dir = dir());
}

impl Series {
    #[mcache]
    fn panics(&self, n: u64) -> u64 {
        assert!(COMPUTED[3].count() > 0, "the first time");
        self.start + n
    }
}

#[test]
fn a_panic_in_a_method_reaches_its_caller() {
    assert!(catch_unwind(|| Series { start: 1 }.panics(1)).is_err());
    assert_eq!(within(PATIENCE, || Series { start: 1 }.panics(1)), 2);
}

/// Functions that end only if two callers compute the same result at once.
macro_rules! impatient {
    ($($name:ident: $attribute:meta;)+) => {
        $(
            #[$attribute]
            fn $name(n: u32) -> u32 {
                static BOTH: Barrier = Barrier::new(2);
                BOTH.wait();
                n
            }
        )+

        #[test]
        fn patience_bounds_how_long_a_caller_waits_for_another() {
            // Without the option it is 10 s.
            within(Duration::from_secs(8), || {
                $(
                    thread::scope(|scope| {
                        for _ in 0..2 {
                            scope.spawn(|| assert_eq!($name(1), 1, stringify!($name)));
                        }
                    });
                )+
                thread::scope(|scope| {
                    for _ in 0..2 {
                        scope.spawn(|| assert_eq!(Series { start: 1 }.impatient(1), 2));
                    }
                });
            });
        }
    };
}

/// Options are expressions, here as everywhere.
const fn patience() -> Duration {
    Duration::from_millis(10)
}

impatient! {
    impatient_in_memory: mcache(patience = patience());
    impatient_on_disk: bcache(dir = dir(), patience = patience());
    impatient_shared: scache(dir = dir(), patience = patience());
    impatient_in_a_file: fcache(dir = dir(), patience = patience());
    impatient_remote: rcache(server = crate::server(), timeout = PATIENCE, patience = patience());
    impatient_wherever: ucache(dir = dir(), patience = patience());
}

impl Series {
    #[mcache(patience = Duration::from_millis(10))]
    fn impatient(&self, n: u64) -> u64 {
        static BOTH: Barrier = Barrier::new(2);
        BOTH.wait();
        self.start + n
    }
}
