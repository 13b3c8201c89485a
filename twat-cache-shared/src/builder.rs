use std::marker::PhantomData;

#[cfg(feature = "serde")]
use twat_cache_core::persist;
use twat_cache_core::persist::{Codec, ErasedCodec, Options, Rkyv};
use twat_cache_core::{Args, Error, Fallback, LruStore};

use crate::fallback::SharedFallback;
use crate::store::SharedStore;

/// A cache of function results that all processes of this machine share, under this name.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// # let dir = dir.path();
/// use twat_cache_shared::scache;
///
/// let square = scache("squares").dir(dir).wrap(|n: &u64| n * n);
/// assert_eq!(square.call(&12), 144); // computed by one process, once
/// ```
///
/// By default it is in the platform's cache directory, stores at most 1 GiB, and its results never expire. Any string is a name.
/// Caches share their results if they have the same directory, name, [`version`](SharedBuilder::version) and type of value.
/// Arguments are told apart by what they hash, see [`KeyHash`](twat_cache_core::KeyHash).
pub fn scache(name: impl Into<String>) -> SharedBuilder {
    Options::new(name, 1 << 30).into()
}

/// The options of [`scache`]. All values are legal.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `wrap` or `open`"]
pub struct SharedBuilder<C = Rkyv> {
    options: Options,
    codec: PhantomData<C>,
}

/// How many results memory keeps when it serves instead of the database.
const MEMORY: usize = 1024;

impl<C> SharedBuilder<C> {
    twat_cache_core::__option_setters_0_1! {
        /// At most this many bytes are stored under this name, by all processes together. That includes 64 bytes for each entry
        /// beside its value. The default is 1 GiB, and 0 means to compute every time.
        ///
        /// Above the limit, the oldest entries that have not been used since are evicted. A single value may be as large as
        /// the limit. A larger one is returned and not stored, and nothing is evicted for it; nor is a value of more than
        /// 1 GB, which is SQLite's limit. The files may take up to twice the limit for a while.
    }

    /// Stores values as MessagePack instead of rkyv, for types that have serde's derives. See
    /// [`SerdeValue`](persist::SerdeValue) for what comes back.
    #[cfg(feature = "serde")]
    pub fn serde(self) -> SharedBuilder<persist::MessagePack> {
        self.with_codec()
    }

    /// Stores values in the form of this codec.
    #[doc(hidden)]
    pub fn with_codec<D>(self) -> SharedBuilder<D> {
        SharedBuilder { options: self.options, codec: PhantomData }
    }

    twat_cache_core::__wraps_0_1! {
        ///
        /// The database is opened at the first call. If that fails, or the database fails later, memory serves.
        SharedFallback<V>, by with_memory, patience options.patience,
        where A: Args + ?Sized, C: Codec<V>, V: Clone + Send + Sync
    }

    /// The bare store, opened now. An error if it cannot be opened.
    pub fn open<V>(self) -> Result<SharedStore<V>, Error>
    where
        C: Codec<V>,
    {
        let store = self.build();
        store.open()?;
        Ok(store)
    }

    /// The bare store, opened when it is first used. An operation that cannot be done is an error.
    pub fn build<V>(self) -> SharedStore<V>
    where
        C: Codec<V>,
    {
        SharedStore::new(self.options, ErasedCodec::of::<C>())
    }

    /// The store that the `wrap`s use: opened when it is first used, with memory that serves when the database cannot.
    pub fn with_memory<V>(self) -> SharedFallback<V>
    where
        C: Codec<V>,
    {
        let Options { max_bytes, expiry, .. } = &self.options;
        let memory = LruStore::new(if *max_bytes > 0 { MEMORY } else { 0 }).clock(expiry.clock.clone());
        SharedFallback(Fallback::new(self.build(), memory))
    }
}

#[cfg(feature = "compress")]
impl SharedBuilder<persist::MessagePack> {
    /// Compresses values, for texts and documents. It needs the feature `compress`.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let dir = dir.path();
    /// use twat_cache_shared::scache;
    ///
    /// let page = scache("pages").dir(dir).serde().compress().wrap(|url: &str| format!("<p>{url}</p>").repeat(100));
    /// assert_eq!(page.call("/").len(), 800);
    /// ```
    ///
    /// JSON documents of 2 kB take a fourth to a third of their space, texts a half, and a hit takes some 5 µs longer. A value
    /// that does not get smaller is stored as it is. [`max_bytes`](Self::max_bytes) counts the compressed bytes.
    ///
    /// A dictionary of what values have in common is made of the first 100 kB under a name. That takes some 30 ms of one
    /// call. The dictionary of at most 16 kB stays in the database, with pieces of those values, also when they are forgotten.
    ///
    /// Results that were stored without this option are not found with it, and the other way round. They count towards the
    /// limit until they are evicted.
    pub fn compress(self) -> SharedBuilder<persist::Compressed> {
        self.with_codec()
    }
}

impl From<Options> for SharedBuilder {
    fn from(options: Options) -> Self {
        Self { options, codec: PhantomData }
    }
}
