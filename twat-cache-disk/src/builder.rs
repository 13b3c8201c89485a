use std::hash::Hash;
use std::marker::PhantomData;
use std::path::PathBuf;
use std::time::Duration;

use twat_cache_core::archive::{Codec, Functions, Lifetime, Rkyv};
use twat_cache_core::{
    AsyncFunction, Clock, Error, Fallback, Function, KeyHash, LruStore, Memo, Namespace, default_directory,
};

use crate::store::{DiskStore, Identity, Limits};

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
/// Without options it is in the platform's cache directory, keeps up to 1 GiB of what is used most, for ever. Any string
/// is a name. Caches of the same name and directory share their results, if they are of the same
/// [`version`](DiskBuilder::version) and type of value.
pub fn bcache(name: impl Into<String>) -> DiskBuilder {
    let limits = Limits { max_bytes: 1 << 30, lifetime: Lifetime { ttl: None, clock: Clock::system() } };
    DiskBuilder { name: name.into(), dir: None, version: None, limits, codec: PhantomData }
}

/// The options of [`bcache`]. All values are legal.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `wrap` or `open`"]
pub struct DiskBuilder<C = Rkyv> {
    name: String,
    dir: Option<PathBuf>,
    version: Option<KeyHash>,
    limits: Limits,
    codec: PhantomData<C>,
}

/// A store on disk, and the memory that steps in when it fails; the engine is reached through it.
pub type DiskFallback<V> = Fallback<DiskStore<V>, LruStore<V>>;

/// How many results the memory keeps that steps in.
const MEMORY: usize = 1024;

impl<C> DiskBuilder<C> {
    /// The cache directory. By default `$TWAT_CACHE_DIR`, or else `twat-cache/<program name>` in the platform's directory
    /// for caches.
    ///
    /// It is made if it does not exist, with mode 0700. One that has something of somebody else's in it is left as it is
    /// but for what the cache adds: a directory `bcache`, and, where needed, `bcache.lock` and `bcache.corrupt`.
    pub fn dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.dir = Some(dir.into());
        self
    }

    /// Keeps at most so many bytes under this name, keys and headers (40 bytes an entry) included; 1 GiB by default, and 0
    /// means to compute every time.
    ///
    /// Over it, the entries go that were written first and have not been used since. A single value may be as large as
    /// the limit; a larger one is returned and not kept, and nothing is thrown out for it. What is thrown out is gone at
    /// once, and leaves the disk when the engine next compacts: until then, the files may take several times the limit.
    pub fn max_bytes(mut self, max_bytes: u64) -> Self {
        self.limits.max_bytes = max_bytes;
        self
    }

    /// Forgets a result this long after it was stored; never by default. Zero means to compute every time.
    ///
    /// It goes by the wall clock, so that it holds from one run of the program to the next. An entry that was stored under a
    /// longer TTL is given out as soon as it has no more than this left.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.limits.lifetime.ttl = Some(ttl);
        self
    }

    /// Sets results apart that were made in another way: the version of the function, settings that it uses, or a type
    /// of value whose fields have changed.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let dir = dir.path();
    /// use twat_cache_disk::bcache;
    ///
    /// const QUALITY: u8 = 80;
    /// let resize = bcache("resize").dir(dir).version(("v2", QUALITY)).wrap(|path: &str| format!("{path}@{QUALITY}"));
    /// assert_eq!(resize.call("cat.jpg"), "cat.jpg@80");
    /// ```
    ///
    /// Results of other versions are not thrown away; they count towards the limit, and go first.
    pub fn version(mut self, version: impl Hash) -> Self {
        // The secret of the directory is not known yet, and joins in later.
        self.version = Some(Namespace::from_secret([0; 16]).digest(&version));
        self
    }

    /// Keeps values as MessagePack instead of rkyv, for types that only have serde.
    ///
    /// MessagePack has one nothing: `Some(None)` and `Some(())` come back as `None`. Do not keep such types by it.
    #[cfg(feature = "serde")]
    pub fn serde(self) -> DiskBuilder<twat_cache_core::archive::MessagePack> {
        let Self { name, dir, version, limits, codec: PhantomData } = self;
        DiskBuilder { name, dir, version, limits, codec: PhantomData }
    }

    /// Reads the time from this clock, for tests of what expires. It is read only for entries with a deadline.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.limits.lifetime.clock = clock;
        self
    }

    /// A memo of `function`, for [`Memo::call`].
    ///
    /// The database is opened at the first call. If that fails, or later the database itself, memory takes over.
    pub fn wrap<A, V, F>(self, function: F) -> Memo<DiskFallback<V>, F>
    where
        A: Hash + ?Sized,
        F: Function<A, V>,
        C: Codec<V>,
        V: Clone + Send + Sync,
    {
        Memo::new(self.fallback(), function)
    }

    /// A memo of a function that can fail, for [`Memo::try_call`]. Only `Ok` is kept.
    pub fn try_wrap<A, V, E, F>(self, function: F) -> Memo<DiskFallback<V>, F>
    where
        A: Hash + ?Sized,
        F: Function<A, Result<V, E>>,
        C: Codec<V>,
        V: Clone + Send + Sync,
    {
        Memo::new(self.fallback(), function)
    }

    /// A memo of an async function, for [`Memo::call_async`].
    pub fn wrap_async<A, V, F>(self, function: F) -> Memo<DiskFallback<V>, F>
    where
        A: Hash + ?Sized,
        F: AsyncFunction<A, V>,
        C: Codec<V>,
        V: Clone + Send + Sync,
    {
        Memo::new(self.fallback(), function)
    }

    /// A memo of an async function that can fail, for [`Memo::try_call_async`].
    pub fn try_wrap_async<A, V, E, F>(self, function: F) -> Memo<DiskFallback<V>, F>
    where
        A: Hash + ?Sized,
        F: AsyncFunction<A, Result<V, E>>,
        C: Codec<V>,
        V: Clone + Send + Sync,
    {
        Memo::new(self.fallback(), function)
    }

    /// The bare store, opened now, without anything to step in: an error if it cannot be opened.
    pub fn open<V>(self) -> Result<DiskStore<V>, Error>
    where
        C: Codec<V>,
    {
        let store = self.store();
        store.open()?;
        Ok(store)
    }

    fn fallback<V>(self) -> DiskFallback<V>
    where
        C: Codec<V>,
    {
        let Limits { max_bytes, lifetime } = &self.limits;
        let memory = LruStore::new(if *max_bytes > 0 { MEMORY } else { 0 }).clock(lifetime.clock.clone());
        let memory = if let Some(ttl) = lifetime.ttl { memory.ttl(ttl) } else { memory };
        Fallback::new(self.store(), memory)
    }

    fn store<V>(self) -> DiskStore<V>
    where
        C: Codec<V>,
    {
        let dir = self.dir.or_else(|| default_directory().ok());
        let identity = Identity { name: self.name, version: self.version, within: C::within };
        DiskStore::new(dir.as_deref(), identity, self.limits, Functions::of::<C>())
    }
}
