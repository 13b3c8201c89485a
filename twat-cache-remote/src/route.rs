//! Where a cache is: on a server, or on the node of a cluster that has it at present.
//!
//! A cluster divides names into slots, and each of its nodes has some of them. All names of a cache are in one slot, so the cache
//! is on one node. Another node answers which one that is (`MOVED`), so a request itself finds out that the cache has moved.

use std::error::Error as _;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use redis::{RedisError, Value};
use twat_cache_core::{Error, ErrorKind};

use crate::protocol::{self, Keys};
use crate::server::breaker::{Breaker, jittered};
use crate::server::{self, Limit, Request, Server, Via, log_line, spawn};
use crate::tracking::Tracking;

pub(crate) struct Route {
    /// The first server that the user has named.
    pub(crate) first: Arc<Server>,
    /// More nodes of the same cluster.
    others: Vec<Arc<Server>>,
    current: RwLock<Arc<Server>>,
    /// The names of what it has there.
    pub(crate) keys: Keys,
    /// Is open while no node has the cache: the current one is away and there are others, or the slot is being moved.
    lost: Breaker,
    hooks: Mutex<Vec<Weak<dyn Hook>>>,
    /// What is told of changes of the cache, for near caches; made when the first one needs it.
    pub(crate) tracking: OnceLock<Arc<Tracking>>,
}

/// Is called on the driver's thread when the cache can be used again.
pub(crate) trait Hook: Send + Sync {
    fn server_is_back(self: Arc<Self>);
}

/// How often the answer to one request may name another node. While slots are moved, nodes may not agree.
const MOVES: usize = 3;

impl Route {
    pub(crate) fn new(first: Arc<Server>, others: Vec<Arc<Server>>, keys: Keys) -> Arc<Self> {
        let current = RwLock::new(first.clone());
        let (lost, hooks, tracking) = (Breaker::default(), Mutex::default(), OnceLock::new());
        let route = Arc::new(Self { first, others, current, keys, lost, hooks, tracking });
        route.first.on_return(&route);
        route
    }

    pub(crate) fn is_forked(&self) -> bool {
        self.first.is_forked()
    }

    /// A process that was forked must not ask: its locks may be held by threads that it does not have.
    pub(crate) fn check_process(&self) -> Result<(), Error> {
        if self.is_forked() {
            let why = "this process was forked from the process that is connected";
            return Err(Error::new(ErrorKind::Io, "use the server").at(&self.first.name).because(why));
        }
        Ok(())
    }

    /// The server that has the cache, as far as is known.
    pub(crate) fn server(&self) -> Arc<Server> {
        self.current.read().clone()
    }

    /// How people call that server.
    pub(crate) fn name(&self) -> String {
        if self.is_forked() { self.first.name.clone() } else { self.server().name.clone() }
    }

    /// The number of the outage, while the cache cannot be used.
    pub(crate) fn outage(&self) -> Option<u64> {
        self.lost.outage().or_else(|| self.server().outage())
    }

    /// Calls this each time that the cache can be used again.
    pub(crate) fn on_return(&self, hook: Weak<dyn Hook>) {
        let mut hooks = self.hooks.lock();
        hooks.retain(|hook| hook.strong_count() > 0);
        hooks.push(hook);
    }

    /// A server is back.
    pub(crate) fn is_back(&self) {
        if self.lost.outage().is_some() {
            return;
        }
        let hooks: Vec<_> = self.hooks.lock().iter().filter_map(Weak::upgrade).collect();
        hooks.into_iter().for_each(Hook::server_is_back);
    }

    /// Asks the server that has the cache, and waits for at most `limit`.
    pub(crate) async fn ask(
        self: &Arc<Self>,
        request: impl Fn() -> Request,
        limit: Limit,
        via: Via,
    ) -> Result<Value, Error> {
        let begun = self.server();
        if let Some(reason) = self.lost.reason() {
            return Err(Error::new(ErrorKind::Io, "use the server").at(&begun.name).because(reason));
        }
        let (server, answer) = self.follow(begun, request, limit, via).await;
        answer.inspect_err(|error| self.failed(error, &server, limit))
    }

    fn is_on(&self, server: &Arc<Server>) -> bool {
        self.while_on(server, || ())
    }

    /// Uses this server from now on.
    fn move_to(self: &Arc<Self>, server: &Arc<Server>) {
        if self.is_on(server) {
            return;
        }
        server.on_return(self);
        let mut current = self.current.write();
        *current = server.clone();
        // Nobody tells of what changes on this server until it is asked to.
        self.tracking.get().inspect(|tracking| tracking.stop());
    }

    /// Does this if the cache is still on this server, and does not move meanwhile. Returns whether it is.
    pub(crate) fn while_on(&self, server: &Arc<Server>, action: impl FnOnce()) -> bool {
        let current = self.current.read();
        let is_there = Arc::ptr_eq(&current, server);
        if is_there {
            action();
        }
        is_there
    }

    /// Looks for the cache in the background, if it can be elsewhere or is being moved.
    #[cold]
    fn failed(self: &Arc<Self>, error: &Error, server: &Arc<Server>, limit: Limit) {
        let is_refused = redis_error(error).is_some_and(RedisError::is_cluster_error);
        let is_elsewhere = server.outage().is_some() && !(self.others.is_empty() && Arc::ptr_eq(server, &self.first));
        if !is_refused && !is_elsewhere {
            return;
        }
        let reason = error.source().map(ToString::to_string).unwrap_or_default();
        if let Some(opened) = self.lost.open(reason) {
            // A server that is away has warned by itself.
            let level = if is_refused && opened.is_first { log::Level::Warn } else { log::Level::Debug };
            log_line(level, format!("{}; calls go on without it until a node has the cache", error.chain()));
            spawn(search(Arc::downgrade(self), opened.pause, limit));
        }
    }

    /// Those that may know where the cache is.
    fn nodes(&self) -> Vec<Arc<Server>> {
        let current = self.server();
        let named = [&self.first].into_iter().chain(&self.others).filter(|server| !Arc::ptr_eq(server, &current));
        [&current].into_iter().chain(named).cloned().collect()
    }

    /// Whether a node has the cache, and can be used.
    async fn find(self: &Arc<Self>, limit: Limit) -> bool {
        for server in self.nodes() {
            // Of servers that are no cluster, each has entries of its own.
            let slot = Request::Command(protocol::slot(&self.keys));
            if !self.is_on(&server) && !server.takes(slot, limit).await {
                continue;
            }
            let exists = || Request::Command(protocol::exists(&self.keys));
            let (server, answer) = self.follow(server, exists, limit.again(), Via::Driver).await;
            if answer.is_ok() {
                self.move_to(&server);
                return true;
            }
        }
        false
    }

    /// Asks a server, and then those that the answers name. The last one that they name is used from now on.
    async fn follow(
        self: &Arc<Self>,
        mut server: Arc<Server>,
        request: impl Fn() -> Request,
        limit: Limit,
        via: Via,
    ) -> (Arc<Server>, Result<Value, Error>) {
        let mut moves = 0;
        let answer = loop {
            let answer = server.ask(request(), limit, via).await;
            match answer.as_ref().err().and_then(redis_error).and_then(|error| server::node_of(&server, error)) {
                Some(node) if moves < MOVES => server = node,
                _ => break answer,
            }
            moves += 1;
        };
        if moves > 0 {
            self.move_to(&server);
        }
        (server, answer)
    }
}

fn redis_error(error: &Error) -> Option<&RedisError> {
    error.source()?.downcast_ref()
}

/// Looks for the cache after pauses that get longer, until a node has it.
async fn search(route: Weak<Route>, mut pause: Duration, limit: Limit) {
    loop {
        tokio::time::sleep(jittered(pause)).await;
        let Some(route) = route.upgrade() else { return };
        if route.find(limit).await {
            route.lost.close();
            log_line(log::Level::Info, format!("{} has a cache that was lost", route.server().name));
            return route.is_back();
        }
        pause = route.lost.longer(pause);
    }
}
