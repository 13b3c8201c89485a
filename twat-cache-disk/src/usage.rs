//! How many bytes the entries of each name have, by epoch, and which epochs are closed.
//!
//! Every entry has the number of the epoch in which it was written. Above the limit, the oldest epoch of the name is closed:
//! the *floor* rises above it. Entries below the floor read as absent at once, and are dropped from disk when the engine next
//! compacts the table that they are in. So a limit needs neither scans nor tombstones.
//!
//! A *name* has one limit and one sequence of epochs. Each version and type of value under it has a namespace of its own,
//! with an id, of which the upper half is the name. A namespace that is cleared has a floor of its own.
//!
//! Nothing here touches the disk. [`Usage::record`] gives what should be written down of a name for the next process.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::iter;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use twat_cache_core::Clock;
use twat_cache_core::persist::Header;

/// A limit is divided into this many epochs. When one is closed, that part of the entries is evicted.
const EPOCHS: u64 = 16;

/// A process that was killed can have begun fewer epochs than this that are in no record. A later entry is never of an
/// earlier epoch: once it is evicted and dropped from disk, an older entry of its key would be found again.
const UNRECORDED: u64 = 64;

/// What is known of all names of a database.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    names: HashMap<u64, Name>,
}

#[derive(Debug, Default)]
struct Name {
    /// The bytes that were written in each epoch and were not replaced or removed. An epoch that is missing was joined with
    /// the next one. The newest is never below a floor.
    epochs: BTreeMap<u64, u64>,
    floor: u64,
    namespaces: HashMap<u64, Namespace>,
    /// The bytes that were written since the last record, and how many may be.
    unrecorded: u64,
    slack: u64,
    /// The limit of the store that was last written through.
    limit: u64,
}

#[derive(Debug)]
struct Namespace {
    bounds: Arc<Bounds>,
    /// The entries that this process has written in each epoch and has not replaced or removed.
    written: BTreeMap<u64, u64>,
}

/// What is known of a namespace without a lock, for lookups and sweeps.
#[derive(Debug, Default)]
pub(crate) struct Bounds {
    /// Entries of epochs below this are absent.
    floor: AtomicU64,
    /// Entries of epochs below this are written again when they are used.
    old: AtomicU64,
    /// When the namespace was last cleared: a computation that began before is outdated.
    cleared: AtomicU64,
    /// How many entries were in epochs when they were closed.
    evictions: AtomicU64,
    pub(crate) clock: OnceLock<Clock>,
}

impl Bounds {
    pub(crate) fn is_live(&self, epoch: u64) -> bool {
        epoch >= self.floor.load(Ordering::Acquire)
    }

    pub(crate) fn is_old(&self, epoch: u64) -> bool {
        epoch < self.old.load(Ordering::Relaxed)
    }

    pub(crate) fn evictions(&self) -> u64 {
        self.evictions.load(Ordering::Relaxed)
    }

    /// Whether the namespace was cleared since a computation began. The answer holds as long as the usage is locked.
    pub(crate) fn is_outdated(&self, begun: u64) -> bool {
        begun < self.cleared.load(Ordering::Acquire)
    }
}

/// The id of a namespace under a name, both given by their public numbers.
pub(crate) fn id(name: u64, namespace: u64) -> u64 {
    name >> 32 << 32 | namespace >> 32
}

/// The name of the namespace with this id.
pub(crate) fn name_of(id: u64) -> u64 {
    id >> 32
}

impl Usage {
    /// Takes over what an earlier process has written down of a name, or another one since the database was last open here.
    /// `None` if it is no record.
    pub(crate) fn restore(&mut self, name: u64, record: &[u8]) -> Option<()> {
        let (numbers, []) = record.as_chunks::<8>() else { return None };
        let mut numbers = numbers.iter().map(|number| u64::from_le_bytes(*number));
        let [floor, slack, epochs] = [numbers.next()?, numbers.next()?, numbers.next()?];
        let mut pairs = iter::from_fn(|| Some((numbers.next()?, numbers.next()?)));
        let mut epochs: BTreeMap<u64, u64> = pairs.by_ref().take(usize::try_from(epochs).ok()?).collect();
        let floors: Vec<(u64, u64)> = pairs.collect();
        let name = self.names.entry(name).or_default();
        let numbers = epochs.keys().chain(name.epochs.keys().next_back()).chain(floors.iter().map(|(_, floor)| floor));
        let newest = numbers.copied().fold(floor.max(name.floor), u64::max);
        // After numbers that no process has ever come to, there would be too few to go on with.
        if newest > Header::MAX_EPOCH / 2 {
            return None;
        }
        // A process that was killed had written some more. It is better to count what is not there than to miss what is.
        let held = epochs.remove(&newest).unwrap_or(0);
        epochs.insert(newest + UNRECORDED, held.saturating_add(slack));
        name.floor = name.floor.max(floor);
        name.epochs = epochs.split_off(&name.floor);
        (name.slack, name.unrecorded) = (0, 0);
        for (id, floor) in floors {
            name.namespace(id).bounds.floor.fetch_max(floor, Ordering::AcqRel);
        }
        name.publish(u64::MAX);
        Some(())
    }

    /// The bounds of a namespace, which may be new.
    pub(crate) fn bounds(&mut self, id: u64) -> Arc<Bounds> {
        self.names.entry(name_of(id)).or_default().namespace(id).bounds.clone()
    }

    /// Counts an entry of this many bytes, not more than the limit, that is about to be written. Above the limit, the oldest
    /// entries are evicted. Gives the entry's epoch, and whether the name's record should be written now.
    pub(crate) fn add(&mut self, id: u64, bytes: u64, limit: u64) -> (u64, bool) {
        let name = self.names.entry(name_of(id)).or_default();
        name.limit = limit;
        let (newest, held) =
            name.epochs.last_key_value().map_or((name.floor, u64::MAX), |(epoch, held)| (*epoch, *held));
        let is_new = held > 0 && held.saturating_add(bytes) > part(limit);
        let epoch = newest + u64::from(is_new);
        if is_new {
            name.begin(epoch, limit);
        }
        grow(name.epochs.entry(epoch).or_default(), bytes);
        grow(&mut name.unrecorded, bytes);
        let floor = name.floor;
        while name.held() > limit
            && name.epochs.len() > 1
            && let Some((closed, _)) = name.epochs.pop_first()
        {
            name.floor = closed + 1;
        }
        let has_closed = name.floor > floor;
        if has_closed {
            name.count_evictions();
        }
        grow(name.namespace(id).written.entry(epoch).or_default(), 1);
        if is_new || has_closed {
            name.publish(limit);
        }
        (epoch, is_new || has_closed || name.unrecorded >= name.slack)
    }

    /// Counts what was written in this epoch and is removed now, or is there again.
    pub(crate) fn adjust(&mut self, id: u64, epoch: u64, bytes: i64) {
        let name = self.names.entry(name_of(id)).or_default();
        // What was evicted is not counted any more.
        let held = name.epochs.range_mut(epoch..).next().filter(|_| epoch >= name.floor);
        if let Some((_, held)) = held {
            *held = held.saturating_add_signed(bytes);
        }
        if let Entry::Occupied(mut written) = name.namespace(id).written.entry(epoch) {
            let left = written.get().saturating_add_signed(bytes.signum());
            if left > 0 {
                written.insert(left)
            } else {
                written.remove()
            };
        }
    }

    /// Makes all entries of a namespace absent. What began before `now` is outdated.
    ///
    /// Their bytes stay counted. They are older than all that is written from now on, and so are evicted first.
    pub(crate) fn clear(&mut self, id: u64, now: u64, limit: u64) {
        let name = self.names.entry(name_of(id)).or_default();
        let floor = name.epochs.last_key_value().map_or(name.floor, |(newest, _)| *newest) + UNRECORDED;
        name.begin(floor, limit);
        let Namespace { bounds, written } = name.namespace(id);
        written.clear();
        bounds.cleared.fetch_max(now, Ordering::AcqRel);
        bounds.floor.fetch_max(floor, Ordering::AcqRel);
    }

    /// The bytes that the entries of all names have.
    pub(crate) fn held(&self) -> u64 {
        self.names.values().map(Name::held).fold(0, u64::saturating_add)
    }

    /// The database was made anew, without any records.
    pub(crate) fn lose_records(&mut self) {
        self.names.values_mut().for_each(|name| name.slack = 0);
    }

    /// What to write down of a name, in 64 bits each, little-endian: the floor, the slack, the number of epochs, their
    /// numbers and bytes, and then the ids and floors of the namespaces that were cleared. Nothing is written after the
    /// `last` record.
    pub(crate) fn record(&mut self, name: u64, is_last: bool) -> Vec<u8> {
        let name = self.names.entry(name).or_default();
        // This much may be missing after a kill, and is then counted although it may never have been written. It is little
        // of the limit, and not more than this process has written: the process may be one of thousands of short runs.
        let most = (name.limit / 256).clamp(1 << 10, 4 << 20);
        name.slack = if is_last { 0 } else { (name.slack * 2).clamp(1 << 10, most) };
        name.unrecorded = 0;
        let floors = name.namespaces.iter().map(|(id, space)| (*id, space.bounds.floor.load(Ordering::Acquire)));
        let floors = floors.filter(|(_, floor)| *floor > name.floor);
        let pairs = name.epochs.iter().map(|(epoch, bytes)| (*epoch, *bytes)).chain(floors);
        let head = [name.floor, name.slack, name.epochs.len() as u64];
        head.into_iter().chain(pairs.flat_map(|pair| [pair.0, pair.1])).flat_map(u64::to_le_bytes).collect()
    }

    /// The names whose last record may be behind.
    pub(crate) fn unrecorded(&self) -> Vec<u64> {
        self.names.iter().filter(|(_, name)| name.slack > 0).map(|(id, _)| *id).collect()
    }
}

impl Name {
    fn held(&self) -> u64 {
        self.epochs.values().fold(0, |sum, bytes| sum.saturating_add(*bytes))
    }

    fn namespace(&mut self, id: u64) -> &mut Namespace {
        let bounds = || Arc::new(Bounds { floor: self.floor.into(), ..Bounds::default() });
        self.namespaces.entry(id).or_insert_with(|| Namespace { bounds: bounds(), written: BTreeMap::new() })
    }

    /// Counts the entries in closed epochs.
    fn count_evictions(&mut self) {
        for Namespace { bounds, written } in self.namespaces.values_mut() {
            let left = written.split_off(&self.floor);
            let evicted = std::mem::replace(written, left);
            bounds.evictions.fetch_add(evicted.into_values().sum(), Ordering::Relaxed);
        }
    }

    /// Begins an epoch. What is left of earlier ones is joined where it fits into one, so that there are never many.
    fn begin(&mut self, begun: u64, limit: u64) {
        let mut joined: Vec<(u64, u64)> = Vec::new();
        for (epoch, bytes) in std::mem::take(&mut self.epochs) {
            match joined.last_mut() {
                Some(last) if last.1.saturating_add(bytes) <= part(limit) => *last = (epoch, last.1 + bytes),
                _ => joined.push((epoch, bytes)),
            }
        }
        self.epochs = joined.into_iter().chain([(begun, 0)]).collect();
    }

    /// Tells lookups and sweeps which epochs are closed, and which are old: those that would be closed before another half of
    /// the limit is written. An entry that is used is written again if it is old. So it stays at least that long.
    fn publish(&self, limit: u64) {
        let mut ahead = limit.saturating_sub(self.held());
        let is_old = |(_, bytes): &(&u64, &u64)| {
            grow(&mut ahead, **bytes);
            ahead <= limit / 2
        };
        let old = self.epochs.iter().take_while(is_old).last().map_or(0, |(epoch, _)| epoch + 1);
        for Namespace { bounds, .. } in self.namespaces.values() {
            bounds.floor.fetch_max(self.floor, Ordering::AcqRel);
            bounds.old.store(old, Ordering::Relaxed);
        }
    }
}

fn part(limit: u64) -> u64 {
    (limit / EPOCHS).max(1)
}

/// What a record says may be any number.
fn grow(bytes: &mut u64, by: u64) {
    *bytes = bytes.saturating_add(by);
}

#[cfg(test)]
mod tests;
