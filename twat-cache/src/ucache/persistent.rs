use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use twat_cache_core::persist::{Options, RkyvValue};
use twat_cache_core::{Args, Claim, Error, ErrorKind, Found, KeyedStore, Process, Store, Ticket, WarnOnce};
#[cfg(feature = "disk")]
use twat_cache_disk::{DiskBuilder, DiskStore};
#[cfg(feature = "file")]
use twat_cache_file::{FileBuilder, FileStore};

use super::Backend;

/// The best backend that can be opened, which is found out when one is first needed. What cannot be opened at present, but
/// perhaps later, is not passed over: memory serves until then. Without any to choose from it keeps
/// nothing, and without one that can be opened everything is an error, until there is.
pub(super) struct Persistent<V: RkyvValue> {
    process: Process,
    asked: Backend,
    /// In the order in which they are tried.
    candidates: Vec<Backend>,
    /// Which one it is, as a number; 0 as long as there is none.
    serving: AtomicU8,
    /// Those that have failed for good since, as bits.
    left: AtomicU8,
    ttl: Option<Duration>,
    warned: WarnOnce,
    #[cfg(feature = "disk")]
    disk: DiskStore<V>,
    #[cfg(feature = "file")]
    file: FileStore<V>,
    // Its values are what it is about, whatever is compiled in.
    values: std::marker::PhantomData<fn() -> V>,
}

impl<V: RkyvValue + Send + Sync> Persistent<V> {
    pub(super) fn new(options: &Options, asked: Backend, keeps: bool) -> Self {
        let is_candidate = |backend: &Backend| keeps && (is_compiled_in(*backend) || *backend == asked);
        Self {
            process: Process::this(),
            asked,
            candidates: asked.order().iter().copied().filter(is_candidate).collect(),
            serving: AtomicU8::new(0),
            left: AtomicU8::new(0),
            ttl: options.expiry.ttl,
            warned: WarnOnce::new(),
            #[cfg(feature = "disk")]
            disk: DiskBuilder::from(options.clone()).build(),
            #[cfg(feature = "file")]
            file: FileBuilder::from(options.clone()).build(),
            values: std::marker::PhantomData,
        }
    }

    #[cfg(feature = "disk")]
    pub(super) fn disk(&self) -> &DiskStore<V> {
        &self.disk
    }

    #[cfg(feature = "file")]
    pub(super) fn file(&self) -> &FileStore<V> {
        &self.file
    }

    /// Opens what was asked for, and nothing else in its place.
    pub(super) fn open_strictly(&self) -> Result<(), Error> {
        match self.asked {
            Backend::Auto => self.choose().map(drop),
            asked if self.candidates.contains(&asked) => self.open(asked),
            _ => Ok(()),
        }
    }

    /// The one that serves, opened if need be; `None` if there is none to choose from.
    #[inline]
    pub(super) fn choose(&self) -> Result<Option<Backend>, Error> {
        match numbered(self.serving.load(Ordering::Acquire)) {
            None if self.candidates.is_empty() => Ok(None),
            None => self.decide().map(Some),
            serving => Ok(serving),
        }
    }

    #[cold]
    fn decide(&self) -> Result<Backend, Error> {
        let left = self.left.load(Ordering::Acquire);
        let mut reasons = Vec::new();
        for backend in self.candidates.iter().copied().filter(|backend| left & bit(*backend) == 0) {
            match self.open(backend) {
                Ok(()) => {
                    // Another thread may have come to something else, as things stood a moment ago.
                    let ours = self.serving.compare_exchange(0, backend as u8, Ordering::AcqRel, Ordering::Acquire);
                    if let (Ok(_), Some(error)) = (ours, all_of(reasons)) {
                        self.warned.warn(&error, format_args!("using {} instead", self.describe()));
                    }
                    return Ok(numbered(ours.err().unwrap_or(0)).unwrap_or(backend));
                }
                Err(error) => {
                    let may_pass = !error.kind().is_lasting();
                    reasons.push(error);
                    // A disk that is full, say. Until that has passed memory serves, and not the next best: the one would
                    // have what the other is asked for.
                    if may_pass && backend == Backend::Disk {
                        break;
                    }
                }
            }
        }
        let nothing_left = || Error::new(ErrorKind::Unavailable, "keep results on disk");
        Err(all_of(reasons).unwrap_or_else(nothing_left))
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

    /// Does something with the one that serves; gives `nothing` if there is none to choose from.
    fn with<K: Args + ?Sized, T: Default>(
        &self,
        work: impl Fn(&dyn KeyedStore<K, Value = V>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        loop {
            let Some(backend) = self.choose()? else { return Ok(T::default()) };
            let Some(store) = self.store(backend) else { return Ok(T::default()) };
            match work(store) {
                // Somebody else has opened the database, say, while it was being replaced.
                Err(error) if error.kind().is_lasting() && self.leave(backend) => {
                    self.warned.warn(&error, "leaving it for good");
                }
                done => return done,
            }
        }
    }

    /// Chooses anew, and never this one; says whether there may be another.
    fn leave(&self, backend: Backend) -> bool {
        // What a forked process cannot use of its parent's is true of all of them.
        if self.process.is_forked() {
            return false;
        }
        let left = self.left.fetch_or(bit(backend), Ordering::AcqRel) | bit(backend);
        let others = self.candidates.iter().any(|backend| left & bit(*backend) == 0);
        if others {
            let _ = self.serving.compare_exchange(backend as u8, 0, Ordering::AcqRel, Ordering::Acquire);
        }
        others
    }
}

fn is_compiled_in(backend: Backend) -> bool {
    match backend {
        Backend::Disk => cfg!(feature = "disk"),
        Backend::File => cfg!(feature = "file"),
        Backend::Auto | Backend::Memory => false,
    }
}

fn bit(backend: Backend) -> u8 {
    1 << backend as u8
}

fn numbered(number: u8) -> Option<Backend> {
    [Backend::Disk, Backend::File].into_iter().find(|backend| *backend as u8 == number)
}

/// Several reasons as one: one that may pass, if there is any.
fn all_of(mut reasons: Vec<Error>) -> Option<Error> {
    let mut texts: Vec<_> = reasons.iter().map(|reason| reason.chain().to_string()).collect();
    // Where the directory itself cannot be made, all say the same.
    texts.dedup();
    if texts.len() < 2 {
        return reasons.pop();
    }
    let passing = reasons.iter().map(Error::kind).find(|kind| !kind.is_lasting());
    let error = Error::new(passing.unwrap_or(ErrorKind::Unavailable), "keep results on disk");
    Some(error.because(texts.join("; ")))
}

impl<V: RkyvValue + Send + Sync> Store for Persistent<V> {
    type Value = V;

    fn len(&self) -> Result<usize, Error> {
        self.with::<(), _>(|store| store.len())
    }

    fn clear(&self) -> Result<(), Error> {
        self.with::<(), _>(|store| store.clear())
    }

    fn ttl(&self) -> Option<Duration> {
        self.ttl
    }

    fn describe(&self) -> String {
        let serving = numbered(self.serving.load(Ordering::Acquire));
        let store = serving.and_then(|backend| self.store::<()>(backend));
        store.map_or_else(|| self.asked.to_string(), Store::describe)
    }
}

impl<K: Args + ?Sized, V: RkyvValue + Send + Sync> KeyedStore<K> for Persistent<V> {
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

    fn insert_begun(&self, key: &K, value: &V, ticket: Ticket) -> Result<bool, Error> {
        // Where there is nothing to choose from, memory is the truth, and what it gets is current.
        let is_outdated = self.with(|store| store.insert_begun(key, value, ticket).map(|is_current| !is_current))?;
        Ok(!is_outdated)
    }

    fn claim(&self, key: &K, patience: Duration) -> Claim {
        let serving = self.choose().ok().flatten();
        let store = serving.and_then(|backend| self.store(backend));
        store.map_or_else(Claim::free, |store| store.claim(key, patience))
    }
}

impl<V: RkyvValue> fmt::Debug for Persistent<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut persistent = f.debug_struct("Persistent");
        persistent.field("asked", &self.asked).field("serving", &numbered(self.serving.load(Ordering::Acquire)));
        #[cfg(feature = "disk")]
        persistent.field("disk", &self.disk);
        #[cfg(feature = "file")]
        persistent.field("file", &self.file);
        persistent.finish_non_exhaustive()
    }
}
