use std::fmt;

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use fjall::{Keyspace, Slice};
use twat_cache_core::persist::{ErasedCodec, Header, Options, prepare_root};
use twat_cache_core::{Args, Error, ErrorKind, Found, KeyHash, KeyedStore, Namespace, Store, Ticket};

use crate::database::Database;
use crate::engine::{Engine, from_fjall, prepare_directories};
use crate::entry::{self, Key};
use crate::ledger::Bounds;
use crate::stripes::Changed;

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
    codec: ErasedCodec<V>,
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
    origin: Origin,
}

/// Where an entry comes from that is to be written.
#[derive(Clone, Copy)]
enum Origin {
    /// A computation that began with this ticket.
    Computed(Ticket),
    /// It is there already, in this epoch, and is written anew.
    Renewed(u64),
}

impl<V> DiskStore<V> {
    /// `within` adds codec and type to a namespace.
    pub(crate) fn new(options: Options, codec: ErasedCodec<V>, within: fn(&Namespace) -> Namespace) -> Self {
        let database = options.root().map(|dir| crate::registry::database(&dir, options.max_bytes, options.trust));
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
        // By the path that was given: the links on the way are looked at, too.
        if let Some(root) = self.options.root() {
            prepare_root(&root, self.options.trust)?;
        }
        if database.trust() != self.options.trust {
            prepare_directories(database.dir(), self.options.trust)?;
        }
        let root = database.namespace()?;
        let namespace = (self.within)(&self.options.versioned(&root));
        let id = namespace.id();
        let bounds = database.ledger.lock().open(id, self.options.named(&root).id());
        // Sweeps go by the clock that deadlines were made with; the first store's, if several differ.
        let _ = bounds.clock.set(self.options.expiry.clock.clone());
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
            && self.options.expiry.allows(header.deadline)
    }

    fn look<K: Args + ?Sized>(&self, key: &K) -> Result<Option<(V, Header)>, Error> {
        if !self.options.keeps() {
            return Ok(None);
        }
        let area = self.area()?;
        let digest = area.namespace.digest_of(key);
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
            let _stripe = database.stripes.lock(digest);
            // If it is another one by now, that one is new already.
            match read(engine, key)? {
                // And what is there now is written, not what was read: one header may be that of two values.
                Some((now, entry)) if now == header => {
                    let (entry, deadline, origin) = (entry.to_vec(), header.deadline, Origin::Renewed(header.epoch));
                    self.put(database, engine, area, Written { key, entry, deadline, origin })
                }
                _ => Ok(false),
            }
        });
        if let Err(error) = renewed {
            // It is still there, and the value is on its way to the caller.
            log::debug!(target: "twat_cache", "{}; it may be evicted although it is used", error.chain());
        }
    }

    /// Writes an entry, if it is not outdated; says whether it is current. The caller has the key's stripe.
    fn put(&self, database: &Database, engine: &Engine, area: &Area, written: Written) -> Result<bool, Error> {
        let Written { key, mut entry, deadline, origin } = written;
        let bytes = (key.len() + entry.len()) as u64;
        // One that cannot be read is replaced all the same; its bytes stay counted until their epoch is closed.
        let replaced = read(engine, key).ok().flatten();
        let replaced = replaced.map(|(header, old)| (header.epoch, (key.len() + old.len()) as u64));
        let added = {
            let mut ledger = database.ledger.lock();
            // Under this lock epochs are closed: what has been cleared or evicted must not come back in a new one.
            let is_outdated = match origin {
                Origin::Computed(ticket) => area.bounds.is_outdated(ticket.number),
                Origin::Renewed(epoch) => !area.bounds.is_live(epoch),
            };
            if is_outdated {
                return Ok(false);
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
        written.map(|()| true)
    }

    /// Stores a value that was computed since `ticket`, for `time` at the most; says whether it is current.
    fn store<K: Args + ?Sized>(
        &self,
        key: &K,
        value: &V,
        time: Option<Duration>,
        ticket: Option<Ticket>,
    ) -> Result<bool, Error> {
        if !self.options.keeps() {
            return Ok(true);
        }
        let area = self.area()?;
        let database = self.shared()?;
        let mut entry = vec![0; Header::LEN];
        self.codec.encode(value, &mut entry).map_err(|error| error.at(self.path()))?;
        let digest = area.namespace.digest_of(key);
        let key = entry::key(area.id, digest);
        // The engine has room for 4 GiB in a value.
        let fits = (key.len() + entry.len()) as u64 <= self.options.max_bytes && u32::try_from(entry.len()).is_ok();
        let is_kept = fits && self.options.expiry.within(time) != Some(Duration::ZERO);
        let deadline = self.options.expiry.deadline(time);
        database.with("write an entry", |engine| {
            let mut stripe = database.stripes.lock(digest);
            let ticket = ticket.unwrap_or_else(|| Ticket { number: database.stripes.now(), is_refresh: false });
            match stripe.changed(digest, ticket.number) {
                Changed::No => {}
                // What is there may be older than this refresh.
                Changed::Perhaps if ticket.is_refresh => {
                    return self.take(database, engine, area, key).map(|_| false);
                }
                Changed::Yes | Changed::Perhaps => return Ok(false),
            }
            let is_current = if is_kept {
                self.put(database, engine, area, Written { key, entry, deadline, origin: Origin::Computed(ticket) })?
            } else {
                // Neither is what it would have replaced.
                self.take(database, engine, area, key).map(|_| true)?
            };
            if is_current && ticket.is_refresh {
                stripe.change(digest, ticket.number);
            }
            Ok(is_current)
        })
    }

    /// Removes an entry; says whether there was one. The caller has the key's stripe.
    fn take(&self, database: &Database, engine: &Engine, area: &Area, key: Key) -> Result<bool, Error> {
        let found = match read(engine, key) {
            Ok(None) => return Ok(false),
            Ok(found) => found,
            // Whatever it is, it is removed.
            Err(_) => None,
        };
        engine.remove(&key, "remove an entry")?;
        let Some((header, entry)) = found else { return Ok(true) };
        database.ledger.lock().subtract(area.id, header.epoch, (key.len() + entry.len()) as u64);
        Ok(self.lives(area, header))
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
            database.ledger.lock().clear(area.id, database.stripes.now());
            database.record(engine, &[area.id])
        })
    }

    fn ttl(&self) -> Option<Duration> {
        self.options.expiry.ttl
    }

    fn describe(&self) -> String {
        format!("the database at {}", self.path().display())
    }
}

impl<K: Args + ?Sized, V: Send + Sync> KeyedStore<K> for DiskStore<V> {
    fn get(&self, key: &K) -> Result<Option<V>, Error> {
        Ok(self.look(key)?.map(|(value, _)| value))
    }

    fn insert(&self, key: &K, value: &V) -> Result<(), Error> {
        self.insert_with_ttl(key, value, None)
    }

    fn remove(&self, key: &K) -> Result<bool, Error> {
        let area = self.area()?;
        let database = self.shared()?;
        let digest = area.namespace.digest_of(key);
        database.with("remove an entry", |engine| {
            let mut stripe = database.stripes.lock(digest);
            let removed = self.take(database, engine, area, entry::key(area.id, digest));
            stripe.change(digest, database.stripes.now());
            removed
        })
    }

    fn get_with_ttl(&self, key: &K) -> Result<Option<Found<V>>, Error> {
        let found = |(value, header): (V, Header)| Found { value, ttl: self.options.expiry.left(header.deadline) };
        Ok(self.look(key)?.map(found))
    }

    fn insert_with_ttl(&self, key: &K, value: &V, time: Option<Duration>) -> Result<(), Error> {
        self.store(key, value, time, None).map(drop)
    }

    // One process has the database. But it may have several memos of a name.
    fn begin(&self, _: &K) -> Ticket {
        let number = self.database.as_ref().map_or(0, |database| database.stripes.now());
        Ticket { number, is_refresh: false }
    }

    fn insert_begun(&self, key: &K, value: &V, ticket: Ticket) -> Result<bool, Error> {
        self.store(key, value, None, Some(ticket))
    }
}

impl<V> fmt::Debug for DiskStore<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DiskStore")
            .field("name", &self.options.name)
            .field("path", &self.path())
            .field("max_bytes", &self.options.max_bytes)
            .field("ttl", &self.options.expiry.ttl)
            .finish_non_exhaustive()
    }
}
