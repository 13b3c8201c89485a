//! A real server for each test.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part of it")]

use std::net::TcpListener;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use twat_cache_core::KeyedStore;
use twat_cache_core::testing::system::run;
use twat_cache_core::testing::{self, record_logs, text};
use twat_cache_remote::redis::{Client, Cmd, Connection, FromRedisValue, cmd};
use twat_cache_remote::{RemoteBuilder, rcache};

/// No test takes longer.
pub const LIMIT: Duration = Duration::from_secs(60);

/// Long enough for a busy machine: what is not about time must not depend on it.
pub const LONG: Duration = Duration::from_secs(20);

/// A server, and what the tests ask it.
pub struct Server(testing::Server);

/// Skips a test where no server is installed: `let Some(server) = server!() else { return };`.
#[macro_export]
macro_rules! server {
    ($($argument:expr),*) => {
        $crate::common::Server::start(&[$($argument),*])
    };
}

impl Deref for Server {
    type Target = testing::Server;

    fn deref(&self) -> &testing::Server {
        &self.0
    }
}

impl DerefMut for Server {
    fn deref_mut(&mut self) -> &mut testing::Server {
        &mut self.0
    }
}

impl Server {
    /// Starts a server with these options. `None` if none is installed, which is said.
    pub fn start(arguments: &[&str]) -> Option<Self> {
        record_logs();
        testing::Server::start_with(arguments).map(Self)
    }

    /// Starts three servers that are a cluster.
    pub fn start_cluster() -> Option<[Self; 3]> {
        record_logs();
        testing::Server::start_cluster().map(|nodes| nodes.map(Self))
    }

    /// Starts a server that can become a node of a cluster.
    pub fn start_node() -> Option<Self> {
        testing::Server::start_node().map(Self)
    }

    /// One that is not running yet.
    pub fn stopped(arguments: &[&str]) -> Self {
        record_logs();
        Self(testing::Server::stopped(arguments))
    }

    pub fn client(&self) -> Client {
        Client::open(self.url()).unwrap()
    }

    pub fn connection(&self) -> Connection {
        self.client().get_connection().unwrap()
    }

    /// Asks it something.
    pub fn ask<T: FromRedisValue>(&self, command: &mut Cmd) -> T {
        command.query(&mut self.connection()).unwrap()
    }

    /// The names of all that it has that begin like this.
    pub fn names(&self, pattern: &str) -> Vec<String> {
        self.ask(cmd("KEYS").arg(pattern))
    }

    /// The only entry.
    pub fn entry(&self) -> String {
        let names = self.names(&format!("tc1:*:{}", "?".repeat(32)));
        let [name] = &*names else { panic!("there are {names:?}") };
        name.clone()
    }

    /// A cache on it, with a name of its own. It has all the time that it needs.
    pub fn cache(&self) -> RemoteBuilder {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = format!("cache {}", COUNT.fetch_add(1, Ordering::Relaxed));
        self.named(&name)
    }

    pub fn named(&self, name: &str) -> RemoteBuilder {
        rcache(name).server(self.url()).timeout(LONG)
    }

    /// The warnings that name this server.
    pub fn warnings(&self) -> Vec<String> {
        record_logs().warnings(&self.name())
    }

    /// There is one warning about it, which contains this.
    pub fn assert_one_warning(&self, part: &str) {
        let warnings = self.warnings();
        let [warning] = &*warnings else { panic!("{} warnings: {warnings:#?}", warnings.len()) };
        assert!(warning.contains(part), "no {part:?} in: {warning}");
    }
}

pub fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

pub fn signal_to(signal: &str, process: u32) {
    assert!(run("sh", &[&"-c", &format!("kill -{signal} {process}")]));
}

pub fn value(key: u64) -> String {
    text(key, 100)
}

/// Stores the texts of these keys.
pub fn insert_all(store: &impl KeyedStore<u64, Value = String>, keys: impl IntoIterator<Item = u64>) {
    keys.into_iter().for_each(|key| store.insert(&key, &value(key)).unwrap());
}

/// How many of these are there, all of them right.
pub fn hits(store: &impl KeyedStore<u64, Value = String>, keys: impl IntoIterator<Item = u64>) -> usize {
    let found = keys.into_iter().filter_map(|key| Some((key, store.get(&key).unwrap()?)));
    found.map(|(key, found)| assert_eq!(found, value(key))).count()
}
