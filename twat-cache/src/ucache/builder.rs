use std::hash::Hash;

use twat_cache_core::persist::{Options, RkyvValue};
use twat_cache_core::{Args, Error};

use super::{Backend, UnifiedStore};

/// A cache of function results, wherever is best: in memory, and behind it in the best persistent backend that can be
/// opened.
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
/// That is the database of `bcache`; or, if another process has that open, the files of `fcache`; or, as long as neither can be
/// opened, or the database cannot for a reason that may pass, such as a full disk, memory alone. With fewer of them compiled in (features `disk` and `file`), it chooses among fewer; what
/// arguments and values need is the same in any case. Why something serves in another's place is one line in the log.
///
/// Without options it keeps 1024 results in memory and up to 1 GiB of them on disk, in the platform's cache directory, for
/// ever. Any string is a name. Caches of the same name, directory, [`version`](UnifiedBuilder::version) and type of value
/// share what is on disk, with a `bcache` or `fcache` of the same name, too.
///
/// What one memo forgets, another of that name, in this process or another, may still have in its memory, until it is evicted
/// or expires there; and what is forgotten in files, because the database was taken, is not forgotten in the database.
pub fn ucache(name: impl Into<String>) -> UnifiedBuilder {
    UnifiedBuilder { options: Options::new(name, 1 << 30), max_entries: 1024, backend: Backend::Auto }
}

/// The options of [`ucache`]. All values are legal.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `wrap` or `open`"]
pub struct UnifiedBuilder {
    options: Options,
    max_entries: usize,
    backend: Backend,
}

impl UnifiedBuilder {
    /// Keeps at most this many entries in memory, as `mcache` does; 1024 by default, and 0 means to compute every time.
    pub fn max_entries(mut self, max_entries: usize) -> Self {
        self.max_entries = max_entries;
        self
    }

    /// What to keep results in, behind memory; [`Backend::Auto`] by default.
    ///
    /// One that is not compiled in or cannot be opened is one warning, and then the best of the others serves.
    pub fn backend(mut self, backend: Backend) -> Self {
        self.backend = backend;
        self
    }

    twat_cache_core::__option_setters_0_1! {
        /// Keeps at most so many bytes under this name, in the backend and in memory alike, with what is kept beside values
        /// (some 64 bytes an entry); 1 GiB by default, and 0 means to compute every time.
        ///
        /// Over it, the backend's rules hold for what goes. A single value may be as large as the limit; a larger one is
        /// returned and not kept, and nothing is thrown out for it. In memory, what a value takes is estimated by its
        /// archived form.
    }

    twat_cache_core::__wraps_0_1! {
        ///
        /// The backend is chosen and opened at the first call.
        UnifiedStore<A::Owned, V>, by build, patience options.patience,
        where A: Args + ?Sized, V: RkyvValue + Clone + Send + Sync
    }

    /// The store itself, for entries with keys `K` and values `V`, opened now: an error if that backend cannot be opened, or,
    /// with [`Backend::Auto`], none of those that are compiled in.
    ///
    /// From then on it is a store as those of the `wrap`s.
    pub fn open<K, V>(self) -> Result<UnifiedStore<K, V>, Error>
    where
        K: Hash + Eq + Clone + Send + Sync + 'static,
        V: RkyvValue + Clone + Send + Sync,
    {
        let store = self.build();
        store.open_strictly()?;
        Ok(store)
    }

    /// The store as the `wrap`s have it: its backend is chosen and opened when it is first used.
    pub fn build<K, V>(self) -> UnifiedStore<K, V>
    where
        K: Hash + Eq + Clone + Send + Sync + 'static,
        V: RkyvValue + Clone + Send + Sync,
    {
        UnifiedStore::new(&self.options, self.max_entries, self.backend)
    }
}
