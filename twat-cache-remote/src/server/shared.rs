//! The connection that tasks share.
//!
//! The driver makes it, so that it is made also if the caller that needs it is cancelled, or is not polled for a while.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, RedisResult};
use tokio::sync::watch::{self, Receiver};
use tokio::time::timeout;

use super::{CONNECTING, failure, spawn};

#[derive(Default)]
pub(super) struct Shared {
    attempt: Mutex<Option<Attempt>>,
    /// How many requests wait for their answers.
    waiting: AtomicUsize,
}

/// A connection that is being made, is made, or has failed.
pub(super) type Attempt = Receiver<Option<RedisResult<MultiplexedConnection>>>;

/// The client's queue takes 50 requests. If it were full, requests of a task that is not polled would stop all others.
const MOST_BY_TASKS: usize = 32;

/// A request that waits for its answer, until this is dropped.
pub(super) struct Place<'a>(&'a AtomicUsize);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Shared {
    pub(super) fn place(&self) -> Place<'_> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        Place(&self.waiting)
    }

    /// The connection, if it is made, and can take the request of a task at once.
    pub(super) fn ready(&self) -> Option<(MultiplexedConnection, Place<'_>)> {
        let attempt = self.attempt.lock();
        let Some(Ok(connection)) = &*attempt.as_ref()?.borrow() else { return None };
        let place = self.place();
        (place.0.load(Ordering::Relaxed) <= MOST_BY_TASKS).then(|| (connection.clone(), place))
    }

    /// The connection, and how to forget it. It is made if there is none.
    pub(super) async fn connection(&self, client: &Client) -> RedisResult<(MultiplexedConnection, Attempt)> {
        let mut attempt = self.attempt.lock().get_or_insert_with(|| connect(client.clone())).clone();
        let connected = attempt.wait_for(Option::is_some).await.ok().and_then(|connected| connected.clone());
        match connected.unwrap_or_else(|| Err(failure::closed())) {
            Ok(connection) => Ok((connection, attempt)),
            Err(error) => {
                self.forget(&attempt);
                Err(error)
            }
        }
    }

    /// Makes another connection when the next one is needed.
    pub(super) fn forget(&self, attempt: &Attempt) {
        self.attempt.lock().take_if(|current| current.same_channel(attempt));
    }

    pub(super) fn clear(&self) {
        *self.attempt.lock() = None;
    }
}

fn connect(client: Client) -> Attempt {
    let (give, take) = watch::channel(None);
    spawn(async move {
        let config = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        let connected = timeout(CONNECTING, client.get_multiplexed_async_connection_with_config(&config)).await;
        let too_late = |_| Err(io::Error::from(io::ErrorKind::TimedOut).into());
        give.send_replace(Some(connected.unwrap_or_else(too_late)));
    });
    take
}
