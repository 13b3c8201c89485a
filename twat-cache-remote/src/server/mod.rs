//! A server, as all caches of this process that use it see it.

pub(crate) mod breaker;
mod connection;
mod driver;
mod failure;
mod limit;
mod pool;
mod registry;
mod request;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::{Arc, Weak, mpsc};
use std::time::Duration;

use parking_lot::Mutex;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, ConnectionAddr, RedisError, RedisResult, Value};
use twat_cache_core::{Error, ErrorKind, Process};

use driver::within;
pub(crate) use driver::{run_users_code, spawn};
pub(crate) use limit::Limit;
pub(crate) use registry::{node_of, server, space};
pub(crate) use request::Request;

use crate::route::Route;
use breaker::Breaker;
use pool::Pool;

/// A server. It is connected to when it is first used.
pub(crate) struct Server {
    pub(crate) client: Client,
    /// Its URL without what is secret.
    pub(crate) name: String,
    process: Process,
    /// For threads.
    pool: Pool,
    /// For tasks; made again after each failure.
    manager: Mutex<Option<ConnectionManager>>,
    breaker: Breaker,
    /// Those of the caches that use it.
    routes: Mutex<Vec<Weak<Route>>>,
}

/// What waits for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Via {
    /// A thread, which blocks. The future is ready at its first poll.
    Thread,
    /// A task, on any executor.
    Task,
    /// A task of the driver.
    Driver,
}

/// How long it may take to connect. That is in the background, so that a call waits for its own limit only.
const CONNECTING: Duration = Duration::from_secs(5);

impl Server {
    fn new(client: Client, name: String, process: Process) -> Self {
        let (pool, manager, routes) = (Pool::default(), Mutex::new(None), Mutex::default());
        Self { client, name, process, pool, manager, breaker: Breaker::default(), routes }
    }

    pub(crate) fn is_forked(&self) -> bool {
        self.process.is_forked()
    }

    fn is_encrypted(&self) -> bool {
        matches!(self.client.get_connection_info().addr(), ConnectionAddr::TcpTls { .. })
    }

    /// The number of the outage, while the server is away.
    #[inline]
    pub(crate) fn outage(&self) -> Option<u64> {
        self.breaker.outage()
    }

    /// Tells this route each time that the server is back.
    pub(crate) fn on_return(&self, route: &Arc<Route>) {
        let mut routes = self.routes.lock();
        routes.retain(|other| other.strong_count() > 0 && !ptr::eq(other.as_ptr(), Arc::as_ptr(route)));
        routes.push(Arc::downgrade(route));
    }

    /// Asks the server, and waits for at most `limit`.
    pub(crate) async fn ask(self: &Arc<Self>, request: Request, limit: Limit, via: Via) -> Result<Value, Error> {
        if let Some(reason) = self.breaker.reason() {
            return Err(Error::new(ErrorKind::Io, "use the server").at(&self.name).because(reason));
        }
        let answer = match via {
            Via::Thread if !self.is_encrypted() => self.ask_blocking(&request, limit),
            Via::Thread => {
                let (give, take) = mpsc::sync_channel(1);
                let server = self.clone();
                spawn(async move { give.send(server.ask_async(&request, limit).await) });
                take.recv_timeout(limit.left()).unwrap_or_else(|_| Err(limit.exceeded().into()))
            }
            Via::Task => within(self.ask_async(&request, limit)).await.unwrap_or_else(|| Err(failure::closed())),
            Via::Driver => self.ask_async(&request, limit).await,
        };
        answer.map_err(|error| self.failed(error, limit))
    }

    /// Within the driver's runtime.
    async fn ask_async(&self, request: &Request, limit: Limit) -> RedisResult<Value> {
        let answer = async {
            let mut manager = self.manager()?;
            match request.ask_async(&mut manager).await {
                // The server has closed a connection that was idle. The manager makes another one.
                Err(error) if error.is_connection_dropped() => request.ask_async(&mut manager).await,
                answer => answer,
            }
        };
        tokio::time::timeout_at(limit.end().into(), answer).await.unwrap_or_else(|_| Err(limit.exceeded().into()))
    }

    fn manager(&self) -> RedisResult<ConnectionManager> {
        let mut manager = self.manager.lock();
        if let Some(manager) = &*manager {
            return Ok(manager.clone());
        }
        // Calls have limits of their own, and the breaker has the pauses.
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(0)
            .set_connection_timeout(Some(CONNECTING))
            .set_response_timeout(None);
        Ok(manager.insert(self.client.get_connection_manager_lazy(config)?).clone())
    }

    /// Opens the breaker, unless the server has only refused to store something, or says that another node has the cache.
    #[cold]
    fn failed(self: &Arc<Self>, error: RedisError, limit: Limit) -> Error {
        if failure::is_out_of_memory(&error) {
            return Error::new(ErrorKind::Full, "write an entry").at(&self.name).because(error);
        }
        let is_elsewhere = error.is_cluster_error();
        let kind = if error.is_io_error() || is_elsewhere { ErrorKind::Io } else { ErrorKind::Other };
        let reason = error.to_string();
        let error = Error::new(kind, "use the server").at(&self.name).because(error);
        if is_elsewhere {
            return error;
        }
        if let Some(opened) = self.breaker.open(reason) {
            self.disconnect();
            let level = if opened.is_first { log::Level::Warn } else { log::Level::Debug };
            log_line(level, format!("{}; calls go on without it until it is back", error.chain()));
            spawn(probe(Arc::downgrade(self), opened.pause, limit));
        }
        error
    }

    fn disconnect(&self) {
        self.pool.clear();
        *self.manager.lock() = None;
    }

    fn is_back(&self) {
        self.breaker.close();
        log_line(log::Level::Info, format!("the server at {} is back", self.name));
        let routes: Vec<_> = self.routes.lock().iter().filter_map(Weak::upgrade).collect();
        for route in routes {
            route.is_back();
        }
    }
}

/// Asks the server that is away whether it is back, after pauses that get longer.
async fn probe(server: Weak<Server>, mut pause: Duration, limit: Limit) {
    loop {
        tokio::time::sleep(breaker::jittered(pause)).await;
        let Some(server) = server.upgrade() else { return };
        // A replica refuses this, and a server without memory does not.
        let request = Request::Command(redis::cmd("DEL").arg("tc1:probe").take());
        match server.ask_async(&request, limit.again()).await {
            Ok(_) => return server.is_back(),
            // Another node of its cluster has this name.
            Err(error) if error.is_cluster_error() => return server.is_back(),
            Err(_) => server.disconnect(),
        }
        pause = server.breaker.longer(pause);
    }
}

/// Logs a line. The logger is the user's code, so it may panic.
pub(crate) fn log_line(level: log::Level, line: String) {
    run_users_code(move || {
        let log = || log::log!(target: "twat_cache", level, "{line}");
        let _ = catch_unwind(AssertUnwindSafe(log));
    });
}
