use std::env;
use std::hash::Hash;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "serde")]
use twat_cache_core::persist;
use twat_cache_core::persist::{Codec, ErasedCodec, Options, Rkyv};
use twat_cache_core::{Args, Clock, Copied, Error, ErrorKind, Expiry, Namespace, Near};
use twat_cache_mem::{MemStore, mcache};

use crate::protocol::Keys;
use crate::route::Route;
use crate::server::{self, log_line};
use crate::space::Space;
use crate::standby::Standby;
use crate::store::RemoteStore;

/// A cache of function results that all machines share which use the same server, under this name.
///
/// ```no_run
/// use twat_cache_remote::rcache;
///
/// let square = rcache("squares").server("redis://127.0.0.1/").wrap(|n: &u64| n * n);
/// assert_eq!(square.call(&12), 144); // computed by one process of one machine, once
/// ```
///
/// By default the server is that of `$TWAT_CACHE_SERVER`, and results expire after 30 days. Any string is a name. Caches share
/// their results if they have the same server, name, [`version`](RemoteBuilder::version) and type of value. Arguments are told
/// apart by what they hash, see [`KeyHash`](twat_cache_core::KeyHash).
pub fn rcache(name: impl Into<String>) -> RemoteBuilder {
    let mut options = Options::new(name, MAX_VALUE_BYTES);
    options.expiry.ttl = Some(TTL);
    RemoteBuilder { options, url: None, timeout: TIMEOUT, codec: PhantomData, near: () }
}

/// The options of [`rcache`]. All values are legal.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `wrap` or `open`"]
pub struct RemoteBuilder<C = Rkyv, N = ()> {
    options: Options,
    url: Option<Secret>,
    timeout: Duration,
    codec: PhantomData<C>,
    near: N,
}

/// The option [`near`](RemoteBuilder::near), with its number of results.
#[derive(Clone, Copy, Debug)]
pub struct InMemory(usize);

/// A URL, which may contain a password.
#[derive(Clone)]
struct Secret(String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("..")
    }
}

const MAX_VALUE_BYTES: u64 = 1 << 20;
const TTL: Duration = Duration::from_secs(30 * 24 * 60 * 60);
const TIMEOUT: Duration = Duration::from_millis(100);
/// The variable with the URL of the server.
const SERVER: &str = "TWAT_CACHE_SERVER";

impl RemoteBuilder {
    /// Whether there is a server for builders that name none.
    #[doc(hidden)]
    pub fn is_server_named() -> bool {
        env::var_os(SERVER).is_some_and(|url| !url.is_empty())
    }
}

/// The options that all caches have which outlive the process. Of those, directories and their limits mean nothing to a server.
impl From<Options> for RemoteBuilder {
    fn from(options: Options) -> Self {
        let Self { options: own, url, timeout, codec, near } = rcache(options.name.clone());
        let expiry = Expiry { ttl: options.expiry.ttl.or(own.expiry.ttl), ..options.expiry };
        let max_bytes = own.max_bytes.min(options.max_bytes);
        Self { options: Options { expiry, max_bytes, ..options }, url, timeout, codec, near }
    }
}

impl<C, N> RemoteBuilder<C, N> {
    /// The URL of the server: `redis://user:password@host:port/database`, `rediss://…` for an encrypted connection (feature
    /// `tls`), or `unix:///path`. The default is that of `$TWAT_CACHE_SERVER`.
    ///
    /// A node of a cluster says where the cache is. Name several nodes, with commas between their URLs: while the cache's node is
    /// away, the others are asked which one takes its place. A comma in a password is written `%2C`.
    ///
    /// Without a URL, or with one that cannot be used, one warning is logged, and memory serves.
    pub fn server(mut self, url: impl Into<String>) -> Self {
        self.url = Some(Secret(url.into()));
        self
    }

    /// How long a result stays valid after it was stored; 30 days by default. With zero, every call computes.
    ///
    /// The server removes it then, after a hundred years at the latest. The clocks of machines may differ: no machine uses a
    /// result for longer than this.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.options.expiry.ttl = Some(ttl);
        self
    }

    /// For this long after its TTL, a result is stale: it is still returned, but only while one caller computes it again, or if
    /// the function fails. After that it is a miss. By default a result is a miss when its TTL ends.
    pub fn stale(mut self, stale: Duration) -> Self {
        self.options.expiry.stale = Some(stale);
        self
    }

    /// The clock for expiry; by default the system's clocks. Tests use a [`ManualClock`](twat_cache_core::ManualClock).
    pub fn clock(mut self, clock: Clock) -> Self {
        self.options.expiry.clock = clock;
        self
    }

    /// The version of the results. Results of another version are not found. Change the version when you change the function,
    /// its settings, or the fields of the result's type. Any type that implements `Hash` can be a version.
    pub fn version(mut self, version: impl Hash) -> Self {
        self.options.set_version(version);
        self
    }

    /// How long the requests of a call may take together; 100 ms by default.
    ///
    /// A lookup may take half of it, and a claim, storing and any other step a quarter. If one takes longer, the server counts
    /// as away: calls go on without it at once, until it answers again.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// A value that is longer is returned and not stored. The default is 1 MiB: while a server sends a large value, others
    /// wait. With 0, every call computes.
    pub fn max_value_bytes(mut self, max_value_bytes: u64) -> Self {
        self.options.max_bytes = max_value_bytes;
        self
    }

    twat_cache_core::__patience_setter_0_1!(options.patience);

    /// Stores values as MessagePack instead of rkyv, for types that have serde's derives. See
    /// [`SerdeValue`](persist::SerdeValue) for what comes back.
    #[cfg(feature = "serde")]
    pub fn serde(self) -> RemoteBuilder<persist::MessagePack, N> {
        self.with_codec()
    }

    /// Stores values in the form of this codec.
    #[doc(hidden)]
    pub fn with_codec<D>(self) -> RemoteBuilder<D, N> {
        let Self { options, url, timeout, near, .. } = self;
        RemoteBuilder { options, url, timeout, codec: PhantomData, near }
    }

    /// Keeps copies of up to this many results in memory. A copy is found a thousand times as fast as its result on the server.
    ///
    /// The server tells this process of each change of the cache's entries, and a copy of what has changed is not used any more.
    /// That takes some milliseconds after the change. If the server cannot be asked for a sign of life, copies are used for at
    /// most 2 s, and then not until it tells of changes again. Each process with this option is told of all changes of the cache.
    pub fn near(self, max_entries: usize) -> RemoteBuilder<C, InMemory> {
        let Self { options, url, timeout, codec, .. } = self;
        RemoteBuilder { options, url, timeout, codec, near: InMemory(max_entries) }
    }

    /// The bare store, connected now. An error if that fails.
    pub fn open<V>(self) -> Result<RemoteStore<V>, Error>
    where
        C: Codec<V>,
    {
        let space = self.space::<V>()?;
        let store = RemoteStore::new(Some(space), self.options, ErasedCodec::of::<C>(), self.timeout);
        store.open()?;
        Ok(store)
    }

    /// The bare store, connected when it is first used. An operation that cannot be done is an error.
    pub fn build<V>(self) -> RemoteStore<V>
    where
        C: Codec<V>,
    {
        let space = self.space::<V>();
        if let Err(error) = &space {
            log_line(log::Level::Warn, format!("{}; going on without a server", error.chain()));
        }
        RemoteStore::new(space.ok(), self.options, ErasedCodec::of::<C>(), self.timeout)
    }

    /// The store that the `wrap`s use: connected when it is first used, with memory that serves while the server is away.
    pub fn with_memory<V>(self) -> Standby<V>
    where
        C: Codec<V>,
    {
        Standby::new(self.build())
    }

    fn space<V>(&self) -> Result<Arc<Space>, Error>
    where
        C: Codec<V>,
    {
        let url = self.url.clone().map(|url| url.0).or_else(|| env::var(SERVER).ok()).filter(|url| !url.is_empty());
        let unusable = || Error::new(ErrorKind::Other, format!("find the server of the cache {:?}", self.options.name));
        let url = url.ok_or_else(|| unusable().because("neither `.server(url)` nor $TWAT_CACHE_SERVER names one"))?;
        let (first, others) = url.split_once(',').unwrap_or((&url, ""));
        let others = others.split(',').filter(|other| !other.trim().is_empty()).map(server::server);
        let first = server::server(first).map_err(|error| unusable().because(error))?;
        let others = others.collect::<Result<_, _>>().map_err(|error| unusable().because(error))?;
        let within = within(self.options.clone(), C::within);
        // Before the secret of the server is known, and the same for all machines.
        let keys = Keys::new(&self.options.name, &within(&Namespace::from_secret([0; 16])));
        let prefix = keys.prefix().to_owned();
        Ok(server::space(&url, prefix, || Space::new(Route::new(first, others, keys), within)))
    }
}

/// Without copies in memory.
impl<C> RemoteBuilder<C> {
    twat_cache_core::__wraps_0_1! {
        ///
        /// The server is connected to at the first call. While it is away, memory serves.
        Standby<V>, by with_memory, patience options.patience,
        where A: Args + ?Sized, C: Codec<V>, V: Clone + Send + Sync
    }
}

/// With copies in memory.
impl<C> RemoteBuilder<C, InMemory> {
    twat_cache_core::__wraps_0_1! {
        ///
        /// The server is connected to at the first call. While it is away, memory serves.
        NearStore<A::Owned, V>, by with_copies, patience options.patience,
        where A: Args + ?Sized, C: Codec<V>, V: Clone + Send + Sync
    }

    /// The store that the `wrap`s use.
    pub fn with_copies<K, V>(self) -> NearStore<K, V>
    where
        K: Hash + Eq + Clone + Send + Sync + 'static,
        C: Codec<V>,
        V: Clone + Send + Sync,
    {
        let InMemory(max_entries) = self.near;
        let front = mcache().max_entries(max_entries).clock(self.options.expiry.clock.clone()).open();
        let back = self.with_memory();
        if back.primary().space.is_some() { Near::new(front, back) } else { Near::alone(front, back) }
    }
}

/// Copies in memory of results on a server. All memos that [`rcache`] makes with the option [`near`](RemoteBuilder::near) have
/// this store.
pub type NearStore<K, V> = Near<MemStore<K, Copied<V>>, Standby<V>>;

#[cfg(feature = "compress")]
impl<N> RemoteBuilder<persist::MessagePack, N> {
    /// Compresses values, for texts and documents. It needs the feature `compress`.
    ///
    /// A value that does not get smaller is stored as it is. [`max_value_bytes`](Self::max_value_bytes) counts the compressed
    /// bytes. Results that were stored without this option are not found with it, and the other way round.
    pub fn compress(self) -> RemoteBuilder<persist::Compressed, N> {
        self.with_codec()
    }
}

/// Makes the namespace of a cache of that of a secret.
fn within(options: Options, codec: fn(&Namespace) -> Namespace) -> impl Fn(&Namespace) -> Namespace + Send + Sync {
    move |secret| codec(&options.versioned(secret))
}
