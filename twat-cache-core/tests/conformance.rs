//! Every store and combinator of this crate passes the conformance suite.

use twat_cache_core::testing::Setup;
use twat_cache_core::{LruStore, conformance, conformance_of_keys, conformance_of_stale};

fn lru(setup: &Setup) -> LruStore<String> {
    setup.lru()
}

mod lru_store {
    use super::*;
    conformance!(lru);
    conformance_of_stale!(lru);
    conformance_of_keys!(LruStore::<u32>::new(100));
}

mod boxed_and_dynamic {
    use super::*;
    use twat_cache_core::KeyedStore;
    conformance!(|setup: &Setup| Box::new(lru(setup)) as Box<dyn KeyedStore<u64, Value = String>>);
}

mod shared {
    use super::*;
    use std::sync::Arc;
    conformance!(|setup: &Setup| Arc::new(lru(setup)));
}

mod tiered {
    use super::*;
    use twat_cache_core::Tiered;
    // A front too small for anything, so that most hits come from the back.
    conformance!(|setup: &Setup| {
        let front = Setup { max_entries: setup.max_entries.min(2), ..setup.clone() };
        Tiered::new(lru(&front), lru(setup))
    });
    conformance_of_keys!(Tiered::new(LruStore::<u32>::new(1), LruStore::new(100)));
    conformance_of_stale!(|setup: &Setup| Tiered::new(lru(setup), lru(setup)));
}

mod tiered_with_a_front_that_knows_no_ttl {
    use super::*;
    use twat_cache_core::Tiered;
    conformance!(|setup: &Setup| {
        let front = Setup { ttl: None, ..setup.clone() };
        Tiered::new(lru(&front), lru(setup))
    });
}

mod near {
    use super::*;
    use twat_cache_core::{Copied, Near};
    // A front too small for most, so that many hits come from the back.
    conformance!(|setup: &Setup| {
        let front = LruStore::<Copied<String>>::new(setup.max_entries.min(2)).clock(setup.clock.clone());
        Near::new(front, lru(setup))
    });
    conformance_of_keys!(Near::new(LruStore::<Copied<u32>>::new(10), LruStore::new(100)));
    conformance_of_stale!(|setup: &Setup| {
        Near::new(LruStore::<Copied<String>>::new(setup.max_entries).clock(setup.clock.clone()), lru(setup))
    });
}

mod late {
    use super::*;
    use twat_cache_core::testing::Late;
    conformance!(|setup: &Setup| Late::new(lru(setup)));
    conformance_of_stale!(|setup: &Setup| Late::new(lru(setup)));
    conformance_of_keys!(Late::new(LruStore::<u32>::new(100)));
}

mod combinations_that_answer_later {
    use super::*;
    use twat_cache_core::testing::Late;
    use twat_cache_core::{Copied, Fallback, Near, Tiered};
    conformance!(|setup: &Setup| {
        let near = LruStore::<Copied<String>>::new(setup.max_entries.min(2)).clock(setup.clock.clone());
        let tiers =
            Tiered::new(lru(&Setup { max_entries: setup.max_entries.min(3), ..setup.clone() }), Late::new(lru(setup)));
        Near::new(near, Fallback::new(tiers, lru(setup)))
    });
    conformance_of_stale!(|setup: &Setup| Tiered::new(lru(setup), Fallback::new(Late::new(lru(setup)), lru(setup))));
}

mod fallback_that_works {
    use super::*;
    use twat_cache_core::Fallback;
    conformance!(|setup: &Setup| Fallback::new(lru(setup), lru(setup)));
    conformance_of_stale!(|setup: &Setup| Fallback::new(lru(setup), lru(setup)));
    conformance_of_keys!(Fallback::new(LruStore::<u32>::new(100), LruStore::new(100)));
}

mod fallback_that_has_switched {
    use super::*;
    use twat_cache_core::testing::Faulty;
    use twat_cache_core::{ErrorKind, Fallback, KeyedStore};
    conformance!(|setup: &Setup| {
        let broken = Faulty::new(lru(setup));
        broken.fail_all(ErrorKind::Poisoned);
        let store = Fallback::new(broken, lru(setup));
        assert_eq!(store.get(&0_u64).unwrap(), None);
        store.primary().fail_all(None);
        store
    });
    // The secondary need not know of it.
    conformance_of_stale!(|setup: &Setup| {
        let broken = Faulty::new(lru(setup));
        broken.fail_all(ErrorKind::Poisoned);
        let store = Fallback::new(broken, lru(&Setup { ttl: None, stale: None, ..setup.clone() }));
        assert_eq!(store.get(&0_u64).unwrap(), None);
        store.primary().fail_all(None);
        store
    });
}
