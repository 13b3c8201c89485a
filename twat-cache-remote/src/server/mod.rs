//! A server, as all caches of this process that use it see it.

pub(crate) mod breaker;
mod connection;
mod driver;
mod failure;
mod limit;
mod pool;
mod registry;
mod request;
mod shared;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::{Arc, Weak, mpsc};
use std::time::Duration;

use parking_lot::Mutex;
use redis::{Client, ConnectionAddr, RedisError, RedisResult, Value};
use tokio::time::timeout_at;
use twat_cache_core::{Error, ErrorKind, Process};

use driver::within;
pub(crate) use driver::{run_users_code, spawn};
pub(crate) use limit::Limit;
pub(crate) use registry::{node_of, server, space};
pub(crate) use request::Request;

use crate::route::Route;
use breaker::Breaker;
use pool::Pool;
use shared::Shared;

/// A server. It is connected to when it is first used.
pub(crate) struct Server {
    pub(crate) client: Client,
    /// Its URL without what is secret.
    pub(crate) name: String,
    process: Process,
    /// For threads.
    pool: Pool,
    /// For tasks.
    shared: Shared,
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
        let (pool, shared, routes) = (Pool::default(), Shared::default(), Mutex::default());
        Self { client, name, process, pool, shared, breaker: Breaker::default(), routes }
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
        let is_short = limit.is_short();
        let answer = match via {
            Via::Thread if !self.is_encrypted() => self.ask_blocking(&request, limit),
            Via::Thread => {
                let (give, take) = mpsc::sync_channel(1);
                let server = self.clone();
                spawn(async move { give.send(server.ask_async(&request, limit).await) });
                take.recv_timeout(limit.left()).unwrap_or_else(|_| Err(limit.exceeded().into()))
            }
            Via::Task => self.ask_in_task(request, limit).await,
            Via::Driver => self.ask_async(&request, limit).await,
        };
        answer.map_err(|error| self.failed(error, limit, is_short))
    }

    /// Whether it does what it is asked. It does not count as away if not.
    pub(crate) async fn takes(&self, request: Request, limit: Limit) -> bool {
        if self.outage().is_some() {
            return false;
        }
        let answer = self.ask_far(&request, limit).await;
        if answer.as_ref().is_err_and(RedisError::is_io_error) {
            // The connection may be one that leads nowhere.
            self.shared.clear();
        }
        answer.is_ok()
    }

    /// On the driver's thread, for a server that may be far away: to connect may take longer than an answer.
    async fn ask_far(&self, request: &Request, limit: Limit) -> RedisResult<Value> {
        self.shared.connection(&self.client).await?;
        self.ask_async(request, limit.again()).await
    }

    /// On any executor. If it takes more than one answer, the driver asks: a task may not be polled for a while.
    async fn ask_in_task(self: &Arc<Self>, request: Request, limit: Limit) -> RedisResult<Value> {
        let mut driver_limit = limit;
        if let Some((mut connection, _place)) = self.shared.ready() {
            let answer = within(in_time(limit, request.send(&mut connection))).await;
            match answer.unwrap_or_else(|| Err(failure::closed())) {
                Err(error) if error.is_connection_dropped() || request::is_unknown(&error) => {}
                answer => return answer,
            }
            driver_limit = limit.again();
        }
        let server = self.clone();
        match spawn(async move { server.ask_async(&request, driver_limit).await }) {
            Some(answer) => answer.await.unwrap_or_else(|_| Err(failure::closed())),
            None => Err(failure::closed()),
        }
    }

    /// On the driver's thread.
    async fn ask_async(&self, request: &Request, limit: Limit) -> RedisResult<Value> {
        let _place = self.shared.place();
        let answer = async {
            let (mut connection, attempt) = self.shared.connection(&self.client).await?;
            match request.ask_async(&mut connection).await {
                // The server closes connections that are idle.
                Err(error) if error.is_connection_dropped() => self.shared.forget(&attempt),
                answer => return answer,
            }
            let (mut connection, _) = self.shared.connection(&self.client).await?;
            request.ask_async(&mut connection).await
        };
        in_time(limit, answer).await
    }

    /// Opens the breaker, unless the server has answered, or had little time for that.
    #[cold]
    fn failed(self: &Arc<Self>, error: RedisError, limit: Limit, is_short: bool) -> Error {
        if failure::is_out_of_memory(&error) {
            return Error::new(ErrorKind::Full, "write an entry").at(&self.name).because(error);
        }
        let is_elsewhere = error.is_cluster_error();
        let is_harmless = is_elsewhere || (is_short && error.is_timeout());
        let kind = if error.is_io_error() || is_elsewhere { ErrorKind::Io } else { ErrorKind::Other };
        let reason = error.to_string();
        let error = Error::new(kind, "use the server").at(&self.name).because(error);
        if is_harmless {
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
        self.shared.clear();
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

/// Within the driver's runtime.
async fn in_time(limit: Limit, answer: impl Future<Output = RedisResult<Value>>) -> RedisResult<Value> {
    timeout_at(limit.end().into(), answer).await.unwrap_or_else(|_| Err(limit.exceeded().into()))
}

/// Asks the server that is away whether it is back, after pauses that get longer.
async fn probe(server: Weak<Server>, mut pause: Duration, limit: Limit) {
    loop {
        tokio::time::sleep(breaker::jittered(pause)).await;
        let Some(server) = server.upgrade() else { return };
        // A replica refuses this, and a server without memory does not.
        let request = Request::Command(redis::cmd("DEL").arg("tc1:probe").take());
        match server.ask_far(&request, limit).await {
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
