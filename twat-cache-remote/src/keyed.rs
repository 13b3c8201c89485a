//! The traits of stores, for threads and for tasks, over the steps that both share.

use std::fmt;
use std::sync::atomic::Ordering;
use std::time::Duration;

use twat_cache_core::{Answer, Args, Claim, Error, Found, KeyedStore, Recorded, Stamp, Store, Ticket, ready};

use crate::digest::Of;
use crate::server::Via::{Task, Thread};
use crate::{RemoteStore, Standby};

/// Both stores have the same steps, of the same names. A thread's wait blocks, so its future is ready at once.
macro_rules! whole {
    () => {
        fn len(&self) -> Result<usize, Error> {
            ready(self.count(Thread))
        }

        fn clear(&self) -> Result<(), Error> {
            ready(self.clear_all(Thread))
        }

        fn len_async(&self) -> Answer<'_, usize> {
            Answer::later(self.count(Task))
        }

        fn clear_async(&self) -> Answer<'_, ()> {
            Answer::later(self.clear_all(Task))
        }
    };
}

impl<V: Send + Sync> Store for RemoteStore<V> {
    type Value = V;

    whole!();

    fn ttl(&self) -> Option<Duration> {
        self.options.expiry.lifetime()
    }

    #[inline]
    fn stale(&self) -> Option<Duration> {
        self.options.expiry.stale
    }

    fn describe(&self) -> String {
        match &self.space {
            Some(space) => format!("the server at {}", space.route.name()),
            None => String::from("no server"),
        }
    }

    fn is_shared(&self) -> bool {
        true
    }

    #[inline]
    fn is_current(&self, stamp: Stamp) -> bool {
        self.space.as_ref().is_some_and(|space| space.is_current(stamp))
    }
}

impl<V: Send + Sync> Store for Standby<V> {
    type Value = V;

    whole!();

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

    #[inline]
    fn is_current(&self, stamp: Stamp) -> bool {
        self.primary.is_current(stamp)
    }
}

/// As [`whole`], for one key.
macro_rules! keyed {
    ($($store:ident)+) => {
        $(
            impl<K: Args + ?Sized, V: Send + Sync> KeyedStore<K> for $store<V> {
                fn get(&self, key: &K) -> Result<Option<V>, Error> {
                    Ok(self.get_with_ttl(key)?.map(|found| found.value))
                }

                fn get_async<'a>(&'a self, key: &K) -> Answer<'a, Option<V>> {
                    self.get_with_ttl_async(key).then(|found| Ok(found?.map(|found| found.value)))
                }

                fn get_with_ttl(&self, key: &K) -> Result<Option<Found<V>>, Error> {
                    ready(self.find(&Of(key), Thread))
                }

                fn get_with_ttl_async<'a>(&'a self, key: &K) -> Answer<'a, Option<Found<V>>> {
                    let key = Recorded::of(key);
                    Answer::later(async move { self.find(&key, Task).await })
                }

                fn insert(&self, key: &K, value: &V) -> Result<(), Error> {
                    self.insert_with_ttl(key, value, None)
                }

                fn insert_with_ttl(&self, key: &K, value: &V, ttl: Option<Duration>) -> Result<(), Error> {
                    ready(self.put(&Of(key), &self.encode(value)?, ttl, None, Thread)).map(drop)
                }

                fn insert_with_ttl_async<'a>(&'a self, key: &K, value: &V, ttl: Option<Duration>) -> Answer<'a, ()> {
                    let (key, bytes) = (Recorded::of(key), self.encode(value));
                    Answer::later(async move { self.put(&key, &bytes?, ttl, None, Task).await.map(drop) })
                }

                fn remove(&self, key: &K) -> Result<bool, Error> {
                    ready(self.take(&Of(key), Thread))
                }

                fn remove_async<'a>(&'a self, key: &K) -> Answer<'a, bool> {
                    let key = Recorded::of(key);
                    Answer::later(async move { self.take(&key, Task).await })
                }

                fn begin(&self, key: &K) -> Ticket {
                    ready(self.ticket(&Of(key), Thread))
                }

                fn begin_async<'a>(&'a self, key: &K) -> Answer<'a, Ticket> {
                    let key = Recorded::of(key);
                    Answer::later(async move { Ok(self.ticket(&key, Task).await) })
                }

                fn insert_begun(
                    &self,
                    key: &K,
                    value: &V,
                    ttl: Option<Duration>,
                    ticket: Ticket,
                ) -> Result<bool, Error> {
                    ready(self.put(&Of(key), &self.encode(value)?, ttl, Some(ticket), Thread))
                }

                fn insert_begun_async<'a>(
                    &'a self,
                    key: &K,
                    value: &V,
                    ttl: Option<Duration>,
                    ticket: Ticket,
                ) -> Answer<'a, bool> {
                    let (key, bytes) = (Recorded::of(key), self.encode(value));
                    Answer::later(async move { self.put(&key, &bytes?, ttl, Some(ticket), Task).await })
                }

                fn is_outdated(&self, key: &K, ticket: Ticket) -> bool {
                    ready(self.has_ended(&Of(key), ticket, Thread)).unwrap_or(true)
                }

                fn stamp(&self, key: &K) -> Option<Stamp> {
                    self.stamp_of(key)
                }

                fn claim(&self, key: &K, patience: Duration) -> Claim {
                    ready(self.claim_among_all(&Of(key), patience, Thread))
                }

                fn claim_async<'a>(&'a self, key: &K, patience: Duration) -> Answer<'a, Claim> {
                    let key = Recorded::of(key);
                    Answer::later(async move { Ok(self.claim_among_all(&key, patience, Task).await) })
                }
            }
        )+
    };
}

keyed!(RemoteStore Standby);

impl<V> fmt::Debug for RemoteStore<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let server = self.space.as_ref().map(|space| space.route.name());
        f.debug_struct("RemoteStore").field("options", &self.options).field("server", &server).finish_non_exhaustive()
    }
}

impl<V> fmt::Debug for Standby<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Standby")
            .field("primary", &self.primary)
            .field("is_away", &self.is_away())
            .finish_non_exhaustive()
    }
}
