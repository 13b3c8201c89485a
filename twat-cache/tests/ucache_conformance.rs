//! The unified store passes the conformance suite with every backend.

#![cfg(feature = "ucache")]

use tempfile::TempDir;
use twat_cache::unified::{UnifiedBuilder, UnifiedStore};
use twat_cache::{Backend, ucache};
#[cfg(any(feature = "disk", feature = "shared", feature = "file"))]
use twat_cache_core::testing::ENTRY_BYTES;
use twat_cache_core::testing::{Rooted, Setup, rooted};
use twat_cache_core::{conformance, conformance_of_keys};

type Store<K, V> = Rooted<UnifiedStore<K, V>>;

fn builder(dir: &TempDir, setup: &Setup, backend: Backend) -> UnifiedBuilder {
    let builder = ucache("name").dir(dir.path()).clock(setup.clock.clone()).backend(backend);
    match setup.ttl {
        Some(ttl) => builder.ttl(ttl),
        None => builder,
    }
}

mod memory {
    use super::*;

    fn open(setup: &Setup) -> Store<u64, String> {
        let max_entries = setup.max_entries;
        rooted(|dir| builder(dir, setup, Backend::Memory).max_entries(max_entries).open().unwrap())
    }

    conformance!(open);
    conformance_of_keys!(ucache("keys").backend(Backend::Memory).open::<_, u32>().unwrap());
}

/// Limited by bytes on disk, and in memory to less than that.
#[cfg(any(feature = "disk", feature = "shared", feature = "file"))]
fn behind_memory(setup: &Setup, backend: Backend, overhead: usize) -> Store<u64, String> {
    let max_bytes = (setup.max_entries * (ENTRY_BYTES + overhead + 8)) as u64;
    let store = rooted(|dir| builder(dir, setup, backend).max_entries(50).max_bytes(max_bytes).open().unwrap());
    assert!(max_bytes == 0 || setup.ttl.is_some_and(|ttl| ttl.is_zero()) || store.store.backend() == backend);
    store
}

#[cfg(feature = "shared")]
mod shared {
    use super::*;
    conformance!(|setup: &Setup| behind_memory(setup, Backend::Shared, 64));
    conformance_of_keys!(rooted(|dir| ucache("keys").dir(dir.path()).open::<_, u32>().unwrap()));
}

#[cfg(feature = "disk")]
mod disk {
    use super::*;
    conformance!(|setup: &Setup| behind_memory(setup, Backend::Disk, 40));
    conformance_of_keys!(rooted(|dir| {
        ucache("keys").dir(dir.path()).backend(Backend::Disk).open::<_, u32>().unwrap()
    }));
}

#[cfg(feature = "file")]
mod file {
    use twat_cache_core::among::system::block_size;
    use twat_cache_core::testing::volatile_dir;

    use super::*;

    fn open(setup: &Setup) -> Store<u64, String> {
        // Whole blocks count.
        let block = usize::try_from(block_size(volatile_dir().path())).unwrap();
        behind_memory(setup, Backend::File, block - ENTRY_BYTES - 8)
    }

    conformance!(open);
}

/// Each store has a name of its own on one server.
#[cfg(feature = "remote")]
mod remote {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    use twat_cache_core::testing::Server;

    use super::*;

    static SERVER: LazyLock<Option<Server>> = LazyLock::new(Server::start);

    /// Whether there is one; if not, that is said for each test.
    fn has_server() -> bool {
        SERVER.is_some() || Server::start().is_some()
    }

    /// On the server, in front of a memory that is too small for most.
    fn named() -> UnifiedBuilder {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = format!("cache {}", COUNT.fetch_add(1, Ordering::Relaxed));
        match &*SERVER {
            Some(server) => ucache(name).server(server.url()).max_entries(2),
            None => ucache(name).backend(Backend::Memory),
        }
    }

    fn open(setup: &Setup) -> UnifiedStore<u64, String> {
        let builder = named().clock(setup.clock.clone());
        let builder = setup.ttl.into_iter().fold(builder, UnifiedBuilder::ttl);
        let builder = setup.stale.into_iter().fold(builder, UnifiedBuilder::stale);
        if setup.max_entries == 0 { builder.max_bytes(0).open().unwrap() } else { builder.open().unwrap() }
    }

    conformance!(unlimited open, if has_server());
    twat_cache_core::conformance_of_stale!(open, if has_server());
    conformance_of_keys!(named().open::<_, u32>().unwrap());
}
