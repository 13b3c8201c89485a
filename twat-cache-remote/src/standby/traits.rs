use std::sync::atomic::Ordering;
use std::time::Duration;

use twat_cache_core::{Args, Claim, Error, Found, KeyedStore, Store, Ticket};

use super::Standby;
use crate::server::Via;
use crate::space::Of;
use crate::store::now;

impl<V: Send + Sync> Store for Standby<V> {
    type Value = V;

    fn len(&self) -> Result<usize, Error> {
        now(self.count(Via::Thread))
    }

    fn clear(&self) -> Result<(), Error> {
        now(self.clear_all(Via::Thread))
    }

    fn ttl(&self) -> Option<Duration> {
        self.primary.ttl()
    }

    #[inline]
    fn stale(&self) -> Option<Duration> {
        self.primary.stale()
    }

    fn describe(&self) -> String {
        match &self.primary.space {
            None => String::from("memory"),
            Some(_) if self.is_away() => format!("memory, while {} is away", self.primary.describe()),
            Some(_) => self.primary.describe(),
        }
    }

    fn suppressed_errors(&self) -> u64 {
        self.suppressed_errors.load(Ordering::Relaxed)
    }

    fn is_shared(&self) -> bool {
        self.primary.space.is_some()
    }
}

impl<K: Args + ?Sized, V: Send + Sync> KeyedStore<K> for Standby<V> {
    fn get(&self, key: &K) -> Result<Option<V>, Error> {
        Ok(self.get_with_ttl(key)?.map(|found| found.value))
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
        now(self.put(&Of(key), &self.primary.encode(value)?, time, None, Via::Thread)).map(drop)
    }

    fn begin(&self, key: &K) -> Ticket {
        self.primary.begin(key)
    }

    fn insert_begun(&self, key: &K, value: &V, time: Option<Duration>, ticket: Ticket) -> Result<bool, Error> {
        now(self.put(&Of(key), &self.primary.encode(value)?, time, Some(ticket), Via::Thread))
    }

    fn is_outdated(&self, key: &K, ticket: Ticket) -> bool {
        self.primary.is_outdated(key, ticket)
    }

    fn claim(&self, key: &K, patience: Duration) -> Claim {
        self.primary.claim(key, patience)
    }
}
