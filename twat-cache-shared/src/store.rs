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
use crate::open::{CHANGES, CLEARING, Open, SPACES};
use crate::registry;

/// Results in an SQLite database that all processes of a machine share, found by the digest of their arguments.
///
/// [`scache`](crate::scache)`(name).open()` makes one, and its `wrap`s make one as the primary of a
/// [`Fallback`](twat_cache_core::Fallback). All stores of a directory share one database, in this process and in others. A lookup
/// or a change takes time logarithmic in the number of entries; `len` looks at all entries of the name.
///
/// Each change is a transaction. A stored result survives the process, however the process ends. A power cut may lose
/// the last transactions, or damage the database: then a new one takes its place.
///
/// Above the limit, the oldest entries that have not been used since are evicted. [`evictions`] counts those that this store
/// has evicted.
///
/// [`evictions`]: twat_cache_core::Store::evictions
pub struct SharedStore<V> {
    database: Option<Arc<Database>>,
    options: Options,
    codec: ErasedCodec<V>,
    is_trusted: OnceLock<()>,
    /// Made from this secret.
    namespace: RwLock<Option<([u8; 16], Namespace)>>,
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
        let (is_trusted, namespace, space) = (OnceLock::new(), RwLock::new(None), RwLock::new(None));
        Self { database, options, codec, is_trusted, namespace, space, account: Account::default() }
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

    /// Works with a connection to the database, which is opened if it is not open. The connection is a new one, and is closed
    /// after `work`, which may read and change everything that SQL can. While it has a transaction open in which it has
    /// changed something, no result can be stored.
    pub fn with_connection<T>(&self, work: impl FnOnce(&Connection) -> T) -> Result<T, Error> {
        let open = self.database()?.open(self.options.trust)?;
        open.with_new(work).map_err(|failure| match failure {
            Failure::Error(error) | Failure::Damaged(error) => error.at(&open.path),
            Failure::Moved => corrupt("another one has taken its place").at(&open.path),
        })
    }

    /// The database, if this store trusts its directory. One that trusts more may have it open.
    fn database(&self) -> Result<&Arc<Database>, Error> {
        let nowhere = || Error::new(ErrorKind::Unavailable, "find this user's cache directory");
        let database = self.database.as_ref().ok_or_else(nowhere)?;
        if self.is_trusted.get().is_none() {
            database.check(self.options.trust)?;
            let _ = self.is_trusted.set(());
        }
        Ok(database)
    }

    /// Works with the open database, as often as another one takes its place.
    fn with<T>(&self, attempt: &'static str, work: impl FnMut(&Open) -> Attempt<T>) -> Result<T, Error> {
        self.database()?.with(self.options.trust, attempt, work)
    }

    /// The namespace of the entries of this store. If the counters are lost, other processes may make others, with another
    /// secret.
    #[inline]
    fn namespace(&self, open: &Open) -> Namespace {
        let secret = open.meta.secret;
        if let Some((_, namespace)) = self.namespace.read().filter(|(of, _)| *of == secret) {
            return namespace;
        }
        let namespace = self.codec.within(&self.options.versioned(&Namespace::from_secret(secret)));
        *self.namespace.write() = Some((secret, namespace));
        namespace
    }

    /// Where the entries of this store are in the database; `None` if there are none.
    fn space(&self, open: &Open, connection: &Connection) -> Attempt<Option<Space>> {
        let read_in = (open.number, open.meta.own(SPACES)?);
        // During a `clear`, and if its process was killed, it may be another one at any time.
        if let Some(space) = self.space.read().filter(|space| space.read_in == read_in && read_in.1 & CLEARING == 0) {
            return Ok(Some(space));
        }
        let space = Space::find(connection, &self.namespace(open), read_in)?;
        if space.is_some() {
            *self.space.write() = space;
        }
        Ok(space)
    }

    fn new_space(&self, open: &Open, connection: &Connection, cleared: u64) -> Attempt<Space> {
        let version = self.options.version.map(|version| version.to_string());
        let id = Id { name: &self.options.name, version, namespace: &self.namespace(open) };
        Space::make(connection, &id, (open.number, open.meta.own(SPACES)?), cleared)
    }

    /// The value of a key, and its deadline.
    fn find<K: Args + ?Sized>(&self, key: &K) -> Result<Option<(V, u64)>, Error> {
        if !self.options.keeps() {
            return Ok(None);
        }
        let found = self.with("read an entry", |open| {
            let digest = self.namespace(open).digest_of(key);
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
        let deadline = expiry.deadline(time);
        let bytes = self.encode(value)?;
        let fits = u64::try_from(size(bytes.len())).is_ok_and(|size| size <= self.options.max_bytes);
        let is_kept = fits && bytes.len() <= LONGEST && expiry.of_entry(time) != Some(Duration::ZERO);
        let kept = is_kept.then_some(New { deadline, began: 0, value: &bytes });
        self.change(attempt, key, bytes.len(), |open, connection, digest| {
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
        let is_cleared = is_cleared(space, ticket);
        let unchanged = |space| {
            // Copies of what this refresh should have replaced must not stay valid. The process that outdated it may not have
            // told the others yet.
            let changes = if is_change { Some(count_change(connection)?) } else { None };
            Ok(Changed { outcome: false, space, changes, newest: None })
        };
        match turn.judge(ticket) {
            Verdict::Current if !is_cleared => {}
            Verdict::InDoubt if !is_cleared => {
                // What is there may be older than this refresh, unless it is of a later one.
                let Some(space) = space else { return unchanged(None) };
                let is_later = |began: u64| ticket.is_some_and(|ticket| began > ticket.number && is_of_now(began));
                if space.began(connection, digest).is_ok_and(is_later) {
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

    /// Changes the entry of a key in a transaction, and then tells other processes.
    fn change<K: Args + ?Sized, T>(
        &self,
        attempt: &'static str,
        key: &K,
        bytes: usize,
        mut work: impl FnMut(&Open, &Connection, KeyHash) -> Attempt<Changed<T>>,
    ) -> Result<T, Error> {
        let database = self.database()?;
        self.with(attempt, |open| {
            open.check_log()?;
            let digest = self.namespace(open).digest_of(key);
            let changed = self.account.change(open, bytes, |connection| work(open, connection, digest))?;
            if let Some(changes) = changed.changes {
                // If this fails, copies of the old entry stay valid, and the caller must know.
                open.meta.outdate(digest)?;
                open.meta.set_own(CHANGES, changes)?;
                open.check_in_place()?;
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
            if open.is_time_to_tidy() {
                database.tidy(Database::tidy_up);
            }
            Ok(changed.outcome)
        })
    }

    fn clear_all(&self) -> Result<(), Error> {
        let database = self.database()?;
        self.with("remove the entries", |open| {
            let clearing = Namespace::random().id() | CLEARING;
            let changes = open.change(0, |connection| {
                open.meta.set_own(SPACES, clearing)?;
                self.new_space(open, connection, shared_clock())?;
                count_change(connection)
            })?;
            open.meta.outdate_all()?;
            open.meta.set_own(CHANGES, changes)?;
            // In a transaction, because another `clear` may have begun. If this fails, spaces are looked up until the next one.
            let _ = open.change(0, |_| {
                if open.meta.own(SPACES)? == clearing {
                    open.meta.set_own(SPACES, clearing & !CLEARING)?;
                }
                Ok(())
            });
            open.check_in_place()?;
            database.tidy(Database::tidy_up);
            Ok(())
        })
    }
}

/// Whether a number was given since the machine was started.
fn is_of_now(number: u64) -> bool {
    number <= shared_clock() + AHEAD
}

/// Whether a computation began before its space was cleared.
fn is_cleared(space: Option<Space>, ticket: Option<Ticket>) -> bool {
    let cleared = space.map_or(0, |space| space.cleared);
    ticket.is_some_and(|ticket| ticket.number <= cleared && is_of_now(cleared))
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
        // The numbers of names are others in another database.
        let space = self.space.get_mut().filter(|space| open.is_some_and(|open| open.number == space.read_in.0));
        if let (Some(open), Some(space), true) = (open, space, self.account.is_pending()) {
            // If this fails, the count is wrong until the next time that entries are counted.
            let _ = self.account.change(open, 0, |connection| self.account.write_down(connection, space.name));
        }
    }
}
