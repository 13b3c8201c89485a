//! How many bytes each cache holds, by epochs, and which epochs are closed.
//!
//! Every entry carries the epoch that it was written in. Over the limit, the oldest epoch of the cache is *closed*: its
//! *floor* rises above it. Entries below the floor read as absent at once, and are dropped from disk when the engine
//! next compacts what they are in. So a limit costs no scan and no tombstones.
//!
//! A *name* has one limit. An *area* is what one namespace holds under that name: another version or value type has
//! another area, and their oldest epochs go first, whichever they belong to.
//!
//! Nothing here touches the disk. A [`Record`] is what should be written down of an area for the next process.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use twat_cache_core::Clock;
use twat_cache_core::persist::Header;

/// A limit is divided into this many epochs, so closing one takes away that part of what is there.
const EPOCHS: u64 = 16;

/// The accounts of all areas of a database.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    areas: HashMap<u64, Area>,
    names: HashMap<u64, Name>,
    /// The last epoch that was begun, of any area.
    last: u64,
}

/// What there is under a name.
#[derive(Debug, Default)]
struct Name {
    held: u64,
    /// All bytes that were ever written by this process: the time, as epochs go by.
    written: u64,
}

#[derive(Debug)]
struct Area {
    name: u64,
    /// The bytes that were written in each epoch and are still there.
    epochs: BTreeMap<u64, u64>,
    /// When the newest of them began; unknown of one that another process began.
    begun: Option<u64>,
    bounds: Arc<Bounds>,
    /// Bytes that were written since the last record, and how many there may be.
    unrecorded: u64,
    slack: u64,
    /// Bytes that this process has written.
    written: u64,
}

/// What those need to know who read or sweep entries, without the ledger's lock.
#[derive(Debug, Default)]
pub(crate) struct Bounds {
    /// Entries of epochs below this are absent.
    floor: AtomicU64,
    /// Entries of epochs below this are written anew when they are used.
    old: AtomicU64,
    /// When the area was last cleared: what began before is outdated.
    cleared: AtomicU64,
    pub(crate) clock: OnceLock<Clock>,
}

impl Bounds {
    pub(crate) fn is_live(&self, epoch: u64) -> bool {
        epoch >= self.floor.load(Ordering::Acquire)
    }

    pub(crate) fn is_old(&self, epoch: u64) -> bool {
        epoch < self.old.load(Ordering::Relaxed)
    }

    /// Whether a computation that began then was outdated by a `clear` since. Under the ledger's lock that stays so.
    pub(crate) fn is_outdated(&self, begun: u64) -> bool {
        begun < self.cleared.load(Ordering::Acquire)
    }
}

/// An area's account, as it is kept on disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) name: u64,
    pub(crate) floor: u64,
    /// Bytes that may have been written since.
    pub(crate) slack: u64,
    pub(crate) epochs: Vec<(u64, u64)>,
}

/// What follows from an entry that is about to be written.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Added {
    /// The epoch that it belongs to.
    pub(crate) epoch: u64,
    /// The areas whose records should be written now.
    pub(crate) record: Vec<u64>,
}

impl Ledger {
    /// Takes over an account from the disk, or adds what it has to the one that is there.
    pub(crate) fn restore(&mut self, area: u64, record: Record) {
        let Record { name, floor, slack, mut epochs } = record;
        // Whoever was killed had written some more. Better to count what is not there than to forget what is.
        if let Some((_, newest)) = epochs.iter_mut().max() {
            grow(newest, slack);
        }
        self.last = epochs.iter().map(|(epoch, _)| *epoch).chain([self.last, floor]).max().unwrap_or(0);
        // And some epochs that it had begun may be in no record.
        if slack > 0 {
            self.last += 64;
        }
        self.open(area, name);
        let Some(account) = self.areas.get_mut(&area) else { return };
        let held = &mut self.names.entry(account.name).or_default().held;
        let floor = account.bounds.floor.fetch_max(floor, Ordering::AcqRel).max(floor);
        let live = account.epochs.split_off(&floor);
        for closed in std::mem::replace(&mut account.epochs, live).into_values() {
            shrink(held, closed);
        }
        for (epoch, bytes) in epochs.into_iter().filter(|(epoch, _)| *epoch >= floor) {
            let known = account.epochs.entry(epoch).or_default();
            grow(held, bytes.saturating_sub(*known));
            *known = bytes.max(*known);
        }
        // The newest may be another's.
        account.begun = None;
        account.slack = 0;
    }

    /// The bounds of an area under this name, which may be new.
    pub(crate) fn open(&mut self, area: u64, name: u64) -> Arc<Bounds> {
        let new = || Area {
            name,
            epochs: BTreeMap::new(),
            begun: None,
            bounds: Arc::default(),
            unrecorded: 0,
            slack: 0,
            written: 0,
        };
        self.areas.entry(area).or_insert_with(new).bounds.clone()
    }

    /// The bounds of every area, for a sweep.
    pub(crate) fn bounds(&self) -> HashMap<u64, Arc<Bounds>> {
        self.areas.iter().map(|(area, account)| (*area, account.bounds.clone())).collect()
    }

    /// Counts an entry of so many bytes, not more than the limit, that is about to be written. Older ones make room.
    pub(crate) fn add(&mut self, area: u64, bytes: u64, limit: u64) -> Added {
        let part = (limit / EPOCHS).max(1);
        let open = self.open_epoch(area, bytes, part);
        let begun = open.is_none();
        self.last += u64::from(begun);
        let epoch = open.unwrap_or(self.last);
        let Some(account) = self.areas.get_mut(&area) else { return Added { epoch, record: Vec::new() } };
        let name = account.name;
        let under_name = self.names.entry(name).or_default();
        if begun || account.begun.is_none() {
            account.begun = Some(under_name.written);
        }
        grow(&mut under_name.held, bytes);
        grow(&mut under_name.written, bytes);
        grow(account.epochs.entry(epoch).or_default(), bytes);
        grow(&mut account.unrecorded, bytes);
        grow(&mut account.written, bytes);
        // What the last process was allowed not to record, this one is not as well, or many short runs would each write
        // that much, and nobody ever count it. So the first that is added is recorded.
        let begun = begun || account.slack == 0;
        let due = begun || account.unrecorded >= account.slack;
        if due {
            // So much may be missing after a kill, and is then counted although it may never have been written: little
            // of the limit, and no more than this process has written, for it may be one of thousands of short runs.
            account.slack = account.written.clamp(1 << 10, (limit / 256).clamp(1 << 10, 4 << 20));
        }
        let mut record = self.make_room(name, (area, epoch), limit);
        if begun || !record.is_empty() {
            self.age(name, limit);
        }
        if due && !record.contains(&area) {
            record.push(area);
        }
        Added { epoch, record }
    }

    /// The epoch that an entry of so many bytes may join: the area's newest, if there is room and it is recent. An area
    /// that is seldom written to has old ones, and what is written now is not old.
    fn open_epoch(&self, area: u64, bytes: u64, part: u64) -> Option<u64> {
        let account = self.areas.get(&area)?;
        let (epoch, held) = account.epochs.last_key_value()?;
        let written = self.names.get(&account.name).map_or(0, |name| name.written);
        let is_recent = if let Some(begun) = account.begun {
            written.saturating_sub(begun) <= part.saturating_mul(2)
        } else {
            let others = self.areas.values().filter(|other| other.name == account.name);
            others.filter_map(|other| other.epochs.keys().next_back()).max() == Some(epoch)
        };
        (is_recent && (*held == 0 || held.saturating_add(bytes) <= part)).then_some(*epoch)
    }

    /// Closes the oldest epochs of a name until it is within its limit, all but the one that is just being written.
    fn make_room(&mut self, name: u64, keep: (u64, u64), limit: u64) -> Vec<u64> {
        let mut closed = Vec::new();
        while self.names.get(&name).is_some_and(|name| name.held > limit) {
            let oldest = |(id, area): (&u64, &Area)| area.epochs.keys().next().map(|epoch| (*epoch, *id));
            let of_name = self.areas.iter().filter(|(_, area)| area.name == name);
            let Some((epoch, id)) = of_name.filter_map(oldest).filter(|(epoch, id)| (*id, *epoch) != keep).min() else {
                break;
            };
            let Some(area) = self.areas.get_mut(&id) else { break };
            let freed = area.epochs.remove(&epoch).unwrap_or(0);
            area.bounds.floor.fetch_max(epoch + 1, Ordering::AcqRel);
            shrink(&mut self.names.entry(name).or_default().held, freed);
            if !closed.contains(&id) {
                closed.push(id);
            }
        }
        closed
    }

    /// Finds what is old: all that would be closed before another half of the limit was written. So an entry that is
    /// used, and written anew if it is old, stays at least that long.
    fn age(&mut self, name: u64, limit: u64) {
        let areas = || self.areas.values().filter(|area| area.name == name);
        let mut epochs: Vec<_> = areas().flat_map(|area| &area.epochs).collect();
        epochs.sort_unstable();
        let held = self.names.get(&name).map_or(0, |name| name.held);
        let mut ahead = limit.saturating_sub(held);
        let mut old = 0;
        for (epoch, bytes) in epochs {
            grow(&mut ahead, *bytes);
            if ahead > limit / 2 {
                break;
            }
            old = epoch + 1;
        }
        for area in areas() {
            area.bounds.old.store(old, Ordering::Relaxed);
        }
    }

    /// An entry is gone that was written in this epoch.
    pub(crate) fn subtract(&mut self, area: u64, epoch: u64, bytes: u64) {
        let Some(account) = self.areas.get_mut(&area) else { return };
        // What is in a closed epoch is in no account any more.
        let Some(held) = account.epochs.get_mut(&epoch) else { return };
        let freed = bytes.min(*held);
        shrink(held, freed);
        // Else overwriting, which never comes to the limit, would gather empty epochs for ever.
        if *held == 0 && account.epochs.keys().next_back() != Some(&epoch) {
            account.epochs.remove(&epoch);
        }
        shrink(&mut self.names.entry(account.name).or_default().held, freed);
    }

    /// An entry that was to be replaced, and so subtracted, is still there.
    pub(crate) fn put_back(&mut self, area: u64, epoch: u64, bytes: u64) {
        let Some(account) = self.areas.get_mut(&area).filter(|account| account.bounds.is_live(epoch)) else { return };
        grow(account.epochs.entry(epoch).or_default(), bytes);
        grow(&mut self.names.entry(account.name).or_default().held, bytes);
    }

    /// Closes all epochs of an area, now.
    pub(crate) fn clear(&mut self, area: u64, now: u64) {
        let Some(account) = self.areas.get_mut(&area) else { return };
        account.bounds.cleared.fetch_max(now, Ordering::AcqRel);
        self.last += 1;
        account.bounds.floor.fetch_max(self.last, Ordering::AcqRel);
        for freed in std::mem::take(&mut account.epochs).into_values() {
            shrink(&mut self.names.entry(account.name).or_default().held, freed);
        }
    }

    /// Forgets what is where, because the database had to be made anew. Nothing old can come back, so floors stay.
    pub(crate) fn empty(&mut self) {
        for area in self.areas.values_mut() {
            area.epochs.clear();
        }
        self.names.clear();
    }

    /// What to write down of an area, now. At the `end`, nothing will be written after it.
    pub(crate) fn record(&mut self, area: u64, end: bool) -> Option<Record> {
        let account = self.areas.get_mut(&area)?;
        account.unrecorded = 0;
        Some(Record {
            name: account.name,
            floor: account.bounds.floor.load(Ordering::Acquire),
            slack: if end { 0 } else { account.slack },
            epochs: account.epochs.iter().map(|(epoch, bytes)| (*epoch, *bytes)).collect(),
        })
    }

    /// The areas whose last record may be behind.
    pub(crate) fn unrecorded(&self) -> Vec<u64> {
        self.areas.iter().filter(|(_, area)| area.slack > 0).map(|(id, _)| *id).collect()
    }
}

/// What a record says is not to be trusted with an overflow.
fn grow(bytes: &mut u64, by: u64) {
    *bytes = bytes.saturating_add(by);
}

fn shrink(bytes: &mut u64, by: u64) {
    *bytes = bytes.saturating_sub(by);
}

impl Record {
    /// As bytes: name, floor, slack, then epoch and bytes of each epoch, all as 64 bits, little-endian.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let epochs = self.epochs.iter().flat_map(|(epoch, bytes)| [*epoch, *bytes]);
        [self.name, self.floor, self.slack].into_iter().chain(epochs).flat_map(u64::to_le_bytes).collect()
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (numbers, []) = bytes.as_chunks::<8>() else { return None };
        let mut numbers = numbers.iter().map(|number| u64::from_le_bytes(*number));
        let mut record = Self {
            name: numbers.next()?,
            floor: numbers.next()?,
            slack: numbers.next()?,
            epochs: Vec::with_capacity(numbers.len() / 2),
        };
        while let Some(epoch) = numbers.next() {
            record.epochs.push((epoch, numbers.next()?));
        }
        // A number that no ledger has ever come to would leave none to go on with.
        let largest = record.epochs.iter().map(|(epoch, _)| *epoch).chain([record.floor]).max();
        Some(record).filter(|_| largest < Some(Header::MAX_EPOCH / 2))
    }
}

#[cfg(test)]
mod tests;
