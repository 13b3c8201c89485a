//! What every store must do, as tests; and what it takes to test one.
//!
//! ```no_run
//! use twat_cache_core::testing::Setup;
//! use twat_cache_core::{LruStore, conformance, conformance_of_keys};
//!
//! fn open(setup: &Setup) -> LruStore<String> {
//!     let store = LruStore::new(setup.max_entries).clock(setup.clock.clone());
//!     match setup.ttl {
//!         Some(ttl) => store.ttl(ttl),
//!         None => store,
//!     }
//! }
//!
//! // A test for each behaviour, named by it.
//! conformance!(open);
//! conformance_of_keys!(LruStore::<u32>::new(100));
//! ```
//!
//! A cache is tested against the function that it caches: whatever a program does, it must get the values that the
//! function gives, and no more computations than the behaviour at hand allows.

#![allow(clippy::missing_panics_doc, reason = "these are assertions")]

pub mod child;
mod faulty;
pub mod files;
mod flights;
mod limits;
mod log;
mod rooted;
pub mod system;
mod values;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::Clock;

pub use faulty::Faulty;
pub use log::{Recorder, on_warning, record_logs};
pub use rooted::Rooted;

/// The behaviours themselves, for the macros.
#[doc(hidden)]
pub mod checks {
    pub use super::flights::*;
    pub use super::limits::*;
    pub use super::values::*;
}

/// How a store under test is to be opened.
#[derive(Clone, Debug)]
pub struct Setup {
    /// How many entries it may keep. A store that is limited by bytes counts [`ENTRY_BYTES`] for each.
    pub max_entries: usize,
    /// How long it may keep them.
    pub ttl: Option<Duration>,
    /// Where it reads the time from.
    pub clock: Clock,
}

/// The size of a value in the tests of limits.
pub const ENTRY_BYTES: usize = 100;

impl Default for Setup {
    fn default() -> Self {
        Self { max_entries: 10_000, ttl: None, clock: Clock::system() }
    }
}

/// Counts computations.
#[derive(Debug, Default)]
pub struct Counter(AtomicUsize);

impl Counter {
    /// At 0.
    pub const fn new() -> Self {
        Self(AtomicUsize::new(0))
    }

    /// Counts one; gives the number of those before.
    pub fn count(&self) -> usize {
        self.0.fetch_add(1, Ordering::SeqCst)
    }

    /// The number counted so far.
    pub fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// Runs `test` on a thread of its own; panics if that panics, or has not ended within `limit`.
pub fn within<T: Send + 'static>(limit: Duration, test: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, ended) = mpsc::channel();
    let thread = thread::spawn(move || {
        // The receiver is gone only if the limit has passed.
        let _ = done.send(test());
    });
    match ended.recv_timeout(limit) {
        Ok(result) => result,
        Err(mpsc::RecvTimeoutError::Disconnected) => match thread.join() {
            Err(panic) => std::panic::resume_unwind(panic),
            Ok(()) => unreachable!("the thread sends before it ends"),
        },
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("hangs: not done after {limit:?}"),
    }
}

/// Makes a test of every behaviour for a store: `conformance!(open)`, with
/// `open: Fn(&Setup) -> S` and `S: KeyedStore<u64, Value = String>`.
///
/// Each test calls `open` for a fresh store; they run in parallel.
#[macro_export]
macro_rules! conformance {
    ($open:expr) => {
        $crate::conformance! { @tests $open =>
            // values
            a_result_is_computed_once_per_key
            empty_results_are_results
            errors_are_returned_as_they_are_and_not_kept
            a_panic_reaches_its_caller_and_the_key_works_afterwards
            peek_never_computes
            forget_clear_and_refresh_do_what_they_say
            a_random_program_sees_what_the_function_gives
            async_calls_see_the_same_values
            // flights
            ten_threads_on_a_cold_key_compute_once_and_hold_up_nobody_else
            a_hundred_tasks_on_a_cold_key_compute_once
            when_the_leader_fails_the_waiters_go_on_at_once_and_together
            when_the_leader_panics_the_waiters_go_on
            when_the_leading_future_is_dropped_the_waiters_go_on
            a_computation_that_asks_for_its_own_key_computes_directly
            an_async_computation_that_asks_for_its_own_key_computes_directly
            recursion_from_two_threads_computes_each_key_once
            functions_that_call_each_other_do_not_deadlock
            a_neglected_future_holds_nobody_up_for_ever
            what_is_forgotten_while_it_is_computed_is_not_kept
            after_a_forget_one_of_those_who_waited_computes_for_all
            a_refresh_counts_whatever_happens_to_other_keys
            // limits
            the_limit_on_entries_holds_under_four_threads
            no_room_means_to_compute_every_time
            what_is_used_stays
            an_entry_expires_at_its_deadline_and_not_before
            storing_again_restarts_the_ttl
            a_zero_ttl_means_to_compute_every_time
            an_endless_ttl_never_expires
            an_entry_never_outlives_the_time_it_is_given
        }
    };
    (@tests $open:expr => $($name:ident)+) => {
        $(
            #[test]
            fn $name() {
                $crate::testing::checks::$name($open);
            }
        )+
    };
}

/// Makes tests that keys keep their boundaries: `conformance_of_keys!(expression)`, where the expression opens a fresh
/// store, for whatever
/// type of key, with values of `u32`.
#[macro_export]
macro_rules! conformance_of_keys {
    ($open:expr) => {
        $crate::conformance_of_keys! { @pairs $open =>
            adjacent_strings_do_not_run_into_each_other:
                ("a".to_owned(), "bc".to_owned()), ("ab".to_owned(), "c".to_owned());
            an_empty_string_is_not_an_absent_one: Some(String::new()), None;
            a_tuple_is_not_its_digits: vec![1_u32, 2], vec![12];
            none_is_not_zero: None, Some(0_u64);
            nested_options_differ: Some(None), None::<Option<u8>>;
            a_vector_is_not_its_pieces: vec![vec![1_u8, 2], vec![3]], vec![vec![1], vec![2, 3]];
            long_slices_that_differ_in_the_middle_differ:
                vec![7_u64; 2000], { let mut other = vec![7_u64; 2000]; other[1000] = 8; other };
            negative_numbers_differ_from_positive_ones: -1_i64, 1;
        }

        #[test]
        fn a_borrowed_and_an_owned_argument_are_the_same_key() {
            use $crate::{Call, KeyedStore as _};
            let strings = $open;
            strings.insert(&String::from("key"), &1).unwrap();
            assert_eq!(strings.get("key").unwrap(), Some(1));
            let slices = $open;
            slices.insert(&[1_u16, 2, 3][..], &2).unwrap();
            assert_eq!(slices.get(&vec![1_u16, 2, 3]).unwrap(), Some(2));
            let calls = $open;
            calls.insert(&Call(("text", &7_u32)), &3).unwrap();
            assert_eq!(calls.get(&(String::from("text"), 7_u32)).unwrap(), Some(3));
            assert_eq!(calls.get(&Call(("text", &8_u32))).unwrap(), None);
        }
    };
    (@pairs $open:expr => $($name:ident: $one:expr, $other:expr;)+) => {
        $(
            #[test]
            fn $name() {
                use $crate::KeyedStore as _;
                let store = $open;
                let [one, other] = [$one, $other];
                store.insert(&one, &1).unwrap();
                assert_eq!(store.get(&other).unwrap(), None);
                store.insert(&other, &2).unwrap();
                assert_eq!(store.get(&one).unwrap(), Some(1));
                assert_eq!(store.get(&other).unwrap(), Some(2));
                assert!(store.remove(&one).unwrap());
                assert_eq!(store.get(&other).unwrap(), Some(2));
            }
        )+
    };
}
