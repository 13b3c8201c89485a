//! One server for each URL, and one space for each cache on it, shared by all stores of the process.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, LazyLock, Weak};

use parking_lot::Mutex;
use redis::{Client, ConnectionAddr, IntoConnectionInfo as _, RedisResult};
use twat_cache_core::Process;

use super::Server;
use crate::space::Space;

type Shared<K, T> = Mutex<HashMap<K, Weak<T>>>;

#[derive(Default)]
struct Registry {
    process: Process,
    servers: Shared<String, Server>,
    spaces: Shared<(String, String), Space>,
}

static REGISTRY: LazyLock<Registry> = LazyLock::new(Registry::default);

/// The server with this URL. It is connected to when it is first used.
pub(crate) fn server(url: &str) -> RedisResult<Arc<Server>> {
    let info = url.into_connection_info()?;
    #[cfg(feature = "tls")]
    if matches!(info.addr(), ConnectionAddr::TcpTls { .. }) {
        // Without one, rustls panics. A program may have chosen another one before.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
    let name = match info.addr() {
        ConnectionAddr::Tcp(host, port) => format!("redis://{host}:{port}"),
        ConnectionAddr::TcpTls { host, port, .. } => format!("rediss://{host}:{port}"),
        address => address.to_string(),
    };
    let client = Client::open(info)?;
    Ok(REGISTRY.find(&REGISTRY.servers, url.to_owned(), || Server::new(client, name, REGISTRY.process)))
}

/// The space of what begins like this on a server.
pub(crate) fn space(url: &str, prefix: String, new: impl FnOnce() -> Space) -> Arc<Space> {
    REGISTRY.find(&REGISTRY.spaces, (url.to_owned(), prefix), new)
}

impl Registry {
    fn find<K: Hash + Eq, T>(&self, all: &Shared<K, T>, key: K, new: impl FnOnce() -> T) -> Arc<T> {
        if self.process.is_forked() {
            // A thread that this process does not have may hold the lock.
            return Arc::new(new());
        }
        let mut all = all.lock();
        all.retain(|_, one| one.strong_count() > 0);
        let found = all.get(&key).and_then(Weak::upgrade);
        found.unwrap_or_else(|| {
            let new = Arc::new(new());
            all.insert(key, Arc::downgrade(&new));
            new
        })
    }
}
