//! How a store comes to its directory.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use twat_cache_core::persist::{RkyvValue, within_rkyv};
use twat_cache_core::{Error, ErrorKind};

use super::FileStore;
use crate::place::{Place, dir_name};
use crate::table::moment;

/// Less than it takes to fork, in nanoseconds: memory has to be set up for the new process.
const FORK: u64 = 20_000;

impl<V: RkyvValue> FileStore<V> {
    /// An error in a process that was forked from the one that has made this: there, locks may be held by threads that are
    /// missing, and files locked by the parent.
    #[inline]
    pub(super) fn at_home(&self, now: u64) -> Result<(), Error> {
        if now.wrapping_sub(self.at_home.load(Ordering::Relaxed)) <= FORK {
            return Ok(());
        }
        if self.process.is_forked() {
            let why = "this process was made by `fork`, and the files are its parent's";
            return Err(Error::new(ErrorKind::Unavailable, "use the cache").at(self.path()).because(why));
        }
        self.at_home.store(now, Ordering::Relaxed);
        Ok(())
    }

    /// The directory, opened if need be.
    pub(super) fn place(&self) -> Result<Arc<Place>, Error> {
        self.at_home(moment())?;
        let place = self.place.read().clone();
        match place.filter(|place| place.meta.is_sound()) {
            Some(place) => Ok(place),
            None => self.reopen(|_| true),
        }
    }

    /// The directory, to change something in it.
    pub(super) fn place_to(&self, attempt: &'static str) -> Result<Arc<Place>, Error> {
        let mut place = self.place()?;
        if !place.meta.is_writable() && place.meta.could_be_writable() {
            place = self.reopen(|place| place.meta.is_writable())?;
        }
        if place.meta.is_writable() {
            return Ok(place);
        }
        let error = io::Error::from(io::ErrorKind::PermissionDenied);
        Err(Error::from(error).attempting(attempt).at(self.path()))
    }

    /// Removes something; says whether anything was there. Where others have come to look elsewhere meanwhile, at counters that
    /// were made anew because ours were lost, it is done there again.
    pub(super) fn change(
        &self,
        attempt: &'static str,
        change: impl Fn(&Place) -> Result<bool, Error>,
    ) -> Result<bool, Error> {
        let mut was_there = false;
        for _ in 0..8 {
            let place = self.place_to(attempt)?;
            was_there |= change(&place)?;
            if place.meta.is_sound() {
                return Ok(was_there);
            }
        }
        Err(Error::from(io::Error::from(io::ErrorKind::Interrupted)).attempting(attempt).at(self.path()))
    }

    /// Opens the directory, unless somebody else has by now, and it will do.
    #[cold]
    fn reopen(&self, will_do: impl Fn(&Place) -> bool) -> Result<Arc<Place>, Error> {
        let nowhere = || Error::new(ErrorKind::Unavailable, "find this user's cache directory");
        let root = self.root.as_deref().ok_or_else(nowhere)?;
        // This logs, too.
        let dir = Place::prepare(root, &dir_name(&self.options.name), self.options.trust)?;
        let (place, damage) = self.open_anew(&dir, will_do)?;
        // Only now: it is the program's own logger, which may use this very cache.
        if let Some(damage) = damage {
            self.warned.warn(&damage, "they are made anew");
        }
        Ok(place)
    }

    fn open_anew(&self, dir: &Path, will_do: impl Fn(&Place) -> bool) -> Result<(Arc<Place>, Option<Error>), Error> {
        // Nobody has a use for the directory before it is open, so all wait for the one who opens it.
        let mut slot = self.place.write();
        if let Some(place) = slot.clone().filter(|place| place.meta.is_sound() && will_do(place)) {
            return Ok((place, None));
        }
        // Its counters are gone, or have lost the ground under them: they must not be looked at again.
        *slot = None;
        self.table.clear();
        let (place, damage) =
            Place::open(dir, self.secret.get().copied(), |root| within_rkyv::<V>(&self.options.versioned(root)))?;
        let place = Arc::new(place);
        let _ = self.secret.set(place.meta.secret());
        let _ = self.namespace.set(place.namespace);
        *slot = Some(place.clone());
        Ok((place, damage))
    }
}
