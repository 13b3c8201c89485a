//! Locks by key, of which several keys share one, and which computations under each are outdated.

use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Mutex, MutexGuard};
use twat_cache_core::KeyHash;

/// A computation gets a number when it begins, and so does a change of an entry: what has a smaller one began before it.
pub(crate) struct Stripes {
    clock: AtomicU64,
    stripes: [Mutex<Stripe>; 256],
}

/// The last changes of the entries that share a lock.
#[derive(Default)]
pub(crate) struct Stripe {
    changes: Vec<(KeyHash, u64)>,
    /// The last change that is not among them any more.
    forgotten: u64,
}

/// How many changes a stripe remembers: enough for those during a computation, and 24 bytes each.
const CHANGES: usize = 16;

/// Whether an entry was changed since a computation began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Changed {
    No,
    Yes,
    /// There were too many changes of others.
    Perhaps,
}

impl Stripes {
    pub(crate) fn new() -> Self {
        Self { clock: AtomicU64::new(0), stripes: std::array::from_fn(|_| Mutex::default()) }
    }

    /// A number that is larger than all before.
    pub(crate) fn now(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::AcqRel) + 1
    }

    /// Lets nobody else look at this key's entry and then change it, until the guard is dropped.
    ///
    /// It is held while the engine reads and writes: what was read must still be so when it is written, or a value that
    /// was replaced or removed meanwhile would come back. The engine writes one at a time anyway, and reads need no
    /// stripe.
    pub(crate) fn lock(&self, digest: KeyHash) -> MutexGuard<'_, Stripe> {
        self.stripes[usize::from(digest.to_bytes()[0])].lock()
    }
}

impl Stripe {
    /// Whether the entry of this key was changed since then.
    pub(crate) fn changed(&self, digest: KeyHash, since: u64) -> Changed {
        match self.changes.iter().find(|(changed, _)| *changed == digest) {
            Some((_, change)) if since < *change => Changed::Yes,
            None if since < self.forgotten => Changed::Perhaps,
            _ => Changed::No,
        }
    }

    /// Remembers that the entry of this key was changed then.
    pub(crate) fn change(&mut self, digest: KeyHash, now: u64) {
        self.changes.retain(|(changed, _)| *changed != digest);
        self.changes.push((digest, now));
        if self.changes.len() > CHANGES {
            let (_, change) = self.changes.remove(0);
            self.forgotten = self.forgotten.max(change);
        }
    }
}

#[cfg(test)]
mod tests {
    use twat_cache_core::Namespace;

    use super::*;

    #[test]
    fn a_change_of_one_key_is_none_of_another_until_it_is_forgotten() {
        let digests: Vec<_> = (0..100_u64).map(|key| Namespace::process().digest(&key)).collect();
        let mut stripe = Stripe::default();
        stripe.change(digests[0], 10);
        assert_eq!(stripe.changed(digests[0], 9), Changed::Yes);
        assert_eq!(stripe.changed(digests[0], 10), Changed::No);
        assert_eq!(stripe.changed(digests[1], 9), Changed::No);
        for (now, digest) in (11..).zip(&digests[1..]) {
            stripe.change(*digest, now);
        }
        let last = 10 + 99;
        assert_eq!(stripe.changed(digests[99], last - 1), Changed::Yes);
        assert_eq!(stripe.changed(digests[0], 9), Changed::Perhaps);
        assert_eq!(stripe.changed(digests[0], last), Changed::No);
        assert_eq!(stripe.changes.len(), CHANGES);
    }
}
