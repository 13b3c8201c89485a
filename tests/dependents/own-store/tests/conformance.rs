//! The shelf passes the conformance suite: alone, in `Tiered`, and with a fallback.

#![forbid(unsafe_code)]
#![deny(warnings, missing_docs, clippy::pedantic)]

use own_store::Shelf;
use twat_cache_core::testing::Setup;
use twat_cache_core::{Expiry, LruStore, conformance, conformance_of_keys};

fn shelf(setup: &Setup) -> Shelf<String> {
    Shelf::new(setup.max_entries, Expiry { ttl: setup.ttl, clock: setup.clock.clone(), ..Expiry::default() })
}

fn lru(setup: &Setup) -> LruStore<String> {
    let store = LruStore::new(setup.max_entries).clock(setup.clock.clone());
    match setup.ttl {
        Some(ttl) => store.ttl(ttl),
        None => store,
    }
}

mod alone {
    use super::*;
    conformance!(shelf);
    conformance_of_keys!(Shelf::<u32>::new(100, Expiry::default()));
}

mod in_tiers {
    use super::*;
    use twat_cache_core::Tiered;
    conformance!(|setup: &Setup| Tiered::new(shelf(setup), lru(setup)));
}

mod with_memory {
    use super::*;
    use twat_cache_core::Fallback;
    conformance!(|setup: &Setup| Fallback::new(shelf(setup), lru(setup)));
}
