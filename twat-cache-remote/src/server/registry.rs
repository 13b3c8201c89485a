//! One server for each address and user, and one space for each cache on it, shared by all stores of the process.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, LazyLock, Weak};

use parking_lot::Mutex;
use redis::{
    Client, ConnectionAddr, ConnectionInfo, ErrorKind, IntoConnectionInfo as _, RedisError, RedisResult,
    ServerErrorKind,
};
use twat_cache_core::Process;

use super::Server;
use crate::space::Space;

type Shared<K, T> = Mutex<HashMap<K, Weak<T>>>;

#[derive(Default)]
struct Registry {
    process: Process,
    /// By address, user with password, and number of the database.
    servers: Shared<(String, [Option<String>; 2], i64), Server>,
    spaces: Shared<(String, String), Space>,
}

static REGISTRY: LazyLock<Registry> = LazyLock::new(Registry::default);

/// The server with this URL. It is connected to when it is first used.
pub(crate) fn server(url: &str) -> RedisResult<Arc<Server>> {
    server_at(url.trim().into_connection_info()?)
}

/// The node of the server's cluster that has what was asked for, as this error says.
pub(crate) fn node_of(server: &Server, error: &RedisError) -> Option<Arc<Server>> {
    if error.kind() != ErrorKind::Server(ServerErrorKind::Moved) {
        return None;
    }
    let (host, port) = error.redirect_node()?.0.rsplit_once(':')?;
    let info = server.client.get_connection_info().clone();
    let mut address = info.addr().clone();
    if let ConnectionAddr::Tcp(own_host, own_port) | ConnectionAddr::TcpTls { host: own_host, port: own_port, .. } =
        &mut address
    {
        // A node without a name of its own is on the same host.
        if !host.is_empty() {
            host.clone_into(own_host);
        }
        *own_port = port.parse().ok()?;
    }
    server_at(info.set_addr(address)).ok()
}

fn server_at(info: ConnectionInfo) -> RedisResult<Arc<Server>> {
    #[cfg(feature = "tls")]
    if matches!(info.addr(), ConnectionAddr::TcpTls { .. }) {
        // Without one, rustls panics. A program may have chosen another one before.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
    let name = match info.addr() {
        ConnectionAddr::Tcp(host, port) => format!("redis://{host}:{port}"),
        ConnectionAddr::TcpTls { host, port, insecure, .. } => {
            format!("rediss://{host}:{port}{}", if *insecure { "/#insecure" } else { "" })
        }
        address => address.to_string(),
    };
    let settings = info.redis_settings();
    let user = [settings.username(), settings.password()].map(|text| text.map(ToOwned::to_owned));
    let key = (name.clone(), user, settings.db());
    let client = Client::open(info)?;
    Ok(REGISTRY.find(&REGISTRY.servers, key, || Server::new(client, name, REGISTRY.process)))
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
