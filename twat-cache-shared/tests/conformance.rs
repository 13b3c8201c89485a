//! The shared store passes the conformance suite: with both codecs, alone and with its fallback in memory.

use twat_cache_core::testing::{ENTRY_BYTES, Setup, rooted};
use twat_cache_core::{conformance, conformance_of_keys, conformance_of_stale};
use twat_cache_shared::{SharedBuilder, scache};

fn builder(dir: &tempfile::TempDir, setup: &Setup) -> SharedBuilder {
    // What an entry takes, and what rkyv adds to a string.
    setup.options(dir.path(), ENTRY_BYTES + 64 + 8).into()
}

mod rkyv {
    use super::*;
    conformance!(|setup: &Setup| rooted(|dir| builder(dir, setup).open::<String>().unwrap()));
    conformance_of_stale!(|setup: &Setup| rooted(|dir| builder(dir, setup).open::<String>().unwrap()));
    conformance_of_keys!(rooted(|dir| scache("keys").dir(dir.path()).open::<u32>().unwrap()));
}

#[cfg(feature = "serde")]
mod serde {
    use super::*;
    conformance!(|setup: &Setup| rooted(|dir| builder(dir, setup).serde().open::<String>().unwrap()));
}

#[cfg(feature = "compress")]
mod compressed {
    use super::*;
    // The limits of the rest of the suite are in entries, and these get smaller.
    conformance_of_stale!(|setup: &Setup| rooted(|dir| builder(dir, setup)
        .serde()
        .compress()
        .open::<String>()
        .unwrap()));
}

mod with_memory {
    use super::*;
    use twat_cache_core::{Fallback, LruStore};
    conformance!(|setup: &Setup| rooted(|dir| {
        let memory = LruStore::new(setup.max_entries);
        Fallback::new(builder(dir, setup).open::<String>().unwrap(), memory)
    }));
    conformance_of_stale!(|setup: &Setup| rooted(|dir| builder(dir, setup).with_memory::<String>()));
}
