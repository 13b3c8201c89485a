//! What every store must do, as tests: the behaviours themselves, and the macros that make tests of them.

mod flights;
mod limits;
mod rules;
mod stale;
mod values;

use std::time::Duration;

#[cfg(feature = "persist")]
use crate::Expiry;
use crate::{Clock, KeyedStore, LruStore};

#[doc(hidden)]
pub use flights::*;
#[doc(hidden)]
pub use limits::*;
#[doc(hidden)]
pub use rules::*;
#[doc(hidden)]
pub use stale::*;
#[doc(hidden)]
pub use values::*;

/// A store for the suite. `'static`, because some tests end on a thread of their own.
pub trait Subject: KeyedStore<u64, Value = String> + 'static {}
impl<S: KeyedStore<u64, Value = String> + 'static> Subject for S {}

/// How a store under test is to be opened.
#[derive(Clone, Debug)]
pub struct Setup {
    /// How many entries it may have. A store that is limited by bytes counts [`ENTRY_BYTES`] for each.
    pub max_entries: usize,
    /// How long they are valid.
    pub ttl: Option<Duration>,
    /// How long they are stale after that.
    pub stale: Option<Duration>,
    /// Where it reads the time from.
    pub clock: Clock,
}

/// The size of a value in the tests of limits.
pub const ENTRY_BYTES: usize = 100;

impl Default for Setup {
    fn default() -> Self {
        Self { max_entries: 10_000, ttl: None, stale: None, clock: Clock::system() }
    }
}

impl Setup {
    /// A store in memory, to stand in front of another one or behind it.
    pub fn lru<V>(&self) -> LruStore<V> {
        let store = LruStore::new(self.max_entries).clock(self.clock.clone());
        let store = self.ttl.into_iter().fold(store, LruStore::ttl);
        self.stale.into_iter().fold(store, LruStore::stale)
    }

    /// The options of a store that outlives the process, with this many bytes for each entry.
    #[cfg(feature = "persist")]
    pub fn options(&self, dir: &std::path::Path, entry_bytes: usize) -> crate::persist::Options {
        let mut options = crate::persist::Options::new("name", (self.max_entries * entry_bytes) as u64);
        options.dir = Some(dir.to_owned());
        options.expiry = Expiry { ttl: self.ttl, stale: self.stale, clock: self.clock.clone() };
        options
    }
}

/// Makes a test of every behaviour for a store: `conformance!(open)`, with
/// `open: Fn(&Setup) -> S` and `S: KeyedStore<u64, Value = String>`.
///
/// Each test calls `open` for a fresh store; they run in parallel. `conformance!(unlimited open)` is for stores without a limit on
/// the number of entries. With `, if condition` after `open`, a test is skipped where the condition is false.
#[macro_export]
macro_rules! conformance {
    ($open:expr) => {
        $crate::conformance! { unlimited $open, if true }
        $crate::conformance! { @tests $open =>
            the_limit_on_entries_holds_under_four_threads
            entries_in_constant_use_are_not_evicted
        }
    };
    (unlimited $open:expr, if $condition:expr) => {
        $crate::conformance! { @tests $open, if $condition =>
            // values
            a_result_is_computed_once_per_key
            an_empty_result_is_cached_like_any_other
            errors_are_returned_unchanged_and_not_cached
            a_panic_reaches_its_caller_and_the_key_works_afterwards
            peek_never_computes
            forget_clear_and_refresh_do_what_they_say
            a_random_program_gets_the_results_of_the_function
            async_calls_get_the_same_results
            // flights
            ten_threads_compute_a_cold_key_once_and_do_not_block_other_keys
            a_hundred_tasks_compute_a_cold_key_once
            when_the_leader_fails_the_waiters_compute_at_the_same_time
            when_the_leader_panics_a_waiter_computes
            when_the_leader_is_cancelled_a_waiter_computes
            a_computation_that_asks_for_its_own_key_computes_directly
            an_async_computation_that_asks_for_its_own_key_computes_directly
            recursion_from_two_threads_computes_each_key_once
            functions_that_call_each_other_do_not_deadlock
            a_leader_that_is_no_longer_polled_does_not_block_others_forever
            a_result_that_is_forgotten_during_its_computation_is_not_stored
            after_a_forget_one_waiter_computes_for_all_waiters
            a_refresh_is_stored_whatever_happens_to_other_keys
            // limits
            with_a_limit_of_zero_every_call_computes
            an_entry_expires_at_its_deadline_and_not_before
            storing_again_restarts_the_ttl
            with_a_ttl_of_zero_every_call_computes
            an_endless_ttl_never_expires
            an_entry_expires_after_the_ttl_that_it_is_given
            // rules
            a_result_with_a_ttl_of_zero_is_returned_and_an_earlier_one_is_removed
            a_ttl_by_the_value_replaces_the_ttl_of_the_store
            a_result_that_is_not_to_be_kept_is_returned_and_an_earlier_one_is_removed
            a_rule_that_panics_loses_no_result_and_is_one_warning
            rules_combine
        }
    };
    (@tests $open:expr $(, if $condition:expr)? => $($name:ident)+) => {
        $crate::conformance! { @each { $open } { true $(&& $condition)? } $($name)+ }
    };
    (@each { $open:expr } { $condition:expr } $($name:ident)+) => {
        $(
            #[test]
            fn $name() {
                if $condition {
                    $crate::testing::conformance::$name($open);
                }
            }
        )+
    };
}

/// Makes a test of every behaviour of stale results, for a store with the option `stale`: `conformance_of_stale!(open)`, with
/// `open` as for [`conformance!`](crate::conformance).
#[macro_export]
macro_rules! conformance_of_stale {
    ($open:expr $(, if $condition:expr)?) => {
        $crate::conformance! { @tests $open $(, if $condition)? =>
            while_one_of_a_hundred_threads_computes_the_others_get_the_stale_result
            while_one_of_a_hundred_tasks_computes_the_others_get_the_stale_result
            a_function_that_fails_gets_its_stale_result_for_a_while
            no_result_is_older_than_the_ttl_and_the_stale_time
            a_stale_result_that_is_forgotten_is_gone
            a_result_that_is_forgotten_during_a_computation_that_fails_is_gone
            a_refresh_that_fails_returns_its_error_and_keeps_the_stale_result
            a_ttl_by_the_value_is_followed_by_the_stale_time
        }
    };
}

/// Makes tests that no two keys are mistaken for each other: `conformance_of_keys!(expression)`, where the expression opens a
/// fresh store, for any type of key, with values of `u32`.
#[macro_export]
macro_rules! conformance_of_keys {
    ($open:expr) => {
        $crate::conformance_of_keys! { @pairs $open =>
            adjacent_strings_are_kept_apart:
                ("a".to_owned(), "bc".to_owned()), ("ab".to_owned(), "c".to_owned());
            an_empty_string_is_not_an_absent_one: Some(String::new()), None;
            a_vector_is_not_its_digits: vec![1_u32, 2], vec![12];
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
