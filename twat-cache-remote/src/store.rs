use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

#[cfg(feature = "compress")]
use twat_cache_core::persist::packing::Packing;
use twat_cache_core::persist::{ErasedCodec, Options};
use twat_cache_core::{Args, Claim, Error, ErrorKind, Found, Stamp, Ticket, ready};

use crate::digest::Digest;
use crate::lease::Leases;
use crate::protocol::Computed;
use crate::server::Via;
use crate::space::Space;
use crate::terms::{Fresh, Stored, Terms};

/// Results on a server that all machines share, found by the digest of their arguments.
///
/// [`rcache`](crate::rcache)`(name).open()` makes one, and its `wrap`s make one in a [`Standby`](crate::Standby). All stores of
/// a server share their connections. An operation is one or two requests; `len` is many, because it looks at the names of all
/// that the server has.
///
/// The server evicts entries as it is configured: `allkeys-lru` fits. What it evicts is computed again.
pub struct RemoteStore<V> {
    /// `None` if no server is named.
    pub(crate) space: Option<Arc<Space>>,
    pub(crate) options: Options,
    codec: ErasedCodec<V>,
    /// Without a dictionary: the server could lose it before the entries that need it.
    #[cfg(feature = "compress")]
    packing: Packing,
    timeout: Duration,
    leases: Arc<Leases>,
    /// Entries whose computations began up to here are not used.
    pub(crate) since: Arc<AtomicU64>,
}

/// How long the state of a cache stays at least.
const SHORTEST_LIFE: Duration = Duration::from_secs(60);

impl<V> RemoteStore<V> {
    pub(crate) fn new(space: Option<Arc<Space>>, options: Options, codec: ErasedCodec<V>, timeout: Duration) -> Self {
        Self {
            space,
            options,
            codec,
            #[cfg(feature = "compress")]
            packing: Packing::default(),
            timeout,
            leases: Arc::default(),
            since: Arc::default(),
        }
    }

    /// Asks the server whether it is there. Every operation connects by itself.
    pub fn open(&self) -> Result<(), Error> {
        ready(self.connect(Via::Thread))
    }

    /// The client of the server, or of the first one if several are named; `None` if none is. It makes connections of its own.
    pub fn client(&self) -> Option<&redis::Client> {
        self.space.as_ref().map(|space| &space.route.first.client)
    }

    pub(crate) fn space(&self) -> Result<&Arc<Space>, Error> {
        self.space.as_ref().ok_or_else(|| {
            let why = "neither the option `server` nor $TWAT_CACHE_SERVER has a URL that can be used";
            Error::new(ErrorKind::Other, "find the server").because(why)
        })
    }

    pub(crate) fn terms(&self, via: Via) -> Terms {
        let life = self.options.expiry.lifetime().unwrap_or(Duration::MAX);
        Terms { timeout: self.timeout, life: life.saturating_mul(2).max(SHORTEST_LIFE), via }
    }

    fn since(&self) -> u64 {
        self.since.load(Ordering::Acquire)
    }

    fn fresh(&self) -> Fresh {
        Fresh { since: self.since(), expiry: self.options.expiry.clone() }
    }

    /// Asks the server for its state.
    pub(crate) async fn connect(&self, via: Via) -> Result<(), Error> {
        self.space()?.connect(self.terms(via)).await
    }

    /// The value of a key, and how long it stays valid.
    pub(crate) async fn find(&self, key: &impl Digest, via: Via) -> Result<Option<Found<V>>, Error> {
        if !self.options.keeps() {
            return Ok(None);
        }
        let space = self.space()?;
        let Some(entry) = space.find(key, self.since(), self.terms(via)).await? else { return Ok(None) };
        let left = self.left(entry.deadline);
        if left == Some(Duration::ZERO) {
            return Ok(None);
        }
        Ok(Some(Found { value: self.decode(entry.value())?, ttl: left }))
    }

    /// How long an entry with this deadline stays valid. The clocks of machines differ, so a deadline may be too late.
    fn left(&self, deadline: u64) -> Option<Duration> {
        let expiry = &self.options.expiry;
        let left = expiry.left(deadline);
        if expiry.allows(deadline) { left } else { left.min(expiry.lifetime()) }
    }

    pub(crate) fn decode(&self, bytes: &[u8]) -> Result<V, Error> {
        #[cfg(feature = "compress")]
        if self.codec.is_compressed() {
            return self.codec.decode(&self.packing.unpack(bytes)?);
        }
        self.codec.decode(bytes)
    }

    pub(crate) fn encode(&self, value: &V) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        self.codec.encode(value, &mut bytes)?;
        #[cfg(feature = "compress")]
        if self.codec.is_compressed() {
            let mut packed = Vec::new();
            self.packing.pack(&bytes, &mut packed);
            return Ok(packed);
        }
        Ok(bytes)
    }

    /// Whether a value is not too long.
    pub(crate) fn fits(&self, bytes: &[u8]) -> bool {
        u64::try_from(bytes.len()).is_ok_and(|length| length <= self.options.max_bytes)
    }

    /// How long an entry stays valid that has this TTL of its own or none.
    pub(crate) fn lifetime(&self, time: Option<Duration>) -> Option<Duration> {
        self.options.expiry.of_entry(time)
    }

    /// Stores encoded bytes for at most `time`, and says whether they are current. Without a ticket, they replace what others
    /// store meanwhile.
    pub(crate) async fn put(
        &self,
        key: &impl Digest,
        bytes: &[u8],
        time: Option<Duration>,
        ticket: Option<Ticket>,
        via: Via,
    ) -> Result<bool, Error> {
        if !self.options.keeps() {
            return Ok(true);
        }
        let (space, terms) = (self.space()?, self.terms(via));
        let is_refresh = ticket.is_none_or(|ticket| ticket.is_refresh);
        let stored = async {
            let life = self.lifetime(time).unwrap_or(Duration::MAX);
            let (life, value) = if self.fits(bytes) { (life, bytes) } else { (Duration::ZERO, &[][..]) };
            let number = match ticket {
                Some(Ticket { number: 0, .. }) => {
                    // Why not, if that is still so.
                    space.begin(key, terms).await?;
                    let why = "the beginning of its computation could not be noted";
                    return Err(Error::new(ErrorKind::Io, "write an entry").at(space.route.name()).because(why));
                }
                Some(ticket) => ticket.number,
                None => space.begin(key, terms).await?,
            };
            let deadline = self.options.expiry.deadline(time);
            let computed = Computed { number, is_refresh, life, deadline, value };
            let (digest, stored) = space.store(key, &computed, terms).await?;
            if stored == Stored::Alone {
                self.leases.end(digest, number);
            }
            Ok(stored != Stored::Outdated)
        }
        .await;
        // Nobody tells of the removal of what the server does not have.
        if is_refresh || stored.is_err() || !self.fits(bytes) {
            space.outdate(key);
        }
        stored
    }

    pub(crate) async fn take(&self, key: &impl Digest, via: Via) -> Result<bool, Error> {
        let (space, terms) = (self.space()?, self.terms(via));
        let digest = space.digest(key, terms).await?;
        self.leases.forget(digest);
        let removed = space.remove(key, terms).await;
        // Also if the server cannot be asked: it is removed later.
        space.outdate(key);
        let removed = removed?;
        Ok(removed
            .is_some_and(|(number, deadline)| number > self.since() && self.left(deadline) != Some(Duration::ZERO)))
    }

    pub(crate) async fn clear_all(&self, via: Via) -> Result<(), Error> {
        let space = self.space()?;
        space.route.check_process()?;
        self.leases.forget_all();
        let cleared = space.clear(self.terms(via)).await;
        space.outdate_all();
        cleared
    }

    pub(crate) async fn count(&self, via: Via) -> Result<usize, Error> {
        if !self.options.keeps() {
            return Ok(0);
        }
        self.space()?.len(self.since(), self.terms(via)).await
    }

    /// The beginning of a computation. Its number is 0 if the server cannot be asked.
    pub(crate) async fn ticket(&self, key: &impl Digest, via: Via) -> Ticket {
        let begin = async {
            let (space, terms) = (self.space()?, self.terms(via));
            match self.leases.begin(space.digest(key, terms).await?) {
                Some(number) => Ok(number),
                None => space.begin(key, terms).await,
            }
        };
        let number = if self.options.keeps() { begin.await.unwrap_or_default() } else { 0 };
        Ticket { number, is_refresh: false }
    }

    pub(crate) async fn claim_among_all(&self, key: &impl Digest, patience: Duration, via: Via) -> Claim {
        let Some(space) = self.space.as_ref().filter(|_| self.options.keeps()) else { return Claim::free() };
        let claim = self.leases.claim(space, key, patience, self.fresh(), self.terms(via)).await;
        claim.unwrap_or_else(|_| Claim::free())
    }

    pub(crate) fn stamp_of<K: Args + ?Sized>(&self, key: &K) -> Option<Stamp> {
        self.space.as_ref()?.stamp(key)
    }

    pub(crate) async fn has_ended(&self, key: &impl Digest, ticket: Ticket, via: Via) -> Result<bool, Error> {
        let is_begun = self.space()?.is_begun(key, ticket.number, self.terms(via)).await?;
        Ok(!is_begun)
    }
}
