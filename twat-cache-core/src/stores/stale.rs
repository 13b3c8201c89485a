use std::collections::HashSet;
use std::hash::Hash;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use crate::sync::Mutex;
use crate::{KeyHash, Namespace, Process};

/// The entries of a store that must not be given out any more: it could neither replace nor remove them.
pub(super) struct Stale {
    process: Process,
    namespace: Namespace,
    /// How many entries are stale: [`NONE`], [`SOME`] or [`ALL`].
    extent: AtomicU8,
    keys: Mutex<HashSet<KeyHash>>,
    /// How many times something has become stale. Only what the store did after the last time can end it.
    count: AtomicU64,
}

const NONE: u8 = 0;
/// Those of `keys`.
const SOME: u8 = 1;
const ALL: u8 = 2;

/// With more stale keys than this, all entries count as stale.
const MAX_KEYS: usize = 1 << 16;

impl Stale {
    pub(super) fn new() -> Self {
        Self {
            process: Process::this(),
            namespace: Namespace::process(),
            extent: AtomicU8::new(NONE),
            keys: Mutex::default(),
            count: AtomicU64::new(0),
        }
    }

    /// A point in time, to be taken before the store is asked to replace or remove something.
    pub(super) fn now(&self) -> u64 {
        self.count.load(Ordering::SeqCst)
    }

    pub(super) fn is_all(&self) -> bool {
        self.extent.load(Ordering::Acquire) == ALL
    }

    #[inline]
    pub(super) fn has<K: Hash + ?Sized>(&self, key: &K) -> bool {
        match self.extent.load(Ordering::Acquire) {
            NONE => false,
            SOME => self.process.lock(&self.keys).is_none_or(|keys| keys.contains(&self.namespace.digest(key))),
            _ => true,
        }
    }

    pub(super) fn insert<K: Hash + ?Sized>(&self, key: &K) {
        let digest = self.namespace.digest(key);
        let keys = self.process.lock(&self.keys);
        self.count.fetch_add(1, Ordering::SeqCst);
        match keys {
            Some(mut keys) if keys.len() < MAX_KEYS => {
                keys.insert(digest);
                self.extent.fetch_max(SOME, Ordering::AcqRel);
            }
            _ => self.extent.store(ALL, Ordering::Release),
        }
    }

    pub(super) fn insert_all(&self) {
        let _keys = self.process.lock(&self.keys);
        self.count.fetch_add(1, Ordering::SeqCst);
        self.extent.store(ALL, Ordering::Release);
    }

    /// The store has replaced or removed this entry, and began to do so at this point.
    pub(super) fn remove<K: Hash + ?Sized>(&self, key: &K, since: u64) {
        if self.extent.load(Ordering::Acquire) != NONE {
            let digest = self.namespace.digest(key);
            if let Some(mut keys) = self.process.lock(&self.keys)
                && self.now() == since
            {
                keys.remove(&digest);
            }
        }
    }

    /// The store has removed all entries, and began to do so at this point.
    pub(super) fn clear(&self, since: u64) {
        // Under the lock: what becomes stale meanwhile must stay so.
        if let Some(mut keys) = self.process.lock(&self.keys)
            && self.now() == since
        {
            keys.clear();
            self.extent.store(NONE, Ordering::Release);
        }
    }
}
