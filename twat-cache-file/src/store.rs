mod open;

use std::cell::Cell;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::RwLock;
use twat_cache_core::Process;
use twat_cache_core::persist::Options;
use twat_cache_core::persist::RkyvValue;
use twat_cache_core::{
    Args, Claim, Error, ErrorKind, Expiry, Found, KeyHash, KeyedStore, Namespace, Store, Ticket, ViewStore, WarnOnce,
};

use crate::builder::{Access, Verify};
use crate::entry;
use crate::load::load;
use crate::place::{Place, Stored, dir_name};
use crate::sweep::Sweep;
use crate::system;
use crate::table::{AT_ONCE, LastLook, Open, Table, moment};
use crate::view::View;

/// Results in files, one each, found by the digest of their arguments, and shared with all processes that use the same
/// directory.
///
/// Made by [`fcache`](crate::fcache)`(name).open()`, and, as the primary of a [`Fallback`](twat_cache_core::Fallback), by
/// its `wrap`s. Lookups and changes take constant time, as far as the file system does; `len` and `clear` look at all
/// entries, and so does, now and then, a store that has to make room.
///
/// Writes go to the operating system's buffers: a result that was stored survives the process, however that ends, and not a
/// power cut.
pub struct FileStore<V: RkyvValue> {
    root: Option<PathBuf>,
    dir: PathBuf,
    options: Options,
    reading: Reading,
    place: RwLock<Option<Arc<Place>>>,
    /// Found with the first directory, and given to those that replace it.
    secret: OnceLock<[u8; 16]>,
    /// The namespace of the first place, and of nearly all others: keys are hashed by it without a lock.
    namespace: OnceLock<Namespace>,
    /// When the directory's counters were last looked after,
    looked: LastLook,
    /// and when they were last compared with what has their name.
    compared: LastLook,
    table: Table<V>,
    sweep: Sweep,
    warned: WarnOnce,
    process: Process,
    /// When it was last made sure of that this is still that process.
    at_home: AtomicU64,
}

/// How long, in nanoseconds, it may take to find out that the directory has been moved away.
const MOVED: u64 = 10_000_000;

/// How a store reads entries.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    pub(crate) expiry: Expiry,
    pub(crate) access: Access,
    pub(crate) verify: Verify,
}

impl<V: RkyvValue> FileStore<V> {
    pub(crate) fn new(options: Options, access: Access, verify: Verify) -> Self {
        let root = options.root();
        let reading = Reading { expiry: options.expiry.clone(), access, verify };
        Self {
            dir: root.as_ref().map(|root| root.join(dir_name(&options.name))).unwrap_or_default(),
            root,
            options,
            reading,
            place: RwLock::new(None),
            secret: OnceLock::new(),
            namespace: OnceLock::new(),
            looked: LastLook::default(),
            compared: LastLook::default(),
            table: Table::new(),
            sweep: Sweep::default(),
            warned: WarnOnce::new(),
            process: Process::this(),
            at_home: moment().into(),
        }
    }

    /// Opens the directory now, if it is not open. What uses it does so by itself.
    pub fn open(&self) -> Result<(), Error> {
        self.place().map(drop)
    }

    /// The directory of this cache, in the cache directory. Empty if there is no cache directory on this system.
    pub fn path(&self) -> &Path {
        &self.dir
    }

    /// The file in which the result for these arguments is, or would be. It is this library's: to be looked at, or copied.
    pub fn path_of<K: Args + ?Sized>(&self, key: &K) -> Result<PathBuf, Error> {
        let place = self.place()?;
        Ok(place.path_of(place.digest(key)))
    }

    /// The entry of a key, if it may be given out.
    #[inline]
    fn find<K: Args + ?Sized>(&self, key: &K) -> Result<Option<Arc<Open<V>>>, Error> {
        if !self.options.keeps() {
            return Ok(None);
        }
        // Not under the lock: what hashes the key is the user's code.
        let namespace = self.namespace.get().copied();
        let digest = namespace.map(|namespace| namespace.digest_of(key));
        let now = moment();
        self.at_home(now)?;
        let guard = self.place.read();
        let known = guard.as_ref().zip(digest).filter(|(place, _)| namespace == Some(place.namespace));
        let Some((place, digest)) = known.filter(|(place, _)| self.is_fit(place, now)) else {
            drop(guard);
            let place = self.place()?;
            return self.load(&place, place.digest(key));
        };
        let open = self.table.get(digest).filter(|open| {
            open.generation.load(Ordering::Acquire) == place.meta.generation()
                && open.is_whole(now, || place.path_of(digest))
                && self.options.expiry.allows(open.header.deadline)
        });
        let is_marked = |open: &Open<V>| open.used.load(Ordering::Relaxed) >= place.meta.recent();
        match open {
            Some(open) if is_marked(&open) => Ok(Some(open)),
            open => {
                // The rest is I/O.
                let place = place.clone();
                drop(guard);
                let Some(open) = open else { return self.load(&place, digest) };
                mark_as_used(&open, &place, &place.path_of(digest));
                Ok(Some(open))
            }
        }
    }

    /// Whether the counters can be looked at, and the table be used.
    #[inline]
    fn is_fit(&self, place: &Place, now: u64) -> bool {
        let is_fit = !place.is_remote
            && (!self.looked.is_due(now, AT_ONCE) || place.meta.is_whole())
            && (!self.compared.is_due(now, MOVED) || place.meta.is_sound());
        if !is_fit {
            // Whoever comes next is not to take our word for it.
            self.looked.make_due();
            self.compared.make_due();
        }
        is_fit
    }

    /// The entry of a digest, from the table if it is still what is on disk, or else from there.
    #[cold]
    fn load(&self, place: &Place, digest: KeyHash) -> Result<Option<Arc<Open<V>>>, Error> {
        // Before anything is looked at: what happens from now on will be noticed by the next who looks.
        let generation = place.meta.generation();
        let path = place.path_of(digest);
        if let Some(open) = self.table.get(digest) {
            if !place.is_remote && self.options.expiry.allows(open.header.deadline) && open.is_still_at(&path) {
                open.generation.store(generation, Ordering::Release);
                mark_as_used(&open, place, &path);
                return Ok(Some(open));
            }
            self.table.remove(digest);
        }
        let loaded = load(place, digest, &path, &self.reading).map_err(|error| error.at(&path))?;
        let Some((view, header, file, stat)) = loaded else { return Ok(None) };
        let open = Arc::new(Open::new(view, header, file, stat, generation));
        mark_as_used(&open, place, &path);
        self.table.insert(digest, open.clone());
        Ok(Some(open))
    }

    /// The value of a key, and when it expires.
    fn value<K: Args + ?Sized>(&self, key: &K) -> Result<Option<(V, u64)>, Error> {
        let Some(mut open) = self.find(key)? else { return Ok(None) };
        // All of it is about to be read: that is worth one more look at the file.
        if open.view.is_mapped() && !open.look(|| self.path_of(key).unwrap_or_default()) {
            let place = self.place()?;
            let digest = place.digest(key);
            self.table.remove(digest);
            let Some(found) = self.load(&place, digest)? else { return Ok(None) };
            open = found;
        }
        let value = open.view.to_value().map_err(|error| error.at(self.path()))?;
        Ok(Some((value, open.header.deadline)))
    }
}

/// Notes on disk that an entry has been used, if that is not recent there. What cannot be noted may be evicted early.
#[cold]
fn mark_as_used<V: RkyvValue>(open: &Open<V>, place: &Place, path: &Path) {
    let recent = place.meta.recent();
    if open.used.load(Ordering::Relaxed) >= recent {
        return;
    }
    // By a clock that was set back, it would never be recent again.
    let now = system::now().max(recent);
    open.used.store(now, Ordering::Relaxed);
    let _ = system::touch(path, now);
}

impl<V: RkyvValue> Store for FileStore<V> {
    type Value = V;

    fn len(&self) -> Result<usize, Error> {
        if !self.options.keeps() {
            return Ok(0);
        }
        let len = self.place()?.len();
        len.map_err(|error| Error::from(error).attempting("count the entries").at(self.path()))
    }

    fn clear(&self) -> Result<(), Error> {
        let attempt = "remove the entries";
        self.change(attempt, |place| {
            let cleared = place.clear();
            self.table.clear();
            cleared.map(|()| true).map_err(|error| Error::from(error).attempting(attempt).at(self.path()))
        })
        .map(drop)
    }

    fn ttl(&self) -> Option<Duration> {
        self.options.expiry.ttl
    }

    fn describe(&self) -> String {
        format!("files at {}", self.path().display())
    }
}

impl<K: Args + ?Sized, V: RkyvValue> KeyedStore<K> for FileStore<V> {
    fn get(&self, key: &K) -> Result<Option<V>, Error> {
        Ok(self.value(key)?.map(|(value, _)| value))
    }

    fn insert(&self, key: &K, value: &V) -> Result<(), Error> {
        self.insert_with_ttl(key, value, None)
    }

    fn remove(&self, key: &K) -> Result<bool, Error> {
        let digest = Digest::default();
        self.change("remove an entry", |place| {
            let digest = digest.of(key, place);
            let removed = place.remove(digest, &self.options.expiry);
            self.table.remove(digest);
            removed
        })
    }

    fn get_with_ttl(&self, key: &K) -> Result<Option<Found<V>>, Error> {
        let found = |(value, deadline)| Found { value, ttl: self.options.expiry.left(deadline) };
        Ok(self.value(key)?.map(found))
    }

    fn insert_with_ttl(&self, key: &K, value: &V, time: Option<Duration>) -> Result<(), Error> {
        self.put(key, value, time, None).map(drop)
    }

    fn begin(&self, key: &K) -> Ticket {
        let number = || {
            let place = self.options.keeps().then(|| self.place().ok())??;
            place.meta.begin(place.digest(key)).ok()
        };
        Ticket { number: number().unwrap_or_default(), is_refresh: false }
    }

    fn insert_begun(&self, key: &K, value: &V, ticket: Ticket) -> Result<bool, Error> {
        self.put(key, value, None, Some(ticket))
    }

    fn claim(&self, key: &K, patience: Duration) -> Claim {
        if !self.options.keeps() {
            return Claim::free();
        }
        let Some(place) = self.place().ok().filter(|place| place.meta.is_writable()) else {
            return Claim::free();
        };
        let digest = place.digest(key);
        let claim = place.claims.try_claim(digest).unwrap_or_else(|error| {
            log::debug!(target: "twat_cache", "cannot ask other processes in {}: {error}", self.path().display());
            Some(Claim::free())
        });
        claim.unwrap_or_else(|| {
            let (path, expiry) = (place.path_of(digest), self.options.expiry.clone());
            let is_there = move || entry::header_in(&path).is_some_and(|header| expiry.allows(header.deadline));
            place.claims.clone().wait(digest, patience, is_there)
        })
    }
}

impl<V: RkyvValue> FileStore<V> {
    /// Stores a value, unless its computation is outdated; says whether it was not. What has no ticket begins now.
    fn put<K: Args + ?Sized>(
        &self,
        key: &K,
        value: &V,
        time: Option<Duration>,
        begun: Option<Ticket>,
    ) -> Result<bool, Error> {
        let Options { max_bytes, expiry, .. } = &self.options;
        if !self.options.keeps() {
            return Ok(true);
        }
        if expiry.within(time) == Some(Duration::ZERO) {
            return self.remove(key).map(|_| true);
        }
        let attempt = "write an entry";
        let (known, deadline) = (Digest::default(), expiry.deadline(time));
        for _ in 0..8 {
            let place = self.place_to(attempt)?;
            let digest = known.of(key, &place);
            let begins = || place.meta.begin(digest).map(|number| Ticket { number, is_refresh: false }).ok();
            let Some(ticket) = begun.or_else(begins).filter(|ticket| ticket.number > 0) else {
                let why = "when it was begun could not be noted";
                return Err(Error::new(ErrorKind::Io, attempt).at(self.path()).because(why));
            };
            let stored = place.store(digest, value, deadline, *max_bytes, ticket);
            self.table.remove(digest);
            let stored = stored?;
            if place.meta.is_sound() {
                if stored == Stored::Kept && deadline != 0 {
                    self.sweep.go_on(&place, expiry, digest, deadline);
                }
                return Ok(stored != Stored::Outdated);
            }
            // What has been removed meanwhile was noted elsewhere.
            if begun.is_some() {
                let place = self.place_to(attempt)?;
                return place.remove(known.of(key, &place), expiry).map(|_| false);
            }
        }
        Err(Error::from(io::Error::from(io::ErrorKind::Interrupted)).attempting(attempt).at(self.path()))
    }
}

/// The digest of a key, which is hashed once: that is the user's code.
#[derive(Default)]
struct Digest(Cell<Option<(Namespace, KeyHash)>>);

impl Digest {
    fn of<K: Args + ?Sized>(&self, key: &K, place: &Place) -> KeyHash {
        let known = self.0.get().filter(|(namespace, _)| *namespace == place.namespace);
        let (namespace, digest) = known.unwrap_or_else(|| (place.namespace, place.digest(key)));
        self.0.set(Some((namespace, digest)));
        digest
    }
}

impl<K: Args + ?Sized, V: RkyvValue> ViewStore<K> for FileStore<V> {
    type View = View<V>;

    #[inline]
    fn view(&self, key: &K) -> Result<Option<View<V>>, Error> {
        Ok(self.find(key)?.map(|open| open.view.clone()))
    }

    fn to_view(&self, value: &V) -> Result<View<V>, Error> {
        View::new(value)
    }
}

impl<V: RkyvValue> fmt::Debug for FileStore<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileStore")
            .field("name", &self.options.name)
            .field("path", &self.dir)
            .field("max_bytes", &self.options.max_bytes)
            .field("reading", &self.reading)
            .finish_non_exhaustive()
    }
}
