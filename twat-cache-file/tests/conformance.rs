//! The file store passes the conformance suite: mapped or copied, alone and with its fallback in memory. The fallback
//! passes it, too.

use tempfile::TempDir;
use twat_cache_core::among::system::block_size;
use twat_cache_core::testing::{ENTRY_BYTES, Setup, rooted};
use twat_cache_core::{conformance, conformance_of_keys};
use twat_cache_file::{Access, FileBuilder, fcache};

/// The header, and what rkyv adds to a string.
const ENTRY: usize = ENTRY_BYTES + 64 + 8;

/// How much of the limit an entry of this length takes.
fn in_blocks(dir: &TempDir, entry: usize) -> usize {
    entry.next_multiple_of(usize::try_from(block_size(dir.path())).unwrap())
}

fn builder(dir: &TempDir, setup: &Setup) -> FileBuilder {
    setup.options(dir.path(), in_blocks(dir, ENTRY)).into()
}

mod files {
    use super::*;
    conformance!(|setup: &Setup| rooted(|dir| builder(dir, setup).open::<String>().unwrap()));
    conformance_of_keys!(rooted(|dir| fcache("keys").dir(dir.path()).open::<u32>().unwrap()));
}

mod copied {
    use super::*;
    conformance!(|setup: &Setup| rooted(|dir| builder(dir, setup).access(Access::Copy).open::<String>().unwrap()));
}

#[cfg(unix)]
mod directory_of_a_group {
    use super::*;
    use twat_cache_core::Trust;
    use twat_cache_core::testing::owners::set_mode;

    conformance!(|setup: &Setup| rooted(|dir| {
        // Nothing in it may be mapped, not even the counters.
        set_mode(fcache("name").dir(dir.path()).open::<String>().unwrap().path(), 0o770);
        builder(dir, setup).trust(Trust::Group).open::<String>().unwrap()
    }));
}

mod memory {
    use super::*;
    use twat_cache_file::MemoryStore;

    fn open(setup: &Setup) -> MemoryStore<String> {
        let store = MemoryStore::new((setup.max_entries * ENTRY) as u64).clock(setup.clock.clone());
        if let Some(ttl) = setup.ttl { store.ttl(ttl) } else { store }
    }

    conformance!(open);
    conformance_of_keys!(MemoryStore::<u32>::new(1 << 20));
}

#[cfg(feature = "serde")]
mod by_serde {
    use super::*;
    use twat_cache_file::MemoryStore;
    use twat_cache_file::persist::MessagePack;

    /// The header, and what MessagePack adds to a string.
    const ENTRY: usize = ENTRY_BYTES + 64 + 2;

    mod files {
        use super::*;
        conformance!(|setup: &Setup| rooted(|dir| { builder(dir, setup).serde().open::<String>().unwrap() }));
        conformance_of_keys!(rooted(|dir| fcache("keys").dir(dir.path()).serde().open::<u32>().unwrap()));
    }

    mod memory {
        use super::*;

        fn open(setup: &Setup) -> MemoryStore<String, MessagePack> {
            let store = MemoryStore::with_codec((setup.max_entries * ENTRY) as u64).clock(setup.clock.clone());
            if let Some(ttl) = setup.ttl { store.ttl(ttl) } else { store }
        }

        conformance!(open);
        conformance_of_keys!(MemoryStore::<u32, MessagePack>::with_codec(1 << 20));
    }
}

mod with_memory {
    use super::*;
    use twat_cache_file::{Fallback, MemoryStore};

    conformance!(|setup: &Setup| rooted(|dir| {
        Fallback::new(builder(dir, setup).open::<String>().unwrap(), MemoryStore::new(1 << 20))
    }));
}
