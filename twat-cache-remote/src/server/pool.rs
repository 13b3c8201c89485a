//! Connections of threads. A thread has one for itself while it waits: that takes a third of the time of a shared one.

use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use redis::{Connection, ErrorKind, RedisError, RedisResult, Value};

use super::{CONNECTING, Request, Server, failure};

/// Connections that nobody uses at present.
#[derive(Default)]
pub(crate) struct Pool(Mutex<Vec<Idle>>);

struct Idle {
    connection: Connection,
    /// The time limit of its socket.
    limit: Duration,
}

const MAX_IDLE: usize = 8;

impl Pool {
    fn take(&self) -> Option<Idle> {
        self.0.lock().pop()
    }

    fn put(&self, connection: Idle) {
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
    pub(super) fn ask_blocking(self: &Arc<Self>, request: &Request, limit: Duration) -> RedisResult<Value> {
        while let Some(mut idle) = self.pool.take() {
            match idle.ask(request, limit) {
                // The server has closed connections that were idle.
                Err(error) if error.is_connection_dropped() => self.pool.clear(),
                answer => return self.keep(idle, answer),
            }
        }
        let begun = Instant::now();
        let mut new = self.connect(limit)?;
        let answer = new.ask(request, limit.saturating_sub(begun.elapsed()));
        self.keep(new, answer)
    }

    /// Keeps a connection for later, unless an answer may still come on it.
    fn keep(&self, connection: Idle, answer: RedisResult<Value>) -> RedisResult<Value> {
        if answer.as_ref().err().is_none_or(|error| matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension))
        {
            self.pool.put(connection);
        }
        answer
    }

    /// Connects on a thread of its own: a server that is stopped accepts, and then says nothing. A connection that comes too
    /// late is for others.
    fn connect(self: &Arc<Self>, limit: Duration) -> RedisResult<Idle> {
        let (give, take) = mpsc::sync_channel(0);
        let server = Arc::downgrade(self);
        let client = self.client.clone();
        let connect = move || {
            let connected = client.get_connection_with_timeout(CONNECTING);
            let connected = connected.map(|connection| Idle { connection, limit: Duration::ZERO });
            if let Err(mpsc::SendError(Ok(connection))) = give.send(connected)
                && let Some(server) = server.upgrade()
                && server.outage().is_none()
            {
                server.pool.put(connection);
            }
        };
        thread::Builder::new().name("twat-cache-connect".to_owned()).spawn(connect).map_err(RedisError::from)?;
        take.recv_timeout(limit).unwrap_or_else(|_| Err(failure::too_late(limit)))
    }
}

impl Idle {
    fn ask(&mut self, request: &Request, limit: Duration) -> RedisResult<Value> {
        // Zero would mean forever.
        let limit = limit.max(Duration::from_millis(1));
        if self.limit != limit {
            self.connection.set_read_timeout(Some(limit))?;
            self.connection.set_write_timeout(Some(limit))?;
            self.limit = limit;
        }
        request.ask(&mut self.connection)
    }
}
