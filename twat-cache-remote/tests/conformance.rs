//! The remote store passes the conformance suite: with both codecs, alone and in its standby, on a server, on a cluster, and
//! without any.

mod common;

use std::sync::LazyLock;

use common::Server;
use twat_cache_core::testing::Setup;
use twat_cache_core::{conformance, conformance_of_keys, conformance_of_stale};
use twat_cache_remote::{RemoteBuilder, RemoteStore};

/// One server for all, with caches of their own.
static SERVER: LazyLock<Option<Server>> = LazyLock::new(|| server!());

/// Whether there is one; if not, that is said for each test.
fn has_server() -> bool {
    SERVER.is_some() || server!().is_some()
}

/// The caches of a cluster are on all of its nodes.
static CLUSTER: LazyLock<Option<[Server; 3]>> = LazyLock::new(Server::start_cluster);

fn builder(setup: &Setup) -> RemoteBuilder {
    set_up(setup, SERVER.as_ref().unwrap().cache())
}

fn set_up(setup: &Setup, builder: RemoteBuilder) -> RemoteBuilder {
    let builder = builder.clock(setup.clock.clone());
    let builder = setup.ttl.into_iter().fold(builder, RemoteBuilder::ttl);
    let builder = setup.stale.into_iter().fold(builder, RemoteBuilder::stale);
    if setup.max_entries == 0 { builder.max_value_bytes(0) } else { builder }
}

/// The limit on the number of entries is the server's.
macro_rules! conformance_over_a_server {
    ($open:expr) => {
        conformance!(unlimited |setup: &Setup| $open(builder(setup)), if has_server());
        conformance_of_stale!(|setup: &Setup| $open(builder(setup)), if has_server());
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

mod cluster {
    use super::*;

    fn open(setup: &Setup) -> RemoteStore<String> {
        let [first, ..] = CLUSTER.as_ref().unwrap();
        set_up(setup, first.cache()).open().unwrap()
    }

    fn has_cluster() -> bool {
        CLUSTER.is_some() || server!().is_some()
    }

    conformance!(unlimited open, if has_cluster());
    conformance_of_stale!(open, if has_cluster());
}

mod keys {
    use super::*;
    use twat_cache_remote::Standby;

    /// Without a server, memory serves.
    fn store() -> Standby<u32> {
        SERVER.as_ref().map_or_else(|| twat_cache_remote::rcache("keys").server(""), Server::cache).with_memory()
    }

    conformance_of_keys!(store());
}
