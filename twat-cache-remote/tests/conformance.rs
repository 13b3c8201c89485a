//! The remote store passes the conformance suite: with both codecs, alone and in its standby, with and without a server.

mod common;

use std::sync::LazyLock;

use common::Server;
use twat_cache_core::testing::Setup;
use twat_cache_core::{conformance, conformance_of_keys, conformance_of_stale};
use twat_cache_remote::RemoteBuilder;

/// One server for all, with caches of their own.
static SERVER: LazyLock<Option<Server>> = LazyLock::new(|| server!());

/// Whether there is one; if not, that is said for each test.
fn has_server() -> bool {
    SERVER.is_some() || server!().is_some()
}

fn builder(setup: &Setup) -> RemoteBuilder {
    let builder = SERVER.as_ref().unwrap().cache().clock(setup.clock.clone());
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

mod keys {
    use super::*;
    use twat_cache_remote::Standby;

    /// Without a server, memory serves.
    fn store() -> Standby<u32> {
        SERVER.as_ref().map_or_else(|| twat_cache_remote::rcache("keys").server(""), Server::cache).with_memory()
    }

    conformance_of_keys!(store());
}
