use crate::key::KeyHash;
use crate::sync::atomic::{AtomicU64, Ordering};

/// Tells those who are about to store something for a key that it has been changed under their hands.
///
/// Keys share a few counters. Whoever is told so because of a neighbour stores nothing, which costs a miss later.
pub(crate) struct Epochs([AtomicU64; 64]);

/// A moment in the life of a key.
#[derive(Clone, Copy)]
pub(crate) struct Moment {
    slot: usize,
    epoch: u64,
}

impl Epochs {
    pub(crate) fn new() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }

    /// This moment.
    pub(crate) fn now(&self, digest: KeyHash) -> Moment {
        let slot = self.slot(digest);
        Moment { slot, epoch: self.0[slot].load(Ordering::SeqCst) }
    }

    /// Whether the key is as it was at that moment.
    pub(crate) fn is_current(&self, moment: Moment) -> bool {
        self.0[moment.slot].load(Ordering::SeqCst) == moment.epoch
    }

    /// Declares the key changed; all earlier moments are past.
    pub(crate) fn advance(&self, digest: KeyHash) -> Moment {
        let slot = self.slot(digest);
        Moment { slot, epoch: self.0[slot].fetch_add(1, Ordering::SeqCst) + 1 }
    }

    /// Declares all keys changed.
    pub(crate) fn advance_all(&self) {
        for epoch in &self.0 {
            epoch.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn slot(&self, digest: KeyHash) -> usize {
        (digest.as_u128() % self.0.len() as u128) as usize
    }
}
