use std::marker::PhantomData;

#[cfg(feature = "serde")]
use twat_cache_core::persist;
use twat_cache_core::persist::{Codec, ErasedCodec, Options, Rkyv};
use twat_cache_core::{Args, Error, Fallback, LruStore};

use crate::fallback::DiskFallback;
use crate::store::DiskStore;

/// A cache of function results in an embedded database, under this name.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// # let dir = dir.path();
/// use twat_cache_disk::bcache;
///
/// let square = bcache("squares").dir(dir).wrap(|n: &u64| n * n);
/// assert_eq!(square.call(&12), 144); // computed once, and not again by the next run of the program
/// ```
///
/// By default it is in the platform's cache directory, keeps up to 1 GiB of what is used most, and its results never expire.
/// Any string is a name. Caches of one name and directory share their results if they have the same
/// [`version`](DiskBuilder::version) and type of value. Arguments are told apart by what they hash, see
/// [`KeyHash`](twat_cache_core::KeyHash).
pub fn bcache(name: impl Into<String>) -> DiskBuilder {
    Options::new(name, 1 << 30).into()
}

/// The options of [`bcache`]. All values are legal.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `wrap` or `open`"]
pub struct DiskBuilder<C = Rkyv> {
    options: Options,
    codec: PhantomData<C>,
}

/// How many results memory keeps when it serves instead of the database.
const MEMORY: usize = 1024;

impl<C> DiskBuilder<C> {
    twat_cache_core::__option_setters_0_1! {
        /// Keeps at most this many bytes under this name, with keys and headers (40 bytes for each entry); 1 GiB by default. 0
        /// means to compute every time.
        ///
        /// Above the limit, the oldest entries that have not been used since are evicted. A single value may be as large as
        /// the limit. A larger one is returned and not kept, and nothing is evicted for it. Evicted entries are not found any
        /// more, and leave the disk when the engine next compacts. When nothing has been stored for 2 seconds, the files take
        /// at most twice the entries' bytes and 8 MiB. While results are stored all the time, they may take several times the
        /// limit, and up to 128 MiB for journals.
    }

    /// Keeps values as MessagePack instead of rkyv, for types that have serde's derives. See
    /// [`SerdeValue`](persist::SerdeValue) for what comes back.
    #[cfg(feature = "serde")]
    pub fn serde(self) -> DiskBuilder<persist::MessagePack> {
        self.with_codec()
    }

    /// Keeps values in the form of this codec.
    #[doc(hidden)]
    pub fn with_codec<D>(self) -> DiskBuilder<D> {
        DiskBuilder { options: self.options, codec: PhantomData }
    }

    twat_cache_core::__wraps_0_1! {
        ///
        /// The database is opened at the first call. If that fails, or the database fails later, memory serves.
        DiskFallback<V>, by with_memory, patience options.patience,
        where A: Args + ?Sized, C: Codec<V>, V: Clone + Send + Sync
    }

    /// The bare store, opened now. An error if it cannot be opened.
    pub fn open<V>(self) -> Result<DiskStore<V>, Error>
    where
        C: Codec<V>,
    {
        let store = self.build();
        store.open()?;
        Ok(store)
    }

    /// The bare store, opened when it is first used. An operation that cannot be done is an error.
    pub fn build<V>(self) -> DiskStore<V>
    where
        C: Codec<V>,
    {
        DiskStore::new(self.options, ErasedCodec::of::<C>())
    }

    /// The store that the `wrap`s use: opened when it is first used, with memory that serves when the database cannot.
    pub fn with_memory<V>(self) -> DiskFallback<V>
    where
        C: Codec<V>,
    {
        let Options { max_bytes, expiry, .. } = &self.options;
        let memory = LruStore::new(if *max_bytes > 0 { MEMORY } else { 0 }).clock(expiry.clock.clone());
        DiskFallback(Fallback::new(self.build(), memory))
    }
}

#[cfg(feature = "compress")]
impl DiskBuilder<persist::MessagePack> {
    /// Compresses values, for texts and documents. It needs the feature `compress`, and that needs a C compiler.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let dir = dir.path();
    /// use twat_cache_disk::bcache;
    ///
    /// let page = bcache("pages").dir(dir).serde().compress().wrap(|url: &str| format!("<p>{url}</p>").repeat(100));
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
    pub fn compress(self) -> DiskBuilder<persist::Compressed> {
        self.with_codec()
    }
}

impl From<Options> for DiskBuilder {
    fn from(options: Options) -> Self {
        Self { options, codec: PhantomData }
    }
}
