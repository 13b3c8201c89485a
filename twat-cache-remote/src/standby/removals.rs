//! What was to be removed from the server while it was away.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::timeout;
use twat_cache_core::{Error, Recorded};

use crate::digest::Key;
use crate::route::Hook;
use crate::server::breaker::jittered;
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
    /// The server may be back.
    wake: Arc<Notify>,
}

#[derive(Default)]
struct Pending {
    /// The number of each among all.
    keys: HashMap<Recorded, u64>,
    count: u64,
    /// The number of a `clear`, which is repeated.
    clear: Option<u64>,
    /// The number of the last one when there were too many. What was computed before the server is back is not used, by this store.
    surplus: Option<u64>,
    /// A task of the driver removes them.
    is_removing: bool,
}

const MAX_KEYS: usize = 1 << 16;

/// The pause after a removal that failed. It ends earlier when the server is back.
const PAUSE: Duration = Duration::from_secs(1);

impl Removals {
    pub(super) fn new<V>(primary: &RemoteStore<V>) -> Arc<Self> {
        let (space, terms, since) = (primary.space.clone(), primary.terms(Via::Driver), primary.since.clone());
        let (is_any, pending, wake) = (AtomicBool::new(false), Mutex::default(), Arc::default());
        let removals = Arc::new(Self { space, terms, since, is_any, pending, wake });
        if let Some(space) = &removals.space {
            let weak = Arc::downgrade(&removals);
            space.route.on_return(weak as Weak<dyn Hook>);
        }
        removals
    }

    /// Whether this key must not be read from the server.
    #[inline]
    pub(super) fn include(&self, key: &impl Key) -> bool {
        self.is_any.load(Ordering::Acquire) && self.contain(key)
    }

    #[cold]
    fn contain(&self, key: &impl Key) -> bool {
        // Without the lock, because the user's code makes it.
        let key = key.recorded();
        // A process that was forked does not wait for the lock: a thread that it does not have may hold it.
        if self.space.as_ref().is_none_or(|space| space.route.is_forked()) {
            return false;
        }
        let pending = self.pending.lock();
        pending.clear.is_some() || pending.surplus.is_some() || pending.keys.contains_key(&*key)
    }

    pub(super) fn add(self: &Arc<Self>, key: &impl Key) {
        let key = key.recorded().into_owned();
        self.change(|pending| {
            if pending.keys.len() < MAX_KEYS {
                pending.keys.insert(key, pending.count);
            } else {
                pending.surplus = Some(pending.count);
            }
        });
    }

    pub(super) fn add_all(self: &Arc<Self>) {
        self.change(|pending| pending.clear = Some(pending.count));
    }

    fn change(self: &Arc<Self>, add: impl FnOnce(&mut Pending)) {
        if self.space.as_ref().is_none_or(|space| space.route.is_forked()) {
            return;
        }
        let mut pending = self.pending.lock();
        pending.count += 1;
        add(&mut pending);
        self.is_any.store(true, Ordering::Release);
        if !std::mem::replace(&mut pending.is_removing, true) {
            spawn(remove_pending(self.clone()));
        }
    }

    /// Removes what is pending. If that fails, the rest is for the next time.
    async fn remove_all(&self, space: &Space) -> Result<(), Error> {
        let (keys, clear, surplus) = {
            let pending = self.pending.lock();
            (pending.keys.clone(), pending.clear, pending.surplus)
        };
        // They come first, because a server that is full takes nothing else.
        for (key, number) in keys {
            space.remove(&key, self.terms).await?;
            let mut pending = self.pending.lock();
            // Another one may have failed meanwhile.
            if pending.keys.get(&key) == Some(&number) {
                pending.keys.remove(&key);
            }
        }
        if surplus.is_some() {
            let number = space.begin(&NO_KEY, self.terms).await?;
            self.since.store(number, Ordering::Release);
            self.pending.lock().surplus.take_if(|last| Some(*last) == surplus);
            space.release(NO_KEY, number, self.terms).await;
        }
        if clear.is_some() {
            space.clear(self.terms).await?;
            self.pending.lock().clear.take_if(|last| Some(*last) == clear);
        }
        Ok(())
    }

    /// Whether nothing is pending. Then this task ends.
    fn end(&self) -> bool {
        let mut pending = self.pending.lock();
        let is_any = !pending.keys.is_empty() || pending.clear.is_some() || pending.surplus.is_some();
        pending.is_removing = is_any;
        self.is_any.store(is_any, Ordering::Release);
        !is_any
    }
}

/// Removes what is pending, until nothing is, or the store is gone. The first attempt is made in any case.
async fn remove_pending(removals: Arc<Removals>) {
    let (store, wake) = (Arc::downgrade(&removals), removals.wake.clone());
    let mut current = Some(removals);
    while let Some(removals) = current.take().or_else(|| store.upgrade()) {
        let Some(space) = &removals.space else { return };
        if space.route.outage().is_none() {
            match removals.remove_all(space).await {
                Ok(()) if removals.end() => return,
                Ok(()) => continue,
                Err(error) => log_line(log::Level::Debug, format!("{}; it is removed later", error.chain())),
            }
        }
        drop(removals);
        let _ = timeout(jittered(PAUSE), wake.notified()).await;
    }
}

impl Hook for Removals {
    fn server_is_back(self: Arc<Self>) {
        self.wake.notify_one();
    }
}
