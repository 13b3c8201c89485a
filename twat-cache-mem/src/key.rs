//! Keys as the engine has them, and arguments as it looks them up: hashed once for the shard and for its table.

use std::any::Any;
use std::ffi::OsStr;
use std::hash::{BuildHasher, Hash, Hasher};
use std::path::PathBuf;
use std::sync::LazyLock;

use quick_cache::{DefaultHashBuilder, Equivalent};
use twat_cache_core::Args;

/// A key as the engine has it.
#[derive(Clone, Debug)]
pub struct Key<K>(pub K);

/// As [`Args::matches`] has it: paths are compared by their bytes.
impl<K: Eq + 'static> PartialEq for Key<K> {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        let [one, other] = [&self.0, &other.0];
        one == other && path(one) == path(other)
    }
}

impl<K: Eq + 'static> Eq for Key<K> {}

/// For any other type this is nothing when it is compiled.
#[inline]
fn path<K: 'static>(key: &K) -> Option<&OsStr> {
    (key as &dyn Any).downcast_ref::<PathBuf>().map(|path| path.as_os_str())
}

/// One for all stores, seeded at random, because a key does not know its store.
pub(crate) static HASHER: LazyLock<DefaultHashBuilder> = LazyLock::new(DefaultHashBuilder::default);

impl<K: Hash> Hash for Key<K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(HASHER.hash_one(&self.0));
    }
}

/// Arguments as they are looked up: borrowed, and hashed once for the shard and its table.
pub(crate) struct Lookup<'a, A: ?Sized> {
    pub(crate) key: &'a A,
    pub(crate) hash: u64,
}

impl<'a, A: Hash + ?Sized> Lookup<'a, A> {
    /// For all but hits. It hashes through `dyn`, so that hits have the only use of the fast code, which is then inlined.
    pub(crate) fn rare(key: &'a A) -> Self {
        let mut hasher = HASHER.build_hasher();
        key.hash(&mut (&mut hasher as &mut dyn Hasher));
        Self { key, hash: hasher.finish() }
    }
}

impl<A: ?Sized> Hash for Lookup<'_, A> {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl<A: Args<Owned = K> + ?Sized, K> Equivalent<Key<K>> for Lookup<'_, A> {
    #[inline]
    fn equivalent(&self, owned: &Key<K>) -> bool {
        self.key.matches(&owned.0)
    }
}

/// A hasher of numbers that are hashes already.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Hashed(u64);

impl Hasher for Hashed {
    #[inline]
    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |hash, byte| hash.rotate_left(8) ^ u64::from(*byte));
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }
}
