use std::hash::Hash;
use std::marker::PhantomData;

use twat_cache_core::persist::{Options, Rkyv};
use twat_cache_core::{Args, Error};

use super::{Backend, BackendCodec, UnifiedStore};

/// A cache of function results in memory, and behind it in the best persistent backend that can be opened.
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
/// The backend is chosen once, when it is first needed: the database of `bcache`, or the files of `fcache` if another process has
/// the database open. Memory alone serves as long as neither can be opened, and while the database cannot for a reason that may
/// pass, such as a full disk. With fewer backends compiled in (features `disk` and `file`), it chooses among fewer; arguments and
/// values need the same in any case. If a backend replaces another, one warning says why.
///
/// By default it keeps at most 1024 results in memory and 1 GiB of them on disk, in the platform's cache directory, and they never
/// expire. Any string is a name. Caches of the same name, directory, [`version`](UnifiedBuilder::version) and type of value
/// share their results on disk, also with a `bcache` or `fcache` of the same name.
///
/// The memory belongs to the memo. Another memo of that name, in this process or another, may have a result in its memory that
/// this one has forgotten, until it is evicted or expires there. Results that are forgotten in files, because another process has
/// the database, are not forgotten in the database.
pub fn ucache(name: impl Into<String>) -> UnifiedBuilder {
    UnifiedBuilder {
        options: Options::new(name, 1 << 30),
        max_entries: 1024,
        backend: Backend::Auto,
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
    codec: PhantomData<C>,
}

impl<C> UnifiedBuilder<C> {
    /// Keeps at most this many entries in memory, as `mcache` does; 1024 by default, and 0 means to compute every time.
    pub fn max_entries(mut self, max_entries: usize) -> Self {
        self.max_entries = max_entries;
        self
    }

    /// Where to keep results behind memory; [`Backend::Auto`] by default.
    ///
    /// If it is not compiled in or cannot be opened, one warning is logged and the next best backend is used.
    pub fn backend(mut self, backend: Backend) -> Self {
        self.backend = backend;
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
        let Self { options, max_entries, backend, codec: _ } = self;
        UnifiedBuilder { options, max_entries, backend, codec: PhantomData }
    }

    twat_cache_core::__wraps_0_1! {
        ///
        /// The backend is chosen and opened at the first call.
        UnifiedStore<A::Owned, V, C>, by build, patience options.patience,
        where A: Args + ?Sized, C: BackendCodec<V>, V: Clone + Send + Sync
    }

    /// The store itself, for entries with keys `K` and values `V`, opened now.
    ///
    /// An error if the backend cannot be opened, or, with [`Backend::Auto`], if none can. Later it behaves as the store of a
    /// `wrap`.
    pub fn open<K, V>(self) -> Result<UnifiedStore<K, V, C>, Error>
    where
        K: Hash + Eq + Clone + Send + Sync + 'static,
        V: Clone + Send + Sync,
        C: BackendCodec<V>,
    {
        let store = self.build();
        store.open_strictly()?;
        Ok(store)
    }

    /// The store that a `wrap` uses. Its backend is chosen and opened when it is first needed.
    pub fn build<K, V>(self) -> UnifiedStore<K, V, C>
    where
        K: Hash + Eq + Clone + Send + Sync + 'static,
        V: Clone + Send + Sync,
        C: BackendCodec<V>,
    {
        UnifiedStore::new(&self.options, self.max_entries, self.backend)
    }
}
