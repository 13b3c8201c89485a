//! Leases on the server that this process holds, and those that it waits for.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use twat_cache_core::{Claim, Error, KeyHash};

use crate::digest::Digest;
use crate::protocol::LEASE;
use crate::server::{Via, breaker::jittered, spawn};
use crate::space::Space;
use crate::terms::{Claimed, Fresh, Terms};

/// The leases that a store holds.
#[derive(Default)]
pub(crate) struct Leases(Mutex<Table>);

#[derive(Default)]
struct Table {
    leases: HashMap<KeyHash, Lease>,
    is_renewing: bool,
}

struct Lease {
    number: u64,
    /// Its computation has begun.
    is_begun: bool,
    /// It is about to be released.
    is_dropped: bool,
}

/// After this time, a lease that was dropped is released. A caller that looks whether the result is there drops it, and takes it
/// back if not.
const LINGERING: Duration = Duration::from_millis(5);

/// The pause between two questions whether a result is there.
const PAUSE: Duration = Duration::from_millis(10);

/// What a claim has.
struct Held {
    leases: Arc<Leases>,
    space: Arc<Space>,
    terms: Terms,
    digest: KeyHash,
    number: u64,
}

impl Leases {
    /// Claims a computation among all processes. Within this process, flights decide whether a result is computed twice.
    ///
    /// For a task, the driver asks for the lease: if the task is cancelled meanwhile, the lease is released.
    pub(crate) async fn claim(
        self: &Arc<Self>,
        space: &Arc<Space>,
        key: &impl Digest,
        patience: Duration,
        fresh: Fresh,
        terms: Terms,
    ) -> Result<Claim, Error> {
        let digest = space.digest(key, terms).await?;
        if let Some(claim) = self.own(space, digest, terms) {
            return Ok(claim);
        }
        if terms.via != Via::Task {
            return self.ask_for(space, digest, patience, fresh, terms).await;
        }
        let (leases, space) = (self.clone(), space.clone());
        let asking = async move { leases.ask_for(&space, digest, patience, fresh, terms.for_driver()).await };
        match spawn(asking) {
            Some(asking) => asking.await.unwrap_or_else(|_| Ok(Claim::free())),
            None => Ok(Claim::free()),
        }
    }

    async fn ask_for(
        self: &Arc<Self>,
        space: &Arc<Space>,
        digest: KeyHash,
        patience: Duration,
        fresh: Fresh,
        terms: Terms,
    ) -> Result<Claim, Error> {
        Ok(match space.claim(digest, &fresh, terms).await? {
            Claimed::Granted(number) => self.grant(space, digest, number, terms),
            Claimed::There => there(),
            Claimed::Held => self.wait(space, digest, patience, fresh, terms),
        })
    }

    /// A claim of what this store has claimed before.
    fn own(self: &Arc<Self>, space: &Arc<Space>, digest: KeyHash, terms: Terms) -> Option<Claim> {
        let mut table = self.0.lock();
        let lease = table.leases.get_mut(&digest)?;
        if !std::mem::take(&mut lease.is_dropped) {
            return Some(Claim::free());
        }
        // The computation that began under this number has ended without a result.
        lease.is_begun = false;
        Some(Claim::held(self.guard(space, digest, lease.number, terms)))
    }

    fn grant(self: &Arc<Self>, space: &Arc<Space>, digest: KeyHash, number: u64, terms: Terms) -> Claim {
        let mut table = self.0.lock();
        table.leases.insert(digest, Lease { number, is_begun: false, is_dropped: false });
        if !std::mem::replace(&mut table.is_renewing, true) {
            spawn(renew_all(Arc::downgrade(self), space.clone(), terms.for_driver()));
        }
        Claim::held_missing(self.guard(space, digest, number, terms))
    }

    fn guard(self: &Arc<Self>, space: &Arc<Space>, digest: KeyHash, number: u64, terms: Terms) -> Held {
        Held { leases: self.clone(), space: space.clone(), terms: terms.for_driver(), digest, number }
    }

    /// Waits for another process, on the driver's thread. It asks whether the result is there rather than for the lease.
    fn wait(
        self: &Arc<Self>,
        space: &Arc<Space>,
        digest: KeyHash,
        patience: Duration,
        fresh: Fresh,
        terms: Terms,
    ) -> Claim {
        let begun = Instant::now();
        let ended = Arc::new(Mutex::new(None));
        let (leases, space, waiter) = (self.clone(), space.clone(), Arc::downgrade(&ended));
        spawn(async move {
            while waiter.strong_count() > 0 && begun.elapsed() < patience {
                tokio::time::sleep(jittered(PAUSE)).await;
                let claim = match space.claim(digest, &fresh, terms.for_driver()).await {
                    Ok(Claimed::Held) => continue,
                    Ok(Claimed::Granted(number)) => leases.grant(&space, digest, number, terms),
                    Ok(Claimed::There) | Err(_) => Claim::free(),
                };
                if let Some(ended) = waiter.upgrade() {
                    *ended.lock() = Some(claim);
                }
                return;
            }
        });
        Claim::waiting(move || {
            let ended = ended.lock().take();
            ended.or_else(|| (begun.elapsed() >= patience).then(Claim::free))
        })
    }

    /// The number of a computation that is claimed, for the first that begins.
    pub(crate) fn begin(&self, digest: KeyHash) -> Option<u64> {
        let mut table = self.0.lock();
        let lease = table.leases.get_mut(&digest).filter(|lease| !lease.is_dropped)?;
        (!std::mem::replace(&mut lease.is_begun, true)).then_some(lease.number)
    }

    /// A lease has ended, because its result is stored.
    pub(crate) fn end(&self, digest: KeyHash, number: u64) {
        self.remove(digest, |lease| lease.number == number);
    }

    /// This lease is being removed on the server.
    pub(crate) fn forget(&self, digest: KeyHash) {
        self.0.lock().leases.remove(&digest);
    }

    /// All leases are outdated.
    pub(crate) fn forget_all(&self) {
        self.0.lock().leases.clear();
    }

    /// Marks a lease. Returns whether it is there.
    fn mark_dropped(&self, digest: KeyHash, number: u64) -> bool {
        let mut table = self.0.lock();
        let lease = table.leases.get_mut(&digest).filter(|lease| lease.number == number);
        lease.map(|lease| lease.is_dropped = true).is_some()
    }

    /// Removes a lease if it is the right one. Returns whether it was.
    fn remove(&self, digest: KeyHash, is_right: impl FnOnce(&Lease) -> bool) -> bool {
        let mut table = self.0.lock();
        let is_right = table.leases.get(&digest).is_some_and(is_right);
        is_right && table.leases.remove(&digest).is_some()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let Self { leases, space, terms, digest, number } = self;
        // The lease of a forked process is its parent's, which is still computing.
        if space.route.is_forked() || !leases.mark_dropped(*digest, *number) {
            return;
        }
        let (leases, space, terms, digest, number) = (leases.clone(), space.clone(), *terms, *digest, *number);
        spawn(async move {
            tokio::time::sleep(LINGERING).await;
            if leases.remove(digest, |lease| lease.number == number && lease.is_dropped) {
                space.release(digest, number, terms).await;
            }
        });
    }
}

/// The result is there, and the caller that looks for it need not compute.
fn there() -> Claim {
    Claim::waiting(|| Some(Claim::free()))
}

/// Renews all leases until there are none.
async fn renew_all(leases: Weak<Leases>, space: Arc<Space>, terms: Terms) {
    loop {
        tokio::time::sleep(LEASE / 3).await;
        let Some(leases) = leases.upgrade() else { return };
        let held: Vec<_> = {
            let mut table = leases.0.lock();
            table.is_renewing = !table.leases.is_empty();
            table.leases.iter().map(|(digest, lease)| (*digest, lease.number)).collect()
        };
        if held.is_empty() {
            return;
        }
        for (digest, number) in held {
            let (leases, space) = (leases.clone(), space.clone());
            spawn(async move {
                if let Ok(false) = space.renew(digest, number, terms).await {
                    leases.remove(digest, |lease| lease.number == number);
                }
            });
        }
    }
}
