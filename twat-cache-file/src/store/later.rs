//! How a store answers a task: at once, or later if the file is large.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use twat_cache_core::among::last_check::uptime;
use twat_cache_core::{Answer, Args, Error, Ticket};

use super::open::Digest;
use super::{FileStore, Place, WRITE, after_storing, read};
use crate::codec::FileCodec;
use crate::directory::{Directory, Entry};
use crate::measure::Measured;
use crate::read::Unread;
use crate::table::Open;
use crate::write;

/// What has become of a value that a task stores.
enum Stored {
    /// Whether it is current.
    Now(bool),
    /// It is encoded.
    Later(Directory, Entry, Vec<u8>),
}

impl<V, C: FileCodec<V>> FileStore<V, C> {
    /// Like [`find`](Self::find), for a task.
    #[inline]
    pub(super) fn find_async<'a, K: Args + ?Sized>(&'a self, key: &K) -> Answer<'a, Option<Arc<Open<C::Entry>>>> {
        match self.seek(key) {
            Ok(Some(Place::File(directory, unread))) if unread.is_large() => self.read_later(directory, *unread),
            Ok(place) => Answer::Now(place.map_or(Ok(None), |place| self.read(place))),
            Err(error) => Answer::Now(Err(error)),
        }
    }

    fn read_later<'a>(&'a self, directory: &Directory, unread: Unread) -> Answer<'a, Option<Arc<Open<C::Entry>>>> {
        let (directory, table) = (directory.clone(), self.table.clone());
        let (reading, expiry) = (self.reading, self.options.expiry.clone());
        let work = move || {
            // Another task may have asked for it as well, and it was read while this work waited.
            let is_same = |open: &Open<C::Entry>| {
                !directory.is_remote
                    && open.generation.load(Ordering::Acquire) == unread.generation
                    && open.is_same(&unread.stat)
                    && expiry.allows(open.header.deadline)
            };
            match table.get(&unread.digest).filter(|open| is_same(open)) {
                Some(open) => Ok(Some(open)),
                None => read::<V, C>(unread, &directory, &table, reading, &expiry),
            }
        };
        Answer::later(async move {
            self.check_process(uptime())?;
            self.pool.run("read an entry", work).await
        })
    }

    /// Like [`store`](Self::store), for a task. A large value is encoded at once, and written later.
    pub(super) fn store_async<'a, K: Args + ?Sized>(
        &'a self,
        key: &K,
        value: &V,
        time: Option<Duration>,
        ticket: Option<Ticket>,
    ) -> Answer<'a, bool> {
        if !self.options.keeps() {
            return Answer::Now(Ok(true));
        }
        let digest = Digest::default();
        let stored = self.change(WRITE, |directory, is_repeated| {
            let (entry, measured) = self.measure(directory, digest.of(key, directory), value, time, ticket)?;
            // If there is no room, that is an error at once. So a `Fallback` still has the value, and can keep it.
            let can_wait = |measured: &&Measured| !is_repeated && directory.has_room(measured.len);
            match measured.as_ref().filter(can_wait).and_then(|measured| measured.large::<V, C>(value)) {
                Some(bytes) => Ok(Stored::Later(directory.clone(), entry, bytes)),
                None => self.store_measured(directory, is_repeated, entry, value, measured.as_ref()).map(Stored::Now),
            }
        });
        match stored {
            Ok(Stored::Now(is_current)) => Answer::Now(Ok(is_current)),
            Ok(Stored::Later(directory, entry, bytes)) => self.write_later(directory, entry, bytes),
            Err(error) => Answer::Now(Err(error)),
        }
    }

    fn write_later(&self, directory: Directory, entry: Entry, bytes: Vec<u8>) -> Answer<'_, bool> {
        let (table, expiry, max_bytes) = (self.table.clone(), self.options.expiry.clone(), self.options.max_bytes);
        let opened = directory.clone();
        // A value without a ticket is not ordered among others. So it is not stored after its task has been dropped.
        let task = Arc::new(());
        let of_task = Arc::downgrade(&task);
        let work = move || {
            let is_wanted = || entry.ticket.is_some() || of_task.strong_count() > 0;
            let fill = |file: &_| write::encoded(file, &bytes).map(Some);
            let stored = opened.store(entry, max_bytes, Some(fill), is_wanted);
            after_storing(&opened, &table, entry, &expiry, stored)
        };
        Answer::later(async move {
            self.check_process(uptime())?;
            let is_current = self.pool.run(WRITE, work).await?;
            drop(task);
            if directory.meta.is_in_use() {
                return Ok(is_current);
            }
            // As in `store_measured`. The key is gone, so the entry can only be found in the same namespace.
            self.change(WRITE, |latest, _| {
                if latest.namespace != directory.namespace {
                    let error = Error::from(io::Error::from(io::ErrorKind::Interrupted));
                    return Err(error.attempting(WRITE).at(self.path()));
                }
                latest.remove(entry.digest, &self.options.expiry)
            })?;
            Ok(entry.ticket.is_none())
        })
    }
}
