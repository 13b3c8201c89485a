//! Connections of threads. A thread has one for itself while it waits: that takes a third of the time of a shared one.

use std::sync::Arc;
use std::sync::mpsc;
use std::thread;

use parking_lot::Mutex;
use redis::{ErrorKind, RedisError, RedisResult, Value};

use super::connection::Connection;
use super::{CONNECTING, Limit, Request, Server};

/// Connections that nobody uses at present.
#[derive(Default)]
pub(crate) struct Pool(Mutex<Vec<Connection>>);

/// As many threads use the server at once without connecting again.
const MAX_IDLE: usize = 32;

impl Pool {
    fn take(&self) -> Option<Connection> {
        self.0.lock().pop()
    }

    fn put(&self, connection: Connection) {
        let mut idle = self.0.lock();
        if idle.len() < MAX_IDLE {
            idle.push(connection);
        }
    }

    pub(crate) fn clear(&self) {
        let idle = std::mem::take(&mut *self.0.lock());
        drop(idle);
    }
}

impl Server {
    /// Asks the server on a connection of the pool.
    pub(super) fn ask_blocking(self: &Arc<Self>, request: &Request, limit: Limit) -> RedisResult<Value> {
        while let Some(mut idle) = self.pool.take() {
            idle.set_limit(limit);
            match request.ask(&mut idle) {
                // The server has closed connections that were idle.
                Err(error) if error.is_connection_dropped() => self.pool.clear(),
                answer => return self.keep(idle, answer),
            }
        }
        let mut new = self.connect(limit)?;
        new.set_limit(limit);
        let answer = request.ask(&mut new);
        self.keep(new, answer)
    }

    /// Keeps a connection for later, unless an answer may still come on it.
    fn keep(&self, connection: Connection, answer: RedisResult<Value>) -> RedisResult<Value> {
        if answer.as_ref().err().is_none_or(|error| matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension))
        {
            self.pool.put(connection);
        }
        answer
    }

    /// Connects on a thread of its own: the system may take long to find the server's address. A connection that comes too late
    /// is for others.
    fn connect(self: &Arc<Self>, limit: Limit) -> RedisResult<Connection> {
        let (give, take) = mpsc::sync_channel(0);
        let server = Arc::downgrade(self);
        let client = self.client.clone();
        let connect = move || {
            let connected = Connection::open(client.get_connection_info(), Limit::new(CONNECTING));
            if let Err(mpsc::SendError(Ok(connection))) = give.send(connected)
                && let Some(server) = server.upgrade()
            {
                server.pool.put(connection);
            }
        };
        thread::Builder::new().name("twat-cache-connect".to_owned()).spawn(connect).map_err(RedisError::from)?;
        take.recv_timeout(limit.left()).unwrap_or_else(|_| Err(limit.exceeded().into()))
    }
}
