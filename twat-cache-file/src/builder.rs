use std::marker::PhantomData;

#[cfg(feature = "serde")]
use twat_cache_core::persist;
use twat_cache_core::persist::{Options, Rkyv};
use twat_cache_core::{Args, Error, Fallback};

use crate::codec::FileCodec;
use crate::fallback::FileFallback;
use crate::memory::MemoryStore;
use crate::read::{Access, Reading, Verify};
use crate::store::FileStore;

/// A cache of large function results in files, under this name.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// # let dir = dir.path();
/// use twat_cache_file::fcache;
///
/// let squares = fcache("squares").dir(dir).wrap(|n: &u64| (0..*n).map(|i| i * i).collect::<Vec<u64>>());
/// let view = squares.view(&100_000); // one process computes it, once
/// assert_eq!(view[12], 144); // it is read from the file, without a copy
/// ```
///
/// Without options, it is in the platform's cache directory, stores at most 10 GiB, and its results do not expire. Any string is a name. Caches share their results, in this process and in all others, if they have the same
/// directory, name, [`version`](FileBuilder::version) and type of value. Arguments are compared by what they hash, see
/// [`KeyHash`](twat_cache_core::KeyHash).
pub fn fcache(name: impl Into<String>) -> FileBuilder {
    Options::new(name, 10 << 30).into()
}

/// The options of [`fcache`]. All values are legal.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `wrap` or `open`"]
pub struct FileBuilder<C = Rkyv> {
    options: Options,
    reading: Reading,
    codec: PhantomData<C>,
}

/// How many bytes the memory has that serves where files fail.
const MEMORY: u64 = 512 << 20;

impl<C> FileBuilder<C> {
    twat_cache_core::__option_setters_0_1! {
        /// The files under this name take at most this many bytes of disk space, for all processes together. The default is
        /// 10 GiB, and 0 means to compute every time.
        ///
        /// A file has a header of 64 bytes, and takes whole blocks of the file system, mostly of 4 KiB. So an entry of 100 bytes
        /// counts as 4096. Directories do not count, and compression by the file system does not either.
        ///
        /// Above the limit, a thread evicts the least recently used entries in the background, until a tenth of the limit is
        /// free. Meanwhile there may be up to a tenth more than the limit. Beyond that, a caller that stores an entry evicts others
        /// itself. An entry may be as large as the limit. A larger one is returned and not stored, and nothing is written or
        /// evicted for it.
    }

    /// Whether entries may be mapped; [`Access::Auto`] by default.
    pub fn access(mut self, access: Access) -> Self {
        self.reading.access = access;
        self
    }

    /// How much of an entry is checked when a process first reads it; [`Verify::Once`] by default.
    pub fn verify(mut self, verify: Verify) -> Self {
        self.reading.verify = verify;
        self
    }

    /// Stores values as MessagePack instead of rkyv, for types with serde's derives. See
    /// [`SerdeValue`](persist::SerdeValue) for what comes back.
    ///
    /// Such a memo has no [`view`](twat_cache_core::Memo::view): every hit decodes the value, straight from the mapped file.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let dir = dir.path();
    /// use std::path::PathBuf;
    /// use twat_cache_file::fcache;
    ///
    /// // rkyv knows no paths, and serde does.
    /// let find = fcache("find").dir(dir).serde().wrap(|dir: &str| vec![PathBuf::from(dir).join("a.txt")]);
    /// assert_eq!(find.call("/home"), [PathBuf::from("/home/a.txt")]);
    /// ```
    #[cfg(feature = "serde")]
    pub fn serde(self) -> FileBuilder<persist::MessagePack> {
        self.with_codec()
    }

    /// Stores values in the form of this codec.
    #[doc(hidden)]
    pub fn with_codec<D>(self) -> FileBuilder<D> {
        FileBuilder { options: self.options, reading: self.reading, codec: PhantomData }
    }

    twat_cache_core::__wraps_0_1! {
        ///
        /// [`Memo::view`](twat_cache_core::Memo::view) and its kin return the result without a copy. The directory is opened
        /// at the first call. If it cannot be used, results are stored in memory.
        FileFallback<V, C>, by with_memory, patience options.patience,
        where A: Args + ?Sized, C: FileCodec<V>
    }

    /// The store alone, opened now: an error if it cannot be opened.
    pub fn open<V>(self) -> Result<FileStore<V, C>, Error>
    where
        C: FileCodec<V>,
    {
        let store = self.build();
        store.open()?;
        Ok(store)
    }

    /// The store alone, opened when it is first used. An operation that fails returns an error.
    pub fn build<V>(self) -> FileStore<V, C>
    where
        C: FileCodec<V>,
    {
        FileStore::new(self.options, self.reading)
    }

    /// The store of the `wrap`s: files, opened when they are first used, and memory where they fail.
    pub fn with_memory<V>(self) -> FileFallback<V, C>
    where
        C: FileCodec<V>,
    {
        let Options { max_bytes, expiry, .. } = &self.options;
        let memory = MemoryStore::with_codec(MEMORY.min(*max_bytes)).clock(expiry.clock.clone());
        FileFallback(Fallback::new(self.build(), memory))
    }
}

impl From<Options> for FileBuilder {
    fn from(options: Options) -> Self {
        Self { options, reading: Reading::default(), codec: PhantomData }
    }
}
