#[cfg(feature = "compress")]
mod compressed;
mod traits;

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::RwLock;
use rusqlite::Connection;
use twat_cache_core::among::order::Verdict;
use twat_cache_core::among::system::shared_clock;
use twat_cache_core::persist::{ErasedCodec, Options};
use twat_cache_core::{Args, Error, ErrorKind, KeyHash, Namespace, Ticket};

use crate::database::Database;
use crate::entries::{Entry, Id, IsDamaged, New, Space, size};
use crate::failure::{Failure, Result as Attempt, corrupt};
use crate::limit::Account;
use crate::open::{CHANGES, Open, SPACES};
use crate::registry;

/// Results in an SQLite database that all processes of a machine share, found by the digest of their arguments.
///
/// [`scache`](crate::scache)`(name).open()` makes one, and its `wrap`s make one as the primary of a
/// [`Fallback`](twat_cache_core::Fallback). All stores of a directory share one database, in this process and in others. A lookup
/// or a change takes time logarithmic in the number of entries; `len` looks at all entries of the name.
///
/// Each change is a transaction. A stored result survives the process, however the process ends. In a power cut the last
/// transactions may be lost.
///
/// Above the limit, the oldest entries that have not been used since are evicted. [`evictions`] counts those that this store
/// has evicted.
///
/// [`evictions`]: twat_cache_core::Store::evictions
pub struct SharedStore<V> {
    database: Option<Arc<Database>>,
    options: Options,
    codec: ErasedCodec<V>,
    namespace: OnceLock<Namespace>,
    space: RwLock<Option<Space>>,
    account: Account,
}

/// SQLite takes no values that are longer, with what belongs to a row.
const LONGEST: usize = 1_000_000_000 - 4096;

/// How many nanoseconds a number may be in the future. One that is later is of the time before the machine was started.
const AHEAD: u64 = 1_000_000_000;

/// What a change has done.
struct Changed<T> {
    outcome: T,
    space: Option<Space>,
    /// Others must look at the entries again. So many changes were made, ever.
    changes: Option<u64>,
    /// The entry that was stored, if the name has more bytes than its limit now.
    newest: Option<i64>,
}

impl<V> SharedStore<V> {
    pub(crate) fn new(options: Options, codec: ErasedCodec<V>) -> Self {
        let database = options.root().map(|dir| registry::database(&dir));
        let (namespace, space) = (OnceLock::new(), RwLock::new(None));
        Self { database, options, codec, namespace, space, account: Account::default() }
    }

    /// Opens the database now, if it is not open. Every operation does so by itself.
    pub fn open(&self) -> Result<(), Error> {
        self.database()?.open(self.options.trust).map(drop)
    }

    /// The directory of the database, in the cache directory. The database is the file `entries-1.db` in the directory in it
    /// that has the highest number. Empty if there is no cache directory on this system.
    pub fn path(&self) -> &Path {
        self.database.as_ref().map_or(Path::new(""), |database| &database.dir)
    }

    /// Works with a connection to the database, which is opened if it is not open. `work` may read and change everything
    /// that SQL can. While it has a transaction open, other processes cannot store results.
    pub fn with_connection<T>(&self, work: impl FnOnce(&Connection) -> T) -> Result<T, Error> {
        let open = self.database()?.open(self.options.trust)?;
        open.with(|connection| Ok(work(connection))).map_err(|failure| match failure {
            Failure::Error(error) | Failure::Damaged(error) => error.at(&open.path),
            Failure::Moved => corrupt("another one has taken its place").at(&open.path),
        })
    }

    fn database(&self) -> Result<&Arc<Database>, Error> {
        let nowhere = || Error::new(ErrorKind::Unavailable, "find this user's cache directory");
        self.database.as_ref().ok_or_else(nowhere)
    }

    /// Works with the open database, as often as another one takes its place.
    fn with<T>(&self, attempt: &'static str, work: impl FnMut(&Open) -> Attempt<T>) -> Result<T, Error> {
        self.database()?.with(self.options.trust, attempt, work)
    }

    fn digest<K: Args + ?Sized>(&self, key: &K) -> Result<KeyHash, Error> {
        self.namespace().map(|namespace| namespace.digest_of(key))
    }

    #[inline]
    fn namespace(&self) -> Result<&Namespace, Error> {
        if let Some(namespace) = self.namespace.get() {
            return Ok(namespace);
        }
        let root = self.database()?.namespace(self.options.trust)?;
        Ok(self.namespace.get_or_init(|| self.codec.within(&self.options.versioned(&root))))
    }

    /// Where the entries of this store are in the database; `None` if there are none.
    fn space(&self, open: &Open, connection: &Connection) -> Attempt<Option<Space>> {
        let read_in = (open.number, open.meta.own(SPACES)?);
        if let Some(space) = self.space.read().filter(|space| space.read_in == read_in) {
            return Ok(Some(space));
        }
        let space = Space::find(connection, self.namespace()?, read_in)?;
        if space.is_some() {
            *self.space.write() = space;
        }
        Ok(space)
    }

    fn new_space(&self, open: &Open, connection: &Connection, cleared: u64) -> Attempt<Space> {
        let version = self.options.version.map(|version| version.to_string());
        let id = Id { name: &self.options.name, version, namespace: self.namespace()? };
        Space::make(connection, &id, (open.number, open.meta.own(SPACES)?), cleared)
    }

    /// The value of a key, and its deadline.
    fn find<K: Args + ?Sized>(&self, key: &K) -> Result<Option<(V, u64)>, Error> {
        if !self.options.keeps() {
            return Ok(None);
        }
        let digest = self.digest(key)?;
        let found = self.with("read an entry", |open| {
            let found = open.with(|connection| match self.space(open, connection)? {
                Some(space) => Ok(space.entry(connection, digest)?.map(|entry| (space.name, entry))),
                None => Ok(None),
            })?;
            if let Some((name, Ok(Entry { id, used, .. }))) = &found {
                self.account.use_entry(open, *name, self.options.max_bytes, *id, *used);
            }
            Ok(found.map(|(_, entry)| entry))
        })?;
        match found {
            Some(Ok(entry)) if self.options.expiry.allows(entry.deadline) => {
                let value = self.decode(&entry.value)?;
                Ok(Some((value, entry.deadline)))
            }
            Some(Err(IsDamaged)) => {
                let why = "its checksum is wrong";
                Err(Error::new(ErrorKind::Corrupt, "read an entry").at(self.path()).because(why))
            }
            _ => Ok(None),
        }
    }

    fn encode(&self, value: &V) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        self.codec.encode(value, &mut bytes).map_err(|error| error.at(self.path()))?;
        #[cfg(feature = "compress")]
        if self.codec.is_compressed() {
            return self.pack(&bytes);
        }
        Ok(bytes)
    }

    fn decode(&self, bytes: &[u8]) -> Result<V, Error> {
        #[cfg(feature = "compress")]
        if self.codec.is_compressed() {
            let value = self.unpack(bytes).and_then(|plain| self.codec.decode(&plain));
            return value.map_err(|error| error.at(self.path()));
        }
        self.codec.decode(bytes).map_err(|error| error.at(self.path()))
    }

    /// Stores a value that was computed since `ticket`, for at most `time`, and says whether it is current.
    fn store<K: Args + ?Sized>(
        &self,
        key: &K,
        value: &V,
        time: Option<Duration>,
        ticket: Option<Ticket>,
    ) -> Result<bool, Error> {
        let attempt = "write an entry";
        if !self.options.keeps() {
            return Ok(true);
        }
        let expiry = &self.options.expiry;
        let (digest, deadline) = (self.digest(key)?, expiry.deadline(time));
        let bytes = self.encode(value)?;
        let fits = u64::try_from(size(bytes.len())).is_ok_and(|size| size <= self.options.max_bytes);
        let is_kept = fits && bytes.len() <= LONGEST && expiry.of_entry(time) != Some(Duration::ZERO);
        let kept = is_kept.then_some(New { deadline, began: 0, value: &bytes });
        self.change(attempt, digest, bytes.len(), |open, connection| {
            self.put(open, connection, digest, kept.as_ref(), ticket)
        })
    }

    /// Stores an entry, or removes what it would have replaced if there is none.
    fn put(
        &self,
        open: &Open,
        connection: &Connection,
        digest: KeyHash,
        new: Option<&New<'_>>,
        ticket: Option<Ticket>,
    ) -> Attempt<Changed<bool>> {
        if ticket.is_some_and(|ticket| ticket.number == 0) {
            let why = "the beginning of its computation could not be noted";
            return Err(Error::new(ErrorKind::Io, "write an entry").because(why).into());
        }
        let mut turn = open.meta.order.turn_within(digest)?;
        let mut space = self.space(open, connection)?;
        let is_change = ticket.is_none_or(|ticket| ticket.is_refresh);
        let cleared = space.map_or(0, |space| space.cleared);
        let is_cleared = ticket.is_some_and(|ticket| ticket.number <= cleared && cleared <= shared_clock() + AHEAD);
        let unchanged = |space| Ok(Changed { outcome: false, space, changes: None, newest: None });
        match turn.judge(ticket) {
            Verdict::Current if !is_cleared => {}
            Verdict::InDoubt if !is_cleared => {
                // What is there may be older than this refresh, unless it is of a later one.
                let Some(space) = space else { return unchanged(None) };
                if ticket.is_some_and(|ticket| space.began(connection, digest).is_ok_and(|began| began > ticket.number))
                {
                    return unchanged(Some(space));
                }
                let (_, less) = space.take(connection, digest)?;
                self.account.add(connection, space.name, -less, self.options.max_bytes)?;
                let changes = Some(count_change(connection)?);
                return Ok(Changed { outcome: false, space: Some(space), changes, newest: None });
            }
            _ => return unchanged(space),
        }
        let number = ticket.map_or_else(|| open.meta.order.begin(digest), |ticket| Ok(ticket.number))?;
        if is_change {
            turn.begin_refresh(Ticket { number, is_refresh: true })?;
        }
        let space = match space.take() {
            Some(space) => space,
            None => self.new_space(open, connection, 0)?,
        };
        let (newest, mut more) = match new {
            Some(new) => space.put(connection, digest, &New { began: if is_change { number } else { 0 }, ..*new })?,
            None => (0, -space.take(connection, digest)?.1),
        };
        if new.is_some_and(|new| new.deadline != 0) {
            let now = self.options.expiry.clock.since_1970();
            more -= self.account.remove_expired(connection, space.name, now)?;
        }
        let changes = if is_change { Some(count_change(connection)?) } else { None };
        let is_over = self.account.add(connection, space.name, more, self.options.max_bytes)?;
        Ok(Changed { outcome: true, space: Some(space), changes, newest: is_over.then_some(newest) })
    }

    /// Removes an entry; says whether there was a valid one.
    fn take(&self, open: &Open, connection: &Connection, digest: KeyHash) -> Attempt<Changed<bool>> {
        // Also if there is nothing to remove: another process may be computing it.
        open.meta.order.turn_within(digest)?.raise()?;
        let changes = Some(count_change(connection)?);
        let Some(space) = self.space(open, connection)? else {
            return Ok(Changed { outcome: false, space: None, changes, newest: None });
        };
        let (deadline, less) = space.take(connection, digest)?;
        self.account.add(connection, space.name, -less, self.options.max_bytes)?;
        let outcome = deadline.is_some_and(|deadline| self.options.expiry.allows(deadline));
        Ok(Changed { outcome, space: Some(space), changes, newest: None })
    }

    /// Changes the entry of a digest in a transaction, and then tells other processes.
    fn change<T>(
        &self,
        attempt: &'static str,
        digest: KeyHash,
        bytes: usize,
        mut work: impl FnMut(&Open, &Connection) -> Attempt<Changed<T>>,
    ) -> Result<T, Error> {
        let database = self.database()?;
        self.with(attempt, |open| {
            open.check_log()?;
            let changed = open.change(bytes, |connection| work(open, connection))?;
            if let Some(changes) = changed.changes {
                // If this fails, copies of the old entry stay valid, and the caller must know.
                open.meta.outdate(digest)?;
                open.meta.set_own(CHANGES, changes)?;
            }
            // Counters that were lost meanwhile are other ones for other processes.
            if !open.is_in_place() {
                return Err(Failure::Moved);
            }
            if let Some(space) = changed.space {
                *self.space.write() = Some(space);
                if let Some(newest) = changed.newest
                    && let Err(Failure::Error(error)) =
                        self.account.make_room(open, space.name, self.options.max_bytes, newest)
                {
                    // The next entry that is stored is the next attempt.
                    log::debug!(target: "twat_cache", "{}; the limit is exceeded for now", error.chain());
                }
            }
            if open.is_time_to_tidy(bytes) {
                database.tidy(Database::tidy_up);
            }
            Ok(changed.outcome)
        })
    }

    fn clear_all(&self) -> Result<(), Error> {
        let database = self.database()?;
        self.with("remove the entries", |open| {
            let another = || Namespace::random().id();
            let changes = open.change(0, |connection| {
                // A process that stores something after this transaction must not take the old space for the present one.
                open.meta.set_own(SPACES, another())?;
                self.new_space(open, connection, shared_clock())?;
                count_change(connection)
            })?;
            // One that has looked for the space during the transaction must look again.
            open.meta.set_own(SPACES, another())?;
            open.meta.outdate_all()?;
            open.meta.set_own(CHANGES, changes)?;
            if !open.is_in_place() {
                return Err(Failure::Moved);
            }
            database.tidy(Database::tidy_up);
            Ok(())
        })
    }
}

/// Counts a change that must not be lost. Returns how many there were ever.
fn count_change(connection: &Connection) -> Attempt<u64> {
    let mut update = connection.prepare_cached("UPDATE state SET changes = changes + 1 RETURNING changes")?;
    Ok(update.query_row([], |row| row.get::<_, i64>(0))?.cast_unsigned())
}

impl<V> Drop for SharedStore<V> {
    fn drop(&mut self) {
        let open =
            self.database.as_ref().filter(|database| !database.is_forked()).and_then(|database| database.latest());
        let space = *self.space.get_mut();
        if let (Some(open), Some(space), true) = (open, space, self.account.is_pending()) {
            // If this fails, the count is wrong until the next time that entries are counted.
            let _ = open.change(0, |connection| self.account.write_down(connection, space.name));
        }
    }
}
