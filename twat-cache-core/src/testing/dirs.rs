//! Temporary directories, and stores that own one.

use tempfile::TempDir;

use crate::{KeyedStore, Store, ViewStore};

/// A new directory in memory, where the system has such a thing: for what is done hundreds of times and need not reach a
/// disk.
pub fn volatile_dir() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// A store, and what must live as long as it: its directory, for example.
#[derive(Debug)]
pub struct Rooted<S, D = TempDir> {
    // Dropped in this order.
    /// The store.
    pub store: S,
    /// What belongs to it.
    pub root: D,
}

/// A store in a new directory in memory.
pub fn rooted<S>(open: impl FnOnce(&TempDir) -> S) -> Rooted<S> {
    let root = volatile_dir();
    Rooted { store: open(&root), root }
}

impl<S: Store, D: Send + Sync> Store for Rooted<S, D> {
    type Value = S::Value;

    crate::__forward_0_1!(Store, |this| this.store);
}

impl<K: ?Sized, S: KeyedStore<K>, D: Send + Sync> KeyedStore<K> for Rooted<S, D> {
    crate::__forward_0_1!(KeyedStore<K>, |this| this.store);
}

impl<K: ?Sized, S: ViewStore<K>, D: Send + Sync> ViewStore<K> for Rooted<S, D> {
    type View = S::View;

    crate::__forward_0_1!(ViewStore<K>, |this| this.store);
}
