//! A store that has something with it.

use crate::{KeyedStore, Store, ViewStore};

/// A store, and what must stay as long as it: its directory, say.
#[derive(Debug)]
pub struct Rooted<S, D> {
    // Dropped in this order.
    /// The store.
    pub store: S,
    /// What goes with it.
    pub root: D,
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
