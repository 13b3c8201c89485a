use std::hash::Hash;
use std::path::PathBuf;
use std::time::Duration;

use twat_cache_core::archive::{Lifetime, within_rkyv};
use twat_cache_core::{AsyncFunction, Clock, Error, Fallback, Function, KeyHash, Memo, Namespace, default_directory};

use crate::memory::MemoryStore;
use crate::place::Identity;
use crate::store::{FileStore, Limits};
use crate::view::FileValue;

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
/// [`version`](FileBuilder::version) and type of value: in this process and in all others.
pub fn fcache(name: impl Into<String>) -> FileBuilder {
    let lifetime = Lifetime { ttl: None, clock: Clock::system() };
    let limits = Limits { max_bytes: 10 << 30, lifetime, access: Access::Auto, verify: Verify::Once };
    FileBuilder { name: name.into(), dir: None, version: None, limits }
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
    name: String,
    dir: Option<PathBuf>,
    version: Option<KeyHash>,
    limits: Limits,
}

/// A store in files, and the memory that steps in when it fails; the files are reached through it.
pub type FileFallback<V> = Fallback<FileStore<V>, MemoryStore<V>>;

/// How many bytes the memory keeps that steps in.
const MEMORY: u64 = 512 << 20;

impl FileBuilder {
    /// The cache directory. By default `$TWAT_CACHE_DIR`, or else `twat-cache/<program name>` in the platform's directory
    /// for caches.
    ///
    /// It is made if it does not exist, with mode 0700. One that has something of somebody else's in it is left as it is
    /// but for a directory that is named after this cache.
    pub fn dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.dir = Some(dir.into());
        self
    }

    /// Keeps at most so many bytes under this name, headers (64 bytes an entry) included, for all processes together;
    /// 10 GiB by default, and 0 means to compute every time.
    ///
    /// Over it, the entries go that were used least recently, until there is a tenth of room. A single value may be as large
    /// as the limit; a larger one is returned and not kept, and nothing is thrown out for it. File systems give space in
    /// blocks of some kilobytes, so many small entries take more.
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
    /// Results of other versions are not thrown away; they count towards the limit, and go when they are the least recently
    /// used.
    pub fn version(mut self, version: impl Hash) -> Self {
        // The secret of the directory is not known yet, and joins in later.
        self.version = Some(Namespace::from_secret([0; 16]).digest(&version));
        self
    }

    /// Whether entries may be mapped; [`Access::Auto`] by default.
    pub fn access(mut self, access: Access) -> Self {
        self.limits.access = access;
        self
    }

    /// How much of an entry is checked when a process first reads it; [`Verify::Once`] by default.
    pub fn verify(mut self, verify: Verify) -> Self {
        self.limits.verify = verify;
        self
    }

    /// Reads the time from this clock, for tests of what expires. It is read only for entries with a deadline.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.limits.lifetime.clock = clock;
        self
    }

    /// A memo of `function`, for [`Memo::call`] and [`Memo::view`].
    ///
    /// The directory is opened at the first call. Where it cannot be used, memory takes over.
    pub fn wrap<A, V, F>(self, function: F) -> Memo<FileFallback<V>, F>
    where
        A: Hash + ?Sized,
        F: Function<A, V>,
        V: FileValue,
    {
        Memo::new(self.fallback(), function)
    }

    /// A memo of a function that can fail, for [`Memo::try_call`] and [`Memo::try_view`]. Only `Ok` is kept.
    pub fn try_wrap<A, V, E, F>(self, function: F) -> Memo<FileFallback<V>, F>
    where
        A: Hash + ?Sized,
        F: Function<A, Result<V, E>>,
        V: FileValue,
    {
        Memo::new(self.fallback(), function)
    }

    /// A memo of an async function, for [`Memo::call_async`] and [`Memo::view_async`].
    pub fn wrap_async<A, V, F>(self, function: F) -> Memo<FileFallback<V>, F>
    where
        A: Hash + ?Sized,
        F: AsyncFunction<A, V>,
        V: FileValue,
    {
        Memo::new(self.fallback(), function)
    }

    /// A memo of an async function that can fail, for [`Memo::try_call_async`] and [`Memo::try_view_async`].
    pub fn try_wrap_async<A, V, E, F>(self, function: F) -> Memo<FileFallback<V>, F>
    where
        A: Hash + ?Sized,
        F: AsyncFunction<A, Result<V, E>>,
        V: FileValue,
    {
        Memo::new(self.fallback(), function)
    }

    /// The bare store, opened now, without anything to step in: an error if it cannot be opened.
    pub fn open<V: FileValue>(self) -> Result<FileStore<V>, Error> {
        let store = self.store();
        store.open()?;
        Ok(store)
    }

    fn fallback<V: FileValue>(self) -> FileFallback<V> {
        let Limits { max_bytes, lifetime, .. } = &self.limits;
        let memory = MemoryStore::new(MEMORY.min(*max_bytes)).clock(lifetime.clock.clone());
        let memory = if let Some(ttl) = lifetime.ttl { memory.ttl(ttl) } else { memory };
        Fallback::new(self.store(), memory)
    }

    fn store<V: FileValue>(self) -> FileStore<V> {
        let dir = self.dir.or_else(|| default_directory().ok());
        // Of a relative one the meaning must not change with the process's directory.
        let dir = dir.map(|dir| std::path::absolute(&dir).unwrap_or(dir));
        let identity = Identity { name: self.name, version: self.version, within: within_rkyv::<V> };
        FileStore::new(dir, identity, self.limits)
    }
}
