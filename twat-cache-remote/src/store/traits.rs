use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use twat_cache_core::{Args, Claim, Error, Found, KeyedStore, Store, Ticket};

use super::RemoteStore;
use crate::server::Via;
use crate::space::Of;

/// The result of a future that blocks instead of waiting.
pub(crate) fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => unreachable!("with `Via::Thread`, nothing waits"),
    }
}

impl<V: Send + Sync> Store for RemoteStore<V> {
    type Value = V;

    fn len(&self) -> Result<usize, Error> {
        now(self.count(Via::Thread))
    }

    fn clear(&self) -> Result<(), Error> {
        now(self.clear_all(Via::Thread))
    }

    fn ttl(&self) -> Option<Duration> {
        self.options.expiry.lifetime()
    }

    #[inline]
    fn stale(&self) -> Option<Duration> {
        self.options.expiry.stale
    }

    fn describe(&self) -> String {
        match &self.space {
            Some(space) => format!("the server at {}", space.server.name),
            None => String::from("no server"),
        }
    }

    fn is_shared(&self) -> bool {
        true
    }
}

impl<K: Args + ?Sized, V: Send + Sync> KeyedStore<K> for RemoteStore<V> {
    fn get(&self, key: &K) -> Result<Option<V>, Error> {
        Ok(now(self.find(&Of(key), Via::Thread))?.map(|found| found.value))
    }

    fn insert(&self, key: &K, value: &V) -> Result<(), Error> {
        self.insert_with_ttl(key, value, None)
    }

    fn remove(&self, key: &K) -> Result<bool, Error> {
        now(self.take(&Of(key), Via::Thread))
    }

    fn get_with_ttl(&self, key: &K) -> Result<Option<Found<V>>, Error> {
        now(self.find(&Of(key), Via::Thread))
    }

    fn insert_with_ttl(&self, key: &K, value: &V, time: Option<Duration>) -> Result<(), Error> {
        now(self.store(&Of(key), &self.encode(value)?, time, None, Via::Thread)).map(drop)
    }

    fn begin(&self, key: &K) -> Ticket {
        Ticket { number: now(self.number(&Of(key), Via::Thread)), is_refresh: false }
    }

    fn insert_begun(&self, key: &K, value: &V, time: Option<Duration>, ticket: Ticket) -> Result<bool, Error> {
        now(self.store(&Of(key), &self.encode(value)?, time, Some(ticket), Via::Thread))
    }

    fn is_outdated(&self, key: &K, ticket: Ticket) -> bool {
        now(self.has_ended(&Of(key), ticket, Via::Thread)).unwrap_or(true)
    }

    fn claim(&self, key: &K, patience: Duration) -> Claim {
        now(self.claim_among_all(&Of(key), patience, Via::Thread))
    }
}

impl<V> fmt::Debug for RemoteStore<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let server = self.space.as_ref().map(|space| &space.server.name);
        f.debug_struct("RemoteStore").field("options", &self.options).field("server", &server).finish_non_exhaustive()
    }
}
