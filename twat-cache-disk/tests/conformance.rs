//! The disk store does what every store must do, with either codec, alone and with the memory that steps in for it.

mod common;

use common::rooted;
use tempfile::TempDir;
use twat_cache_core::testing::{ENTRY_BYTES, Setup};
use twat_cache_core::{conformance, conformance_of_keys};
use twat_cache_disk::{DiskBuilder, bcache};

/// Key and header, and what rkyv adds to a string.
const ENTRY: usize = ENTRY_BYTES + 40 + 8;

fn builder(dir: &TempDir, setup: &Setup) -> DiskBuilder {
    let builder = bcache("name").dir(dir.path()).clock(setup.clock.clone());
    let builder = builder.max_bytes((setup.max_entries * ENTRY) as u64);
    match setup.ttl {
        Some(ttl) => builder.ttl(ttl),
        None => builder,
    }
}

mod rkyv {
    use super::*;
    conformance!(|setup: &Setup| rooted(|dir| builder(dir, setup).open::<String>().unwrap()));
    conformance_of_keys!(rooted(|dir| bcache("keys").dir(dir.path()).open::<u32>().unwrap()));
}

#[cfg(feature = "serde")]
mod serde {
    use super::*;
    conformance!(|setup: &Setup| rooted(|dir| builder(dir, setup).serde().open::<String>().unwrap()));
}

mod with_memory {
    use super::*;
    use twat_cache_core::{Fallback, LruStore};
    conformance!(|setup: &Setup| rooted(|dir| {
        let memory = LruStore::new(setup.max_entries);
        Fallback::new(builder(dir, setup).open::<String>().unwrap(), memory)
    }));
}
