//! Stores that need no engine, and those that are made of others.

/// What is the same for all stores that have a `front` with copies and a `back` with the entries.
macro_rules! for_two_tiers {
    (Store) => {
        fn len(&self) -> Result<usize, Error> {
            self.back.len()
        }

        fn len_async(&self) -> Answer<'_, usize> {
            self.back.len_async()
        }

        fn ttl(&self) -> Option<Duration> {
            self.back.ttl()
        }

        #[inline]
        fn stale(&self) -> Option<Duration> {
            self.back.stale()
        }

        fn describe(&self) -> String {
            format!("{} in front of {}", self.front.describe(), self.back.describe())
        }

        fn suppressed_errors(&self) -> u64 {
            self.front.suppressed_errors() + self.back.suppressed_errors()
        }

        /// Those of the back. The front only has copies.
        fn evictions(&self) -> u64 {
            self.back.evictions()
        }

        fn is_shared(&self) -> bool {
            self.back.is_shared()
        }

        fn is_current(&self, stamp: Stamp) -> bool {
            self.back.is_current(stamp)
        }

        fn settle(&self) {
            self.front.settle();
            self.back.settle();
        }
    };
    (KeyedStore<$key:ty>) => {
        fn insert(&self, key: &$key, value: &Self::Value) -> Result<(), Error> {
            self.insert_with_ttl(key, value, None)
        }

        fn begin(&self, key: &$key) -> Ticket {
            self.back.begin(key)
        }

        fn is_outdated(&self, key: &$key, ticket: Ticket) -> bool {
            self.back.is_outdated(key, ticket)
        }

        fn stamp(&self, key: &$key) -> Option<Stamp> {
            self.back.stamp(key)
        }

        fn claim(&self, key: &$key, patience: Duration) -> Claim {
            self.back.claim(key, patience)
        }

        fn begin_async<'a>(&'a self, key: &$key) -> Answer<'a, Ticket> {
            self.back.begin_async(key)
        }

        fn claim_async<'a>(&'a self, key: &$key, patience: Duration) -> Answer<'a, Claim> {
            self.back.claim_async(key, patience)
        }
    };
}

mod fallback;
mod lru;
mod near;
mod ruled;
mod stale;
mod stamps;
mod stripes;
mod tiered;

pub use fallback::Fallback;
pub use lru::LruStore;
pub use near::{Copied, Near};
pub use ruled::Ruled;
pub use tiered::Tiered;
