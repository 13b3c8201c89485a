mod removals;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use twat_cache_core::{
    Args, Claim, Error, ErrorKind, Found, KeyedStore as _, LruStore, Stamp, Store as _, Ticket, WarnOnce,
};

use crate::digest::{Key, Of};
use crate::server::Via;
use crate::store::RemoteStore;
use removals::Removals;

/// Results on a server, and in memory while the server is away. All memos that [`rcache`](crate::rcache) makes have this store.
///
/// Memory has results of one outage only: none of them is used once the server is back. What is forgotten during an outage is
/// removed from the server when it is back, and until then this process does not use what the server has. Nothing else is
/// removed.
pub struct Standby<V> {
    pub(crate) primary: RemoteStore<V>,
    memory: LruStore<Kept>,
    removals: Arc<Removals>,
    warned: WarnOnce,
    pub(crate) suppressed_errors: AtomicU64,
}

/// A result that the server did not take.
#[derive(Clone)]
struct Kept {
    bytes: Arc<[u8]>,
    /// In which outage.
    outage: u64,
}

/// How many results memory has at most.
const MAX_ENTRIES: usize = 1024;

/// The outage that does not end: there is no server, or this process was forked.
const FOREVER: u64 = u64::MAX;

impl<V> Standby<V> {
    pub(crate) fn new(primary: RemoteStore<V>) -> Self {
        let memory = LruStore::new(MAX_ENTRIES).clock(primary.options.expiry.clock.clone());
        let removals = Removals::new(&primary);
        Self { primary, memory, removals, warned: WarnOnce::new(), suppressed_errors: AtomicU64::new(0) }
    }

    /// The store on the server.
    pub fn primary(&self) -> &RemoteStore<V> {
        &self.primary
    }

    /// The client of the server, see [`RemoteStore::client`].
    pub fn client(&self) -> Option<&redis::Client> {
        self.primary.client()
    }

    /// Whether the server is away, so that memory serves.
    pub fn is_away(&self) -> bool {
        self.outage().is_some()
    }

    fn outage(&self) -> Option<u64> {
        match &self.primary.space {
            Some(space) if !space.route.is_forked() => space.route.outage(),
            _ => Some(FOREVER),
        }
    }

    #[cold]
    fn failed(&self, error: &Error) {
        self.suppressed_errors.fetch_add(1, Ordering::Relaxed);
        // Of an outage, which may have ended meanwhile, the server itself has warned.
        if !matches!(error.kind(), ErrorKind::Io | ErrorKind::Other) {
            self.warned.warn(error, "going on without it");
        }
    }

    /// What was copied before that is noted is not used.
    fn remove_later(&self, key: &impl Key) {
        self.removals.add(key);
        self.outdate(key);
    }

    fn outdate(&self, key: &impl Key) {
        self.primary.space.as_ref().inspect(|space| space.outdate(key));
    }

    pub(crate) async fn find(&self, key: &impl Key, via: Via) -> Result<Option<Found<V>>, Error> {
        if !self.removals.include(key) {
            match self.primary.find(key, via).await {
                Ok(found) => return Ok(found),
                Err(error) => self.failed(&error),
            }
        }
        // Nobody tells of changes of what memory has.
        self.outdate(key);
        let Some(outage) = self.outage() else { return Ok(None) };
        match self.memory.get_with_ttl(&*key.recorded())? {
            Some(Found { value: Kept { bytes, outage: of }, ttl }) if of == outage => {
                Ok(Some(Found { value: self.primary.decode(&bytes)?, ttl }))
            }
            _ => Ok(None),
        }
    }

    pub(crate) async fn put(
        &self,
        key: &impl Key,
        bytes: &[u8],
        time: Option<Duration>,
        ticket: Option<Ticket>,
        via: Via,
    ) -> Result<bool, Error> {
        let error = match self.primary.put(key, bytes, time, ticket, via).await {
            Ok(is_current) => return Ok(is_current),
            Err(error) => error,
        };
        self.failed(&error);
        // The server may have an older result, which only a refresh replaces.
        if ticket.is_none_or(|ticket| ticket.is_refresh) && self.primary.take(key, via).await.is_err() {
            self.remove_later(key);
        }
        if let Some(outage) = self.outage() {
            let kept = Kept { bytes: bytes.into(), outage };
            let time = if self.primary.fits(bytes) { self.primary.lifetime(time) } else { Some(Duration::ZERO) };
            self.memory.insert_with_ttl(&*key.recorded(), &kept, time)?;
        }
        Ok(true)
    }

    pub(crate) async fn take(&self, key: &impl Key, via: Via) -> Result<bool, Error> {
        let recorded = key.recorded();
        let was_kept = self.memory.remove(&*recorded)? && self.outage().is_some();
        match self.primary.take(key, via).await {
            Err(_) if self.primary.space.is_none() => Ok(was_kept),
            Err(error) => {
                self.failed(&error);
                self.remove_later(key);
                Err(error)
            }
            removed => removed,
        }
    }

    pub(crate) async fn clear_all(&self, via: Via) -> Result<(), Error> {
        self.memory.clear()?;
        match self.primary.clear_all(via).await {
            Err(_) if self.primary.space.is_none() => Ok(()),
            Err(error) => {
                self.failed(&error);
                self.removals.add_all();
                self.primary.space.as_ref().inspect(|space| space.outdate_all());
                Err(error)
            }
            cleared => cleared,
        }
    }

    pub(crate) async fn count(&self, via: Via) -> Result<usize, Error> {
        if self.primary.space.is_none() { self.memory.len() } else { self.primary.count(via).await }
    }

    pub(crate) async fn ticket(&self, key: &impl Key, via: Via) -> Ticket {
        self.primary.ticket(key, via).await
    }

    pub(crate) async fn claim_among_all(&self, key: &impl Key, patience: Duration, via: Via) -> Claim {
        self.primary.claim_among_all(key, patience, via).await
    }

    /// None for what this process does not use.
    pub(crate) fn stamp_of<K: Args + ?Sized>(&self, key: &K) -> Option<Stamp> {
        if self.removals.include(&Of(key)) { None } else { self.primary.stamp_of(key) }
    }

    pub(crate) async fn has_ended(&self, key: &impl Key, ticket: Ticket, via: Via) -> Result<bool, Error> {
        self.primary.has_ended(key, ticket, via).await
    }

    pub(crate) fn encode(&self, value: &V) -> Result<Vec<u8>, Error> {
        self.primary.encode(value)
    }
}
