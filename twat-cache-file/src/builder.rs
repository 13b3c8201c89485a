use twat_cache_core::persist::{Options, RkyvValue};
use twat_cache_core::{Args, Error, Fallback};

use crate::fallback::FileFallback;
use crate::memory::MemoryStore;
use crate::store::FileStore;

/// A cache of large function results in files, under this name.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// # let dir = dir.path();
/// use twat_cache_file::fcache;
///
/// let squares = fcache("squares").dir(dir).wrap(|n: &u64| (0..*n).map(|i| i * i).collect::<Vec<u64>>());
/// let view = squares.view(&100_000); // computed once, and not again by any other process
/// assert_eq!(view[12], 144); // read where it lies, without a copy
/// ```
///
/// Without options it is in the platform's cache directory, keeps up to 10 GiB of what is used most, for ever. Any string
/// is a name. Caches of the same name and directory share their results, if they are of the same
/// [`version`](FileBuilder::version) and type of value: in this process and in all others. Arguments are known by what they
/// hash, see [`KeyHash`](twat_cache_core::KeyHash).
pub fn fcache(name: impl Into<String>) -> FileBuilder {
    Options::new(name, 10 << 30).into()
}

/// How entries are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Access {
    /// Entries of at least 128 KiB are mapped if nobody else can change them, all others copied; the default.
    ///
    /// That is: a regular file on a local file system of Linux, ours, in directories that are ours, none of which group or
    /// others may write to.
    #[default]
    Auto,
    /// All entries are copied.
    Copy,
}

/// How much of an entry is checked when a process first reads it. Its header and its structure always are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Verify {
    /// Everything, by a checksum: a gigabyte takes some 0.1 s; the default.
    #[default]
    Once,
    /// The structure only: a gigabyte of numbers takes microseconds. A disk that has flipped one of their bits, or has lost
    /// some to a power cut, goes unnoticed.
    Structure,
}

/// The options of [`fcache`]. All values are legal.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `wrap` or `open`"]
pub struct FileBuilder {
    options: Options,
    access: Access,
    verify: Verify,
}

/// How many bytes the memory keeps that steps in.
const MEMORY: u64 = 512 << 20;

impl FileBuilder {
    twat_cache_core::__option_setters_0_1! {
        /// Keeps at most so many bytes under this name, headers (64 bytes an entry) included, for all processes together;
        /// 10 GiB by default, and 0 means to compute every time.
        ///
        /// Over it, the entries go that were used least recently, until there is a tenth of room. A single value may be as
        /// large as the limit; a larger one is returned and not kept, and nothing is thrown out for it. File systems give
        /// space in blocks of some kilobytes, so many small entries take more.
    }

    /// Whether entries may be mapped; [`Access::Auto`] by default.
    pub fn access(mut self, access: Access) -> Self {
        self.access = access;
        self
    }

    /// How much of an entry is checked when a process first reads it; [`Verify::Once`] by default.
    pub fn verify(mut self, verify: Verify) -> Self {
        self.verify = verify;
        self
    }

    twat_cache_core::__wraps_0_1! {
        ///
        /// [`Memo::view`](twat_cache_core::Memo::view) lends the result instead, and so do its kin. The directory is opened at
        /// the first call. Where it cannot be used, memory takes over.
        FileFallback<V>, by with_memory, patience options.patience,
        where A: Args + ?Sized, V: RkyvValue
    }

    /// The bare store, opened now, without anything to step in: an error if it cannot be opened.
    pub fn open<V: RkyvValue>(self) -> Result<FileStore<V>, Error> {
        let store = self.build();
        store.open()?;
        Ok(store)
    }

    /// The bare store, opened when it is first used, without anything to step in: what cannot be done is an error of the
    /// operation.
    pub fn build<V: RkyvValue>(self) -> FileStore<V> {
        FileStore::new(self.options, self.access, self.verify)
    }

    /// The store as the `wrap`s have it, opened when it is first used, and memory that steps in for it.
    pub fn with_memory<V: RkyvValue>(self) -> FileFallback<V> {
        let Options { max_bytes, expiry, .. } = &self.options;
        let memory = MemoryStore::new(MEMORY.min(*max_bytes)).clock(expiry.clock.clone());
        let memory = if let Some(ttl) = expiry.ttl { memory.ttl(ttl) } else { memory };
        FileFallback(Fallback::new(self.build(), memory))
    }
}

impl From<Options> for FileBuilder {
    fn from(options: Options) -> Self {
        Self { options, access: Access::Auto, verify: Verify::Once }
    }
}
