use std::fmt;
use std::hash::Hash;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use fjall::{Keyspace, Slice};
use twat_cache_core::archive::{Functions, Header};
use twat_cache_core::{Error, ErrorKind, Found, KeyHash, KeyedStore, Namespace, Options, Store};

use crate::database::Database;
use crate::engine::{Engine, from_fjall};
use crate::entry::{self, Key};
use crate::ledger::Bounds;

/// Results in a [fjall] database, found by the digest of their arguments.
///
/// Made by [`bcache`](crate::bcache)`(name).open()`, and, as the primary of a [`Fallback`](twat_cache_core::Fallback), by
/// its `wrap`s. All stores of a directory share one database, which is opened when the first of them is used and closed
/// when the last one is dropped. Lookups and changes take time logarithmic in the number of entries; `len` looks at all
/// of the directory's.
///
/// Writes are synchronous and go to the operating system's buffers: a result that was stored survives the process,
/// however that ends, and not a power cut.
pub struct DiskStore<V> {
    database: Option<Arc<Database>>,
    options: Options,
    within: fn(&Namespace) -> Namespace,
    area: OnceLock<Area>,
    codec: Functions<V>,
}

/// Where this cache's entries are: known once the database is open.
struct Area {
    namespace: Namespace,
    id: u64,
    bounds: Arc<Bounds>,
}

/// An entry to be written.
struct Written {
    key: Key,
    /// With room for the header, which is still to be made.
    entry: Vec<u8>,
    deadline: u64,
    /// The epoch of the entry that this one is, written anew.
    renewed: Option<u64>,
}

impl<V> DiskStore<V> {
    /// `within` adds codec and type to a namespace.
    pub(crate) fn new(options: Options, codec: Functions<V>, within: fn(&Namespace) -> Namespace) -> Self {
        let database = options.root().map(|dir| crate::registry::database(&dir, options.max_bytes));
        Self { database, options, within, area: OnceLock::new(), codec }
    }

    /// Opens the database now, if it is not open. What uses it does so by itself.
    pub fn open(&self) -> Result<(), Error> {
        self.area().map(drop)
    }

    /// The directory of the database, in the cache directory. Empty if there is no cache directory on this system.
    pub fn path(&self) -> &Path {
        self.database.as_ref().map_or(Path::new(""), |database| database.dir())
    }

    /// The engine, opened if need be. As long as you keep it, the database cannot be opened anew should it fail.
    pub fn database(&self) -> Result<fjall::Database, Error> {
        self.shared()?.with("open the database", |engine| Ok(engine.database.clone()))
    }

    /// The part of the database that all caches keep their entries in.
    pub fn keyspace(&self) -> Result<Keyspace, Error> {
        self.shared()?.with("open the database", |engine| Ok(engine.entries.clone()))
    }

    fn shared(&self) -> Result<&Database, Error> {
        let nowhere = || Error::new(ErrorKind::Unavailable, "find this user's cache directory");
        self.database.as_deref().ok_or_else(nowhere)
    }

    #[inline]
    fn area(&self) -> Result<&Area, Error> {
        match self.area.get() {
            Some(area) => Ok(area),
            None => self.settle(),
        }
    }

    #[cold]
    fn settle(&self) -> Result<&Area, Error> {
        let database = self.shared()?;
        let root = database.namespace()?;
        let namespace = (self.within)(&self.options.versioned(&root));
        let id = namespace.id();
        let bounds = database.ledger.lock().open(id, self.options.named(&root).id());
        // Sweeps go by the clock that deadlines were made with; the first store's, if several differ.
        let _ = bounds.clock.set(self.options.lifetime.clock.clone());
        Ok(self.area.get_or_init(|| Area { namespace, id, bounds }))
    }

    /// The entry of a key, as it lies in the database, if it may still be given out.
    fn find(&self, area: &Area, key: Key) -> Result<Option<(Header, Slice)>, Error> {
        let found = self.shared()?.with("read an entry", |engine| read(engine, key))?;
        Ok(found.filter(|(header, _)| self.lives(area, *header)))
    }

    fn lives(&self, area: &Area, header: Header) -> bool {
        header.codec == self.codec.id()
            && area.bounds.is_live(header.epoch)
            && self.options.lifetime.allows(header.deadline)
    }

    fn look<K: Hash + ?Sized>(&self, key: &K) -> Result<Option<(V, Header)>, Error> {
        if !self.options.keeps() {
            return Ok(None);
        }
        let area = self.area()?;
        let digest = area.namespace.digest(key);
        let Some((header, entry)) = self.find(area, entry::key(area.id, digest))? else {
            return Ok(None);
        };
        let value = self.codec.decode(&entry[Header::LEN..]).map_err(|error| error.at(self.path()))?;
        if area.bounds.is_old(header.epoch) {
            self.renew(area, digest, header);
        }
        Ok(Some((value, header)))
    }

    /// Writes an entry anew that is used and would soon be closed.
    #[cold]
    fn renew(&self, area: &Area, digest: KeyHash, header: Header) {
        let Ok(database) = self.shared() else { return };
        let key = entry::key(area.id, digest);
        let renewed = database.with("write an entry", |engine| {
            let _stripe = database.stripe(digest);
            // If it is another one by now, that one is new already.
            match read(engine, key)? {
                // And what is there now is written, not what was read: one header may be that of two values.
                Some((now, entry)) if now == header => {
                    let (entry, deadline, renewed) = (entry.to_vec(), header.deadline, Some(header.epoch));
                    self.put(database, engine, area, Written { key, entry, deadline, renewed })
                }
                _ => Ok(()),
            }
        });
        if let Err(error) = renewed {
            // It is still there, and the value is on its way to the caller.
            log::debug!(target: "twat_cache", "{}; it may be evicted although it is used", error.chain());
        }
    }

    /// Writes an entry. The caller has the key's stripe.
    fn put(&self, database: &Database, engine: &Engine, area: &Area, written: Written) -> Result<(), Error> {
        let Written { key, mut entry, deadline, renewed } = written;
        let bytes = (key.len() + entry.len()) as u64;
        // One that cannot be read is replaced all the same; its bytes stay counted until their epoch is closed.
        let replaced = read(engine, key).ok().flatten();
        let replaced = replaced.map(|(header, old)| (header.epoch, (key.len() + old.len()) as u64));
        let added = {
            let mut ledger = database.ledger.lock();
            // Under this lock epochs are closed: what has been cleared or evicted must not come back in a new one.
            if renewed.is_some_and(|epoch| !area.bounds.is_live(epoch)) {
                return Ok(());
            }
            if let Some((epoch, bytes)) = replaced {
                ledger.subtract(area.id, epoch, bytes);
            }
            ledger.add(area.id, bytes, self.options.max_bytes)
        };
        let header = Header { codec: self.codec.id(), epoch: added.epoch, deadline };
        entry[..Header::LEN].copy_from_slice(&header.to_bytes());
        // The record first: what it counts too much does less harm than what it would miss.
        let written =
            database.record(engine, &added.record).and_then(|()| engine.insert(&key, entry, "write an entry"));
        if written.is_err() {
            let mut ledger = database.ledger.lock();
            ledger.subtract(area.id, added.epoch, bytes);
            if let Some((epoch, bytes)) = replaced {
                ledger.put_back(area.id, epoch, bytes);
            }
        }
        written
    }
}

fn read(engine: &Engine, key: Key) -> Result<Option<(Header, Slice)>, Error> {
    let found = engine.entries.get(key).map_err(|error| from_fjall(error, "read an entry"))?;
    // What has another header is of another format, and as good as absent.
    Ok(found.and_then(|entry| Header::split(&entry).map(|(header, _)| header).map(|header| (header, entry))))
}

impl<V: Send + Sync> Store for DiskStore<V> {
    type Value = V;

    fn len(&self) -> Result<usize, Error> {
        if !self.options.keeps() {
            return Ok(0);
        }
        let area = self.area()?;
        self.shared()?.with("count the entries", |engine| {
            let mut count = 0;
            for entry in engine.entries.iter() {
                let found = entry.into_inner_if(|key| entry::area_of(key) == Some(area.id));
                let (_, value) = found.map_err(|error| from_fjall(error, "count the entries"))?;
                let header = value.and_then(|value| Header::split(&value).map(|(header, _)| header));
                count += usize::from(header.is_some_and(|header| self.lives(area, header)));
            }
            Ok(count)
        })
    }

    fn clear(&self) -> Result<(), Error> {
        let area = self.area()?;
        let database = self.shared()?;
        database.with("clear", |engine| {
            database.ledger.lock().clear(area.id);
            database.record(engine, &[area.id])
        })
    }

    fn ttl(&self) -> Option<Duration> {
        self.options.lifetime.ttl
    }

    fn describe(&self) -> String {
        format!("the database at {}", self.path().display())
    }
}

impl<K: Hash + ?Sized, V: Send + Sync> KeyedStore<K> for DiskStore<V> {
    fn get(&self, key: &K) -> Result<Option<V>, Error> {
        Ok(self.look(key)?.map(|(value, _)| value))
    }

    fn insert(&self, key: &K, value: &V) -> Result<(), Error> {
        self.insert_for(key, value, None)
    }

    fn remove(&self, key: &K) -> Result<bool, Error> {
        let area = self.area()?;
        let database = self.shared()?;
        let digest = area.namespace.digest(key);
        let key = entry::key(area.id, digest);
        database.with("remove an entry", |engine| {
            let _stripe = database.stripe(digest);
            let found = match read(engine, key) {
                Ok(None) => return Ok(false),
                Ok(found) => found,
                // Whatever it is, it is to go.
                Err(_) => None,
            };
            engine.remove(&key, "remove an entry")?;
            let Some((header, entry)) = found else { return Ok(true) };
            database.ledger.lock().subtract(area.id, header.epoch, (key.len() + entry.len()) as u64);
            Ok(self.lives(area, header))
        })
    }

    fn get_for(&self, key: &K) -> Result<Found<V>, Error> {
        Ok(self.look(key)?.map(|(value, header)| (value, self.options.lifetime.left(header.deadline))))
    }

    fn insert_for(&self, key: &K, value: &V, time: Option<Duration>) -> Result<(), Error> {
        if !self.options.keeps() {
            return Ok(());
        }
        let area = self.area()?;
        let mut entry = vec![0; Header::LEN];
        self.codec.encode(value, &mut entry).map_err(|error| error.at(self.path()))?;
        let digest = area.namespace.digest(key);
        let key_in_area = entry::key(area.id, digest);
        // The engine has room for 4 GiB in a value.
        let fits =
            (key_in_area.len() + entry.len()) as u64 <= self.options.max_bytes && u32::try_from(entry.len()).is_ok();
        if !fits || self.options.lifetime.within(time) == Some(Duration::ZERO) {
            return self.remove(key).map(drop);
        }
        let deadline = self.options.lifetime.deadline(time);
        let database = self.shared()?;
        database.with("write an entry", |engine| {
            let _stripe = database.stripe(digest);
            self.put(database, engine, area, Written { key: key_in_area, entry, deadline, renewed: None })
        })
    }
}

impl<V> fmt::Debug for DiskStore<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DiskStore")
            .field("name", &self.options.name)
            .field("path", &self.path())
            .field("max_bytes", &self.options.max_bytes)
            .field("ttl", &self.options.lifetime.ttl)
            .finish_non_exhaustive()
    }
}
