//! The remote store passes the conformance suite: with both codecs, alone and in its standby, with and without a server.

mod common;

use common::Server;
use twat_cache_core::conformance_of_keys;
use twat_cache_core::testing::{Setup, conformance};
use twat_cache_remote::RemoteBuilder;

fn builder(server: &Server, setup: &Setup) -> RemoteBuilder {
    let builder = server.cache().clock(setup.clock.clone());
    let builder = setup.ttl.into_iter().fold(builder, RemoteBuilder::ttl);
    let builder = setup.stale.into_iter().fold(builder, RemoteBuilder::stale);
    if setup.max_entries == 0 { builder.max_value_bytes(0) } else { builder }
}

/// A test of each behaviour, with a server of its own. The tests of a limit on the number of entries are not among them: that
/// limit is the server's.
macro_rules! conformance_over_a_server {
    ($open:expr) => {
        conformance_over_a_server! { $open =>
            a_result_is_computed_once_per_key
            an_empty_result_is_cached_like_any_other
            errors_are_returned_unchanged_and_not_cached
            a_panic_reaches_its_caller_and_the_key_works_afterwards
            peek_never_computes
            forget_clear_and_refresh_do_what_they_say
            a_random_program_gets_the_results_of_the_function
            async_calls_get_the_same_results
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
            with_a_limit_of_zero_every_call_computes
            an_entry_expires_at_its_deadline_and_not_before
            storing_again_restarts_the_ttl
            with_a_ttl_of_zero_every_call_computes
            an_endless_ttl_never_expires
            an_entry_expires_after_the_ttl_that_it_is_given
            a_result_with_a_ttl_of_zero_is_returned_and_an_earlier_one_is_removed
            a_ttl_by_the_value_replaces_the_ttl_of_the_store
            a_result_that_is_not_to_be_kept_is_returned_and_an_earlier_one_is_removed
            a_rule_that_panics_loses_no_result_and_is_one_warning
            rules_combine
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
    ($open:expr => $($name:ident)+) => {
        $(
            #[test]
            fn $name() {
                let Some(server) = server!() else { return };
                conformance::$name(|setup: &Setup| $open(builder(&server, setup)));
            }
        )+
    };
}

mod rkyv {
    use super::*;
    conformance_over_a_server!(|builder: RemoteBuilder| builder.open::<String>().unwrap());
}

#[cfg(feature = "serde")]
mod serde {
    use super::*;
    conformance_over_a_server!(|builder: RemoteBuilder| builder.serde().open::<String>().unwrap());
}

mod with_memory {
    use super::*;
    conformance_over_a_server!(|builder: RemoteBuilder| builder.with_memory::<String>());
}

mod keys {
    use super::*;
    use std::sync::LazyLock;
    use twat_cache_remote::Standby;

    /// One server for all, with caches of their own. Without one, memory serves.
    fn store() -> Standby<u32> {
        static SERVER: LazyLock<Option<Server>> = LazyLock::new(|| server!());
        SERVER.as_ref().map_or_else(|| twat_cache_remote::rcache("keys").server(""), Server::cache).with_memory()
    }

    conformance_of_keys!(store());
}
