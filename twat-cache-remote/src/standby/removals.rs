//! What was to be removed from the server while it was away.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Instant;

use parking_lot::Mutex;
use twat_cache_core::{Error, Recorded};

use crate::digest::Key;
use crate::route::Hook;
use crate::server::{Via, log_line, spawn};
use crate::space::{NO_KEY, Space};
use crate::store::RemoteStore;
use crate::terms::Terms;

pub(super) struct Removals {
    space: Option<Arc<Space>>,
    terms: Terms,
    /// See [`RemoteStore::since`].
    since: Arc<AtomicU64>,
    is_any: AtomicBool,
    pending: Mutex<Pending>,
}

#[derive(Default)]
struct Pending {
    /// When each was added, and its number among all.
    keys: HashMap<Recorded, (Instant, u64)>,
    count: u64,
    /// The number of a `clear`, which is repeated.
    clear: Option<u64>,
    /// There were too many. What was computed before the server is back is not used, by this store.
    is_full: bool,
}

const MAX_KEYS: usize = 1 << 16;

impl Removals {
    pub(super) fn new<V>(primary: &RemoteStore<V>) -> Arc<Self> {
        let (space, terms, since) = (primary.space.clone(), primary.terms(Via::Driver), primary.since.clone());
        let removals =
            Arc::new(Self { space, terms, since, is_any: AtomicBool::new(false), pending: Mutex::default() });
        if let Some(space) = &removals.space {
            let weak = Arc::downgrade(&removals);
            space.route.on_return(weak as Weak<dyn Hook>);
        }
        removals
    }

    /// Whether this key must not be read from the server.
    #[inline]
    pub(super) fn include(&self, key: &impl Key) -> bool {
        self.is_any.load(Ordering::Acquire) && {
            let pending = self.pending.lock();
            pending.clear.is_some() || pending.is_full || pending.keys.contains_key(&*key.recorded())
        }
    }

    pub(super) fn add(self: &Arc<Self>, key: &impl Key) {
        self.change(|pending| {
            let number = pending.count;
            if pending.keys.len() < MAX_KEYS {
                pending.keys.insert(key.recorded().into_owned(), (Instant::now(), number));
            } else {
                pending.is_full = true;
            }
        });
    }

    pub(super) fn add_all(self: &Arc<Self>) {
        self.change(|pending| pending.clear = Some(pending.count));
    }

    fn change(self: &Arc<Self>, add: impl FnOnce(&mut Pending)) {
        let Some(space) = self.space.as_ref().filter(|space| !space.route.is_forked()) else { return };
        let mut pending = self.pending.lock();
        pending.count += 1;
        add(&mut pending);
        self.is_any.store(true, Ordering::Release);
        drop(pending);
        if space.route.outage().is_none() {
            self.clone().server_is_back();
        }
    }

    /// Removes what is pending. If that fails, the rest is for the next time.
    async fn remove_all(&self, space: &Space) -> Result<(), Error> {
        let (keys, clear, is_full) = {
            let pending = self.pending.lock();
            let keys: Vec<_> = pending.keys.iter().map(|(key, added)| (key.clone(), *added)).collect();
            (keys, pending.clear, pending.is_full)
        };
        if is_full {
            let number = space.begin(&NO_KEY, self.terms).await?;
            self.since.store(number, Ordering::Release);
            self.pending.lock().is_full = false;
            space.release(NO_KEY, number, self.terms).await;
        }
        if clear.is_some() {
            space.clear(self.terms).await?;
            let mut pending = self.pending.lock();
            // Another one may have failed meanwhile.
            pending.clear = pending.clear.filter(|number| Some(*number) != clear);
        }
        for (key, added) in keys {
            // The server has removed what is older than its lifetime.
            if added.0.elapsed() < self.terms.life {
                space.remove(&key, self.terms).await?;
            }
            let mut pending = self.pending.lock();
            if pending.keys.get(&key) == Some(&added) {
                pending.keys.remove(&key);
            }
        }
        let pending = self.pending.lock();
        let is_any = !pending.keys.is_empty() || pending.clear.is_some() || pending.is_full;
        self.is_any.store(is_any, Ordering::Release);
        Ok(())
    }
}

impl Hook for Removals {
    fn server_is_back(self: Arc<Self>) {
        if self.is_any.load(Ordering::Acquire) {
            spawn(async move {
                let Some(space) = &self.space else { return };
                if let Err(error) = self.remove_all(space).await {
                    log_line(log::Level::Debug, format!("{}; it is removed later", error.chain()));
                }
            });
        }
    }
}
