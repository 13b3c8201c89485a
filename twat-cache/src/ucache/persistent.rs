use std::fmt;
use std::marker::PhantomData;
use std::sync::OnceLock;
use std::time::Duration;

use twat_cache_core::persist::Options;
use twat_cache_core::{Args, Claim, Error, ErrorKind, Expiry, Found, KeyedStore, Store, Ticket, WarnOnce};
#[cfg(feature = "disk")]
use twat_cache_disk::{DiskBuilder, DiskStore};
#[cfg(feature = "file")]
use twat_cache_file::{FileBuilder, FileStore};

use super::{Backend, BackendCodec};

/// The best backend that can be opened. It is chosen once, when it is first needed.
///
/// An error that may pass, such as a full disk, chooses nothing: memory serves, and the next use tries again. Without a backend
/// to choose from it keeps nothing, and as long as none can be opened, all methods return errors.
pub(super) struct Persistent<V, C: BackendCodec<V>> {
    asked: Backend,
    /// In the order in which they are tried.
    candidates: Vec<Backend>,
    chosen: OnceLock<Backend>,
    expiry: Expiry,
    warned: WarnOnce,
    #[cfg(feature = "disk")]
    disk: DiskStore<V>,
    #[cfg(feature = "file")]
    file: FileStore<V, C>,
    // It has values of this type, whatever is compiled in.
    values: PhantomData<fn() -> (V, C)>,
}

impl<V: Send + Sync, C: BackendCodec<V>> Persistent<V, C> {
    pub(super) fn new(options: &Options, asked: Backend, keeps: bool) -> Self {
        let is_candidate = |backend: &Backend| keeps && (is_compiled_in(*backend) || *backend == asked);
        Self {
            asked,
            candidates: asked.order().iter().copied().filter(is_candidate).collect(),
            chosen: OnceLock::new(),
            expiry: options.expiry.clone(),
            warned: WarnOnce::new(),
            #[cfg(feature = "disk")]
            disk: DiskBuilder::from(options.clone()).with_codec::<C>().build(),
            #[cfg(feature = "file")]
            file: FileBuilder::from(options.clone()).with_codec::<C>().build(),
            values: PhantomData,
        }
    }

    #[cfg(feature = "disk")]
    pub(super) fn disk(&self) -> &DiskStore<V> {
        &self.disk
    }

    #[cfg(feature = "file")]
    pub(super) fn file(&self) -> &FileStore<V, C> {
        &self.file
    }

    /// Opens the backend that was asked for, and no other in its place.
    pub(super) fn open_strictly(&self) -> Result<(), Error> {
        match self.asked {
            Backend::Auto => self.choose().map(drop),
            asked if self.candidates.contains(&asked) => self.open(asked),
            _ => Ok(()),
        }
    }

    /// The backend, opened if need be; `None` if there is none to choose from.
    #[inline]
    pub(super) fn choose(&self) -> Result<Option<Backend>, Error> {
        match self.chosen.get() {
            None if self.candidates.is_empty() => Ok(None),
            None => self.choose_now().map(Some),
            chosen => Ok(chosen.copied()),
        }
    }

    #[cold]
    fn choose_now(&self) -> Result<Backend, Error> {
        let mut reasons = Vec::new();
        for &backend in &self.candidates {
            match self.open(backend) {
                Ok(()) => {
                    // Another thread may have chosen another one, as things were a moment ago.
                    if self.chosen.set(backend).is_ok()
                        && let Some(error) = all_of(reasons)
                    {
                        self.warned.warn(&error, format_args!("using {} instead", self.describe()));
                    }
                    return Ok(self.chosen.get().copied().unwrap_or(backend));
                }
                Err(error) => {
                    let may_pass = !error.kind().is_lasting();
                    reasons.push(error);
                    // Until a full disk has room again, memory serves. Results in the next best backend would not be found
                    // afterwards.
                    if may_pass && backend == Backend::Disk {
                        break;
                    }
                }
            }
        }
        let none = || Error::new(ErrorKind::Unavailable, "keep results on disk");
        Err(all_of(reasons).unwrap_or_else(none))
    }

    #[cfg_attr(
        not(any(feature = "disk", feature = "file")),
        expect(clippy::unused_self, reason = "there is nothing in it then")
    )]
    fn open(&self, backend: Backend) -> Result<(), Error> {
        match backend {
            #[cfg(feature = "disk")]
            Backend::Disk => self.disk.open(),
            #[cfg(feature = "file")]
            Backend::File => self.file.open(),
            other => {
                let error = Error::new(ErrorKind::Unavailable, format!("keep results in {other}"));
                let feature = if other == Backend::Disk { "disk" } else { "file" };
                Err(error.because(format!("twat-cache is compiled without its feature `{feature}`")))
            }
        }
    }

    #[cfg_attr(
        not(any(feature = "disk", feature = "file")),
        expect(clippy::unused_self, reason = "there is nothing in it then")
    )]
    fn store<K: Args + ?Sized>(&self, backend: Backend) -> Option<&dyn KeyedStore<K, Value = V>> {
        match backend {
            #[cfg(feature = "disk")]
            Backend::Disk => Some(&self.disk),
            #[cfg(feature = "file")]
            Backend::File => Some(&self.file),
            _ => None,
        }
    }

    /// Works with the store that was chosen; gives the default if there is none to choose from.
    fn with<K: Args + ?Sized, T: Default>(
        &self,
        work: impl Fn(&dyn KeyedStore<K, Value = V>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let store = self.choose()?.and_then(|backend| self.store(backend));
        store.map_or_else(|| Ok(T::default()), work)
    }
}

fn is_compiled_in(backend: Backend) -> bool {
    match backend {
        Backend::Disk => cfg!(feature = "disk"),
        Backend::File => cfg!(feature = "file"),
        Backend::Auto | Backend::Memory => false,
    }
}

/// One error for several. It may pass if one of them may.
fn all_of(mut reasons: Vec<Error>) -> Option<Error> {
    let mut texts: Vec<_> = reasons.iter().map(|reason| reason.chain().to_string()).collect();
    // If the directory itself cannot be made, all say the same.
    texts.dedup();
    if texts.len() < 2 {
        return reasons.pop();
    }
    let passing = reasons.iter().map(Error::kind).find(|kind| !kind.is_lasting());
    let error = Error::new(passing.unwrap_or(ErrorKind::Unavailable), "keep results on disk");
    Some(error.because(texts.join("; ")))
}

impl<V: Send + Sync, C: BackendCodec<V>> Store for Persistent<V, C> {
    type Value = V;

    fn len(&self) -> Result<usize, Error> {
        self.with::<(), _>(|store| store.len())
    }

    fn clear(&self) -> Result<(), Error> {
        self.with::<(), _>(|store| store.clear())
    }

    fn ttl(&self) -> Option<Duration> {
        self.expiry.lifetime()
    }

    #[inline]
    fn stale(&self) -> Option<Duration> {
        self.expiry.stale
    }

    fn describe(&self) -> String {
        let store = self.chosen.get().and_then(|backend| self.store::<()>(*backend));
        store.map_or_else(|| self.asked.to_string(), Store::describe)
    }

    fn evictions(&self) -> u64 {
        let store = self.chosen.get().and_then(|backend| self.store::<()>(*backend));
        store.map_or(0, Store::evictions)
    }
}

impl<K: Args + ?Sized, V: Send + Sync, C: BackendCodec<V>> KeyedStore<K> for Persistent<V, C> {
    fn get(&self, key: &K) -> Result<Option<V>, Error> {
        self.with(|store| store.get(key))
    }

    fn insert(&self, key: &K, value: &V) -> Result<(), Error> {
        self.with(|store| store.insert(key, value))
    }

    fn remove(&self, key: &K) -> Result<bool, Error> {
        self.with(|store| store.remove(key))
    }

    fn get_with_ttl(&self, key: &K) -> Result<Option<Found<V>>, Error> {
        self.with(|store| store.get_with_ttl(key))
    }

    fn insert_with_ttl(&self, key: &K, value: &V, time: Option<Duration>) -> Result<(), Error> {
        self.with(|store| store.insert_with_ttl(key, value, time))
    }

    fn begin(&self, key: &K) -> Ticket {
        self.with(|store| Ok(store.begin(key))).unwrap_or_default()
    }

    fn insert_begun(&self, key: &K, value: &V, time: Option<Duration>, ticket: Ticket) -> Result<bool, Error> {
        // Without a backend to choose from, memory has the only results, and they are current.
        let is_outdated =
            self.with(|store| store.insert_begun(key, value, time, ticket).map(|is_current| !is_current))?;
        Ok(!is_outdated)
    }

    fn claim(&self, key: &K, patience: Duration) -> Claim {
        let store = self.choose().ok().flatten().and_then(|backend| self.store(backend));
        store.map_or_else(Claim::free, |store| store.claim(key, patience))
    }
}

impl<V, C: BackendCodec<V>> fmt::Debug for Persistent<V, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut persistent = f.debug_struct("Persistent");
        persistent.field("asked", &self.asked).field("chosen", &self.chosen.get());
        #[cfg(feature = "disk")]
        persistent.field("disk", &self.disk);
        #[cfg(feature = "file")]
        persistent.field("file", &self.file);
        persistent.finish_non_exhaustive()
    }
}
