//! The memory store passes the conformance suite.

use twat_cache_core::testing::Setup;
use twat_cache_core::{conformance, conformance_of_keys, conformance_of_stale};
use twat_cache_mem::{MemBuilder, MemStore, mcache};

fn builder(setup: &Setup) -> MemBuilder {
    let builder = mcache().max_entries(setup.max_entries).clock(setup.clock.clone());
    let builder = setup.ttl.into_iter().fold(builder, MemBuilder::ttl);
    setup.stale.into_iter().fold(builder, MemBuilder::stale)
}

mod counted {
    use super::*;
    conformance!(|setup: &Setup| builder(setup).open::<u64, String>());
    conformance_of_keys!(mcache().open::<_, u32>());
    conformance_of_stale!(|setup: &Setup| builder(setup).open::<u64, String>());
}

mod observed {
    use super::*;
    conformance!(|setup: &Setup| builder(setup).on_evict(|_: &u64, _: &String| ()).open());
}

mod weighed {
    use super::*;

    fn open(setup: &Setup) -> MemStore<u64, String> {
        // The limit in entries, if all entries have the same weight.
        builder(setup).weigher(setup.max_entries as u64 * 3, |_: &u64, _: &String| 3).open()
    }
    conformance!(open);
    conformance_of_stale!(open);
    conformance_of_keys!(mcache().weigher(1000, |_: &_, value: &u32| u64::from(*value)).open());
}
