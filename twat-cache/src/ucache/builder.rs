use std::fmt;
use std::hash::Hash;
use std::marker::PhantomData;

use twat_cache_core::persist::{Options, Rkyv};
use twat_cache_core::{Args, Error};

use super::{Backend, BackendCodec, UnifiedStore};

/// A cache of function results in memory, in front of the best persistent backend.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// # let dir = dir.path();
/// use twat_cache::ucache;
///
/// let square = ucache("squares").dir(dir).wrap(|n: &u64| n * n);
/// assert_eq!(square.call(&12), 144); // computed once, and not again by the next run of the program
/// ```
///
/// The backend is a server, if one is named (feature `remote`), or the first of `scache`, `bcache` and `fcache` that is compiled in
/// (features `shared`, `disk` and `file`), or the one that [`backend`](UnifiedBuilder::backend) names. No other takes its place: while it cannot be opened or written to, memory serves,
/// and it is tried again. Arguments and values need the same in any case.
///
/// By default it keeps at most 1024 results in memory and 1 GiB of them in the backend, in the platform's cache directory, and they
/// never expire. Any string is a name. Caches of the same name, directory, [`version`](UnifiedBuilder::version) and type of value
/// share their results in the backend, also with an `scache`, `bcache` or `fcache` of the same name.
///
/// What one memo forgets, clears or refreshes, no other memo of that name returns any more, from memory or from the backend, in this
/// process or in another that uses the same backend. If the directory is removed or moved while processes use it, a process notices
/// that when it next looks into the backend; until then it returns what its memory has.
pub fn ucache(name: impl Into<String>) -> UnifiedBuilder {
    UnifiedBuilder {
        options: Options::new(name, 1 << 30),
        max_entries: 1024,
        backend: Backend::Auto,
        server: None,
        codec: PhantomData,
    }
}

/// The options of [`ucache`]. All values are legal.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `wrap` or `open`"]
pub struct UnifiedBuilder<C = Rkyv> {
    options: Options,
    max_entries: usize,
    backend: Backend,
    server: Option<Url>,
    codec: PhantomData<C>,
}

/// The URL of a server, which may contain a password.
#[derive(Clone)]
struct Url(String);

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("..")
    }
}

impl<C> UnifiedBuilder<C> {
    /// Keeps at most this many entries in memory, as `mcache` does; 1024 by default, and 0 means to compute every time.
    pub fn max_entries(mut self, max_entries: usize) -> Self {
        self.max_entries = max_entries;
        self
    }

    /// Where to store results behind the memory; [`Backend::Auto`] by default.
    ///
    /// If it is not compiled in, one warning is logged, and memory serves. While it cannot be opened, memory serves as well.
    pub fn backend(mut self, backend: Backend) -> Self {
        self.backend = backend;
        self
    }

    /// The URL of a server that all machines share, as for `rcache`: it becomes the backend. The default is that of
    /// `$TWAT_CACHE_SERVER`, if there is one.
    ///
    /// Memory has copies of what the server has, and the server tells of changes. While it is away, memory has results of its
    /// own, which are dropped when it is back. Results expire after 30 days, unless there is another [`ttl`](Self::ttl).
    #[cfg(feature = "remote")]
    pub fn server(mut self, url: impl Into<String>) -> Self {
        self.server = Some(Url(url.into()));
        self
    }

    twat_cache_core::__option_setters_0_1! {
        /// Keeps at most this many bytes under this name in the backend, and as many in memory, some 64 bytes per entry for
        /// keys and headers included; 1 GiB by default, and 0 means to compute every time.
        ///
        /// Above the limit, the backend's rules say what is evicted. A single value may be as large as the limit; a larger one
        /// is returned and not kept, and nothing is evicted for it. In memory, the size of a value is that of its stored form.
    }

    /// Keeps values as MessagePack instead of rkyv, for types that have serde's derives. See
    /// [`SerdeValue`](crate::store::persist::SerdeValue) for what comes back.
    #[cfg(feature = "serde")]
    pub fn serde(self) -> UnifiedBuilder<twat_cache_core::persist::MessagePack> {
        self.with_codec()
    }

    /// Keeps values in the form of this codec.
    #[doc(hidden)]
    pub fn with_codec<D>(self) -> UnifiedBuilder<D> {
        let Self { options, max_entries, backend, server, codec: _ } = self;
        UnifiedBuilder { options, max_entries, backend, server, codec: PhantomData }
    }

    twat_cache_core::__wraps_0_1! {
        ///
        /// The backend is opened at the first call.
        UnifiedStore<A::Owned, V, C>, by build, patience options.patience,
        where A: Args + ?Sized, C: BackendCodec<V>, V: Clone + Send + Sync
    }

    /// The store itself, for entries with keys `K` and values `V`, opened now.
    ///
    /// An error if the backend is not compiled in or cannot be opened. Later it behaves as the store of a `wrap`.
    pub fn open<K, V>(self) -> Result<UnifiedStore<K, V, C>, Error>
    where
        K: Hash + Eq + Clone + Send + Sync + 'static,
        V: Clone + Send + Sync,
        C: BackendCodec<V>,
    {
        let store = self.build();
        store.open()?;
        Ok(store)
    }

    /// The store that a `wrap` uses. Its backend is opened when it is first needed.
    pub fn build<K, V>(self) -> UnifiedStore<K, V, C>
    where
        K: Hash + Eq + Clone + Send + Sync + 'static,
        V: Clone + Send + Sync,
        C: BackendCodec<V>,
    {
        let server = self.server.as_ref().map(|url| &*url.0);
        UnifiedStore::new(&self.options, self.max_entries, self.backend, server)
    }
}
