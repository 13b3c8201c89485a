use std::hash::Hash;

use crate::sync::atomic::{AtomicU64, Ordering};
use crate::{Namespace, Stamp};

/// The generations of a back that others do not change. Without stripes, all stamps stay current.
pub(super) struct Generations {
    namespace: Namespace,
    stripes: Box<[AtomicU64]>,
}

/// Tells a stamp of these from one of the back.
pub(super) const OWN: u32 = 1 << 31;

/// The model checker needs no more than two.
pub(super) const STRIPES: u8 = if cfg!(shuttle) { 2 } else { 128 };

impl Generations {
    pub(super) fn new(stripes: u8) -> Self {
        Self { namespace: Namespace::process(), stripes: (0..stripes).map(|_| AtomicU64::new(0)).collect() }
    }

    pub(super) fn stamp<K: Hash + ?Sized>(&self, key: &K) -> Stamp {
        if self.stripes.is_empty() {
            return Stamp { stripe: OWN, generation: 0 };
        }
        let [first, ..] = self.namespace.digest(key).to_bytes();
        let stripe = OWN | u32::from(first % STRIPES);
        let generation = self.stripe(stripe).map_or(0, |stripe| stripe.load(Ordering::SeqCst));
        Stamp { stripe, generation }
    }

    #[inline]
    pub(super) fn stripe(&self, stripe: u32) -> Option<&AtomicU64> {
        self.stripes.get((stripe & !OWN) as usize)
    }

    #[inline]
    pub(super) fn is_current(&self, stamp: Stamp) -> bool {
        self.stripe(stamp.stripe).is_none_or(|stripe| stripe.load(Ordering::SeqCst) == stamp.generation)
    }

    /// Begins a new generation. Returns its stamp if nothing has changed since this one was made.
    pub(super) fn raise(&self, stamp: Stamp) -> Option<Stamp> {
        let Some(stripe) = self.stripe(stamp.stripe) else { return Some(stamp) };
        let before = stripe.fetch_add(1, Ordering::SeqCst);
        (before == stamp.generation).then_some(Stamp { generation: before + 1, ..stamp })
    }

    pub(super) fn raise_all(&self) {
        for stripe in &self.stripes {
            stripe.fetch_add(1, Ordering::SeqCst);
        }
    }
}
