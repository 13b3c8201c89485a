//! The remote store passes the conformance suite: with both codecs, alone and in its standby. Limits on the number of entries
//! are the server's.

mod common;

use common::{LONG, Server};
use twat_cache_core::testing::Setup;
use twat_cache_core::{conformance, conformance_of_keys, conformance_of_stale};
use twat_cache_remote::RemoteBuilder;

/// One server for all tests of this file, which have names of their own. It ends with this process.
fn server() -> &'static Server {
    use std::sync::LazyLock;
    static SERVER: LazyLock<Server> = LazyLock::new(|| server!().expect("asked for before"));
    &SERVER
}
