use std::path::{Path, PathBuf};

use twat_cache_core::persist::{CacheValue, Rkyv};
use twat_cache_core::{Args, Error, Fallback, KeyedStore, Store, ViewStore};

use crate::codec::FileCodec;
use crate::memory::MemoryStore;
use crate::store::FileStore;
use crate::view::View;

/// Results in files, and in memory where files fail. The store of all memos that [`fcache`](crate::fcache) makes.
#[derive(Debug)]
pub struct FileFallback<V, C: FileCodec<V> = Rkyv>(pub(crate) Fallback<FileStore<V, C>, MemoryStore<V, C>>);

impl<V, C: FileCodec<V>> FileFallback<V, C> {
    /// The directory of the files, see [`FileStore::path`].
    pub fn path(&self) -> &Path {
        self.primary().path()
    }

    /// The file of a key's entry, see [`FileStore::path_of`].
    pub fn path_of<K: Args + ?Sized>(&self, key: &K) -> Result<PathBuf, Error> {
        self.primary().path_of(key)
    }

    /// The store in files.
    pub fn primary(&self) -> &FileStore<V, C> {
        self.0.primary()
    }

    /// The memory that serves where files fail.
    pub fn secondary(&self) -> &MemoryStore<V, C> {
        self.0.secondary()
    }

    /// Whether memory has replaced the files for good.
    pub fn has_switched(&self) -> bool {
        self.0.has_switched()
    }
}

impl<V, C: FileCodec<V>> Store for FileFallback<V, C> {
    type Value = V;

    twat_cache_core::__forward_0_1!(Store, |this| this.0);
}

impl<K: Args + ?Sized, V, C: FileCodec<V>> KeyedStore<K> for FileFallback<V, C> {
    twat_cache_core::__forward_0_1!(KeyedStore<K>, |this| this.0);
}

impl<K: Args + ?Sized, V: CacheValue> ViewStore<K> for FileFallback<V> {
    type View = View<V>;

    twat_cache_core::__forward_0_1!(ViewStore<K>, |this| this.0);
}
