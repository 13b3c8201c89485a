//! The file store does what every store must do, mapped or copied, alone and with the memory that steps in for it; and so
//! does that memory.

mod common;

use common::{Rooted, volatile_dir};
use tempfile::TempDir;
use twat_cache_core::testing::{ENTRY_BYTES, Setup};
use twat_cache_core::{conformance, conformance_of_keys};
use twat_cache_file::{Access, FileBuilder, fcache};

/// The header, and what rkyv adds to a string.
const ENTRY: usize = ENTRY_BYTES + 64 + 8;

/// Evictions by the thousand need not reach a disk.
fn rooted<S>(open: impl FnOnce(&TempDir) -> S) -> Rooted<S> {
    let root = volatile_dir();
    Rooted { store: open(&root), root }
}

fn builder(dir: &TempDir, setup: &Setup) -> FileBuilder {
    let builder = fcache("name").dir(dir.path()).clock(setup.clock.clone());
    let builder = builder.max_bytes((setup.max_entries * ENTRY) as u64);
    match setup.ttl {
        Some(ttl) => builder.ttl(ttl),
        None => builder,
    }
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

mod directory_of_a_group {
    use super::*;
    use std::fs;
    use twat_cache_core::Trust;

    /// One in which nothing may be mapped, not even the counters.
    #[cfg(unix)]
    fn open_to_group(dir: &TempDir) {
        use std::os::unix::fs::PermissionsExt;
        fcache("name").dir(dir.path()).open::<String>().unwrap();
        for cache in fs::read_dir(dir.path()).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_dir()) {
            fs::set_permissions(cache.path(), fs::Permissions::from_mode(0o770)).unwrap();
        }
    }

    #[cfg(not(unix))]
    fn open_to_group(_: &TempDir) {}

    conformance!(|setup: &Setup| rooted(|dir| {
        open_to_group(dir);
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

mod with_memory {
    use super::*;
    use twat_cache_file::{Fallback, MemoryStore};

    conformance!(|setup: &Setup| rooted(|dir| {
        Fallback::new(builder(dir, setup).open::<String>().unwrap(), MemoryStore::new(1 << 20))
    }));
}
