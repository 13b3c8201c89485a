//! How a store asks, and what it learns.

use std::time::Duration;

use twat_cache_core::Expiry;

use crate::server::Via;

/// How a store asks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    /// How long all requests of a call may take together.
    pub(crate) timeout: Duration,
    /// How long the state of the cache stays.
    pub(crate) life: Duration,
    pub(crate) via: Via,
}

impl Terms {
    pub(crate) fn for_driver(self) -> Self {
        Self { via: Via::Driver, ..self }
    }

    /// A lookup has half of the time: most calls are one. What may follow is a claim and storing.
    pub(crate) fn lookup(&self) -> Duration {
        self.timeout / 2
    }

    pub(crate) fn step(&self) -> Duration {
        self.timeout / 4
    }
}

/// Which entries make a computation unnecessary.
#[derive(Clone, Debug)]
pub(crate) struct Fresh {
    /// Those that began later.
    pub(crate) since: u64,
    pub(crate) expiry: Expiry,
}

impl Fresh {
    /// The deadline up to which an entry is stale.
    pub(crate) fn after(&self) -> u64 {
        let stale = self.expiry.stale.map_or(0, |stale| u64::try_from(stale.as_nanos()).unwrap_or(u64::MAX));
        self.expiry.clock.since_1970().saturating_add(stale)
    }
}

/// What became of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stored {
    Outdated,
    /// Its lease has ended.
    Alone,
    /// Others may compute it as well.
    WithOthers,
}

/// What became of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claimed {
    /// The result is there.
    There,
    /// Somebody else computes it.
    Held,
    /// The lease with this number is ours.
    Granted(u64),
}
