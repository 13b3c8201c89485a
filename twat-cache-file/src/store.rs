use std::fmt;
use std::hash::Hash;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::RwLock;
use twat_cache_core::archive::Lifetime;
use twat_cache_core::{Claim, Error, ErrorKind, Found, KeyHash, KeyedStore, Store, ViewStore, WarnOnce};

use crate::builder::{Access, Verify};
use crate::load::load;
use crate::place::{Identity, Place, Stored};
use crate::sweep::Sweep;
use crate::system;
use crate::table::{Checked, Open, Table, moment};
use crate::view::{FileValue, View};

/// Results in files, one each, found by the digest of their arguments, and shared with all processes that use the same
/// directory.
///
/// Made by [`fcache`](crate::fcache)`(name).open()`, and, as the primary of a [`Fallback`](twat_cache_core::Fallback), by
/// its `wrap`s. Lookups and changes take constant time, as far as the file system does; `len` and `clear` look at all
/// entries, and so does, now and then, a store that has to make room.
///
/// Writes go to the operating system's buffers: a result that was stored survives the process, however that ends, and not a
/// power cut.
pub struct FileStore<V: FileValue> {
    root: Option<PathBuf>,
    dir: PathBuf,
    identity: Identity,
    limits: Limits,
    place: RwLock<Option<Arc<Place>>>,
    /// Found with the first directory, and given to those that replace it.
    secret: OnceLock<[u8; 16]>,
    /// When the directory's counters were last looked after.
    checked: Checked,
    table: Table<V>,
    sweep: Sweep,
    warned: WarnOnce,
}

/// What bounds a store, and how it reads.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    pub(crate) max_bytes: u64,
    pub(crate) lifetime: Lifetime,
    pub(crate) access: Access,
    pub(crate) verify: Verify,
}

impl<V: FileValue> FileStore<V> {
    pub(crate) fn new(root: Option<PathBuf>, identity: Identity, limits: Limits) -> Self {
        Self {
            dir: root.as_ref().map(|root| root.join(identity.dir_name())).unwrap_or_default(),
            root,
            identity,
            limits,
            place: RwLock::new(None),
            secret: OnceLock::new(),
            checked: Checked::default(),
            table: Table::new(),
            sweep: Sweep::default(),
            warned: WarnOnce::new(),
        }
    }

    /// Opens the directory now, if it is not open.
    pub(crate) fn open(&self) -> Result<(), Error> {
        self.place().map(drop)
    }

    /// The directory of this cache, in the cache directory. Empty if there is no cache directory on this system.
    pub fn path(&self) -> &Path {
        &self.dir
    }

    /// The file in which the result for these arguments is, or would be. It is this library's: to be looked at, or copied.
    pub fn path_of<K: Hash + ?Sized>(&self, key: &K) -> Result<PathBuf, Error> {
        let place = self.place()?;
        Ok(place.path_of(place.digest(key)))
    }

    /// Whether anything is kept at all.
    fn keeps(&self) -> bool {
        self.limits.max_bytes > 0 && self.limits.lifetime.ttl != Some(Duration::ZERO)
    }

    /// The directory, opened if need be.
    fn place(&self) -> Result<Arc<Place>, Error> {
        let place = self.place.read().clone();
        match place.filter(|place| place.meta.is_sound()) {
            Some(place) => Ok(place),
            None => self.reopen(),
        }
    }

    #[cold]
    fn reopen(&self) -> Result<Arc<Place>, Error> {
        // Nobody has a use for the directory before it is open, so all wait for the one who opens it.
        let mut slot = self.place.write();
        if let Some(place) = slot.clone().filter(|place| place.meta.is_sound()) {
            return Ok(place);
        }
        // Its counters are gone, or have lost the ground under them: they must not be looked at again.
        *slot = None;
        self.table.clear();
        let nowhere = || Error::new(ErrorKind::Unavailable, "find this user's cache directory");
        let root = self.root.as_deref().ok_or_else(nowhere)?;
        let place = Arc::new(Place::open(root, &self.identity, self.secret.get().copied(), &self.warned)?);
        let _ = self.secret.set(place.meta.secret());
        *slot = Some(place.clone());
        Ok(place)
    }

    /// The entry of a key, if it may be given out.
    #[inline]
    fn find<K: Hash + ?Sized>(&self, key: &K) -> Result<Option<Arc<Open<V>>>, Error> {
        if !self.keeps() {
            return Ok(None);
        }
        let now = moment();
        let guard = self.place.read();
        let Some(place) = guard.as_ref().filter(|place| !self.checked.is_due(now) || place.meta.is_sound()) else {
            drop(guard);
            self.checked.make_due();
            let place = self.place()?;
            return self.load(&place, place.digest(key));
        };
        let digest = place.digest(key);
        if let Some(open) = self.table.get(digest)
            && open.generation.load(Ordering::Acquire) == place.meta.generation()
            && open.is_whole(now)
            && self.limits.lifetime.allows(open.deadline)
        {
            if open.used.load(Ordering::Relaxed) < place.meta.recent() {
                let place = place.clone();
                drop(guard);
                touch(&open, &place.path_of(digest));
            }
            return Ok(Some(open));
        }
        // The rest is I/O.
        let place = place.clone();
        drop(guard);
        self.load(&place, digest)
    }

    /// The entry of a digest, from the table if it is still what is on disk, or else from there.
    #[cold]
    fn load(&self, place: &Place, digest: KeyHash) -> Result<Option<Arc<Open<V>>>, Error> {
        // Before anything is looked at: what happens from now on will be noticed by the next who looks.
        let generation = place.meta.generation();
        let path = place.path_of(digest);
        if let Some(open) = self.table.get(digest) {
            if self.limits.lifetime.allows(open.deadline) && open.is_still_at(&path) {
                open.generation.store(generation, Ordering::Release);
                return Ok(Some(open));
            }
            self.table.remove(digest);
        }
        let loaded = load(place, digest, &path, &self.limits).map_err(|error| error.at(&path))?;
        let Some((view, header, file, stat)) = loaded else { return Ok(None) };
        let open = Arc::new(Open::new(view, header.deadline, file, stat, generation));
        if stat.modified < place.meta.recent() {
            touch(&open, &path);
        }
        self.table.insert(digest, open.clone());
        Ok(Some(open))
    }

    /// The value of a key, and when it expires.
    fn value<K: Hash + ?Sized>(&self, key: &K) -> Result<Option<(V, u64)>, Error> {
        let Some(mut open) = self.find(key)? else { return Ok(None) };
        // All of it is about to be read: that is worth one more look at the file.
        if open.view.is_mapped() && !open.look() {
            let place = self.place()?;
            let digest = place.digest(key);
            self.table.remove(digest);
            let Some(found) = self.load(&place, digest)? else { return Ok(None) };
            open = found;
        }
        let value = open.view.to_value().map_err(|error| error.at(self.path()))?;
        Ok(Some((value, open.deadline)))
    }
}

/// Notes on disk that an entry has been used. What cannot be noted may be evicted early.
#[cold]
fn touch<V: FileValue>(open: &Open<V>, path: &Path) {
    let now = system::now();
    open.used.store(now, Ordering::Relaxed);
    let _ = system::touch(path, now);
}

impl<V: FileValue + Send + Sync> Store for FileStore<V> {
    type Value = V;

    fn len(&self) -> Result<usize, Error> {
        if !self.keeps() {
            return Ok(0);
        }
        let len = self.place()?.len();
        len.map_err(|error| Error::from(error).attempting("count the entries").at(self.path()))
    }

    fn clear(&self) -> Result<(), Error> {
        let cleared = self.place()?.clear();
        self.table.clear();
        cleared.map_err(|error| Error::from(error).attempting("remove the entries").at(self.path()))
    }

    fn ttl(&self) -> Option<Duration> {
        self.limits.lifetime.ttl
    }
}

impl<K: Hash + ?Sized, V: FileValue + Send + Sync> KeyedStore<K> for FileStore<V> {
    fn get(&self, key: &K) -> Result<Option<V>, Error> {
        Ok(self.value(key)?.map(|(value, _)| value))
    }

    fn insert(&self, key: &K, value: &V) -> Result<(), Error> {
        self.insert_for(key, value, None)
    }

    fn remove(&self, key: &K) -> Result<bool, Error> {
        let place = self.place()?;
        let digest = place.digest(key);
        let removed = place.remove(digest, &self.limits.lifetime);
        self.table.remove(digest);
        removed
    }

    fn get_for(&self, key: &K) -> Result<Found<V>, Error> {
        Ok(self.value(key)?.map(|(value, deadline)| (value, self.limits.lifetime.left(deadline))))
    }

    fn insert_for(&self, key: &K, value: &V, time: Option<Duration>) -> Result<(), Error> {
        if !self.keeps() {
            return Ok(());
        }
        let Limits { max_bytes, lifetime, .. } = &self.limits;
        if lifetime.within(time) == Some(Duration::ZERO) {
            return self.remove(key).map(drop);
        }
        let place = self.place()?;
        let (digest, deadline) = (place.digest(key), lifetime.deadline(time));
        let stored = place.store(digest, value, deadline, *max_bytes);
        self.table.remove(digest);
        if stored? == Stored::TooLarge {
            return self.remove(key).map(drop);
        }
        if deadline != 0 {
            self.sweep.go_on(&place, lifetime, digest, deadline);
        }
        Ok(())
    }

    fn claim(&self, key: &K, patience: Duration) -> Claim {
        let Some(place) = self.place().ok().filter(|place| self.keeps() && place.meta.is_writable()) else {
            return Claim::free();
        };
        place.claims.claim(place.digest(key), patience).unwrap_or_else(|error| {
            log::debug!(target: "twat_cache", "cannot ask other processes in {}: {error}", self.path().display());
            Claim::free()
        })
    }
}

impl<K: Hash + ?Sized, V: FileValue + Send + Sync> ViewStore<K> for FileStore<V> {
    type View = View<V>;

    #[inline]
    fn view(&self, key: &K) -> Result<Option<View<V>>, Error> {
        Ok(self.find(key)?.map(|open| open.view.clone()))
    }

    fn to_view(&self, value: &V) -> Result<View<V>, Error> {
        View::new(value)
    }
}

impl<V: FileValue> fmt::Debug for FileStore<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileStore")
            .field("name", &self.identity.name)
            .field("path", &self.dir)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
