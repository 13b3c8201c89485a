//! Keys as the engine has them, and arguments as it looks them up. One hash serves to find the shard and the entry in it.

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

/// As [`Args::matches`] compares: paths by their bytes.
impl<K: Eq + 'static> PartialEq for Key<K> {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        let [one, other] = [&self.0, &other.0];
        one == other && path(one) == path(other)
    }
}

impl<K: Eq + 'static> Eq for Key<K> {}

/// For any other type, the compiler removes this.
#[inline]
fn path<K: 'static>(key: &K) -> Option<&OsStr> {
    (key as &dyn Any).downcast_ref::<PathBuf>().map(|path| path.as_os_str())
}

/// One for all stores, because a key does not know its store. Its seed is random.
pub(crate) static HASHER: LazyLock<DefaultHashBuilder> = LazyLock::new(DefaultHashBuilder::default);

impl<K: Hash> Hash for Key<K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(HASHER.hash_one(&self.0));
    }
}

/// Arguments for a lookup: borrowed, with their hash.
pub(crate) struct Lookup<'a, A: ?Sized> {
    pub(crate) key: &'a A,
    pub(crate) hash: u64,
}

impl<'a, A: Hash + ?Sized> Lookup<'a, A> {
    /// For everything but hits. It hashes through `dyn`: so hits are the only callers of the fast code, and the compiler
    /// inlines it there.
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

/// The engine's hasher. What it gets is a hash already.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hashed(u64);

impl Hasher for Hashed {
    #[inline]
    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    // Neither `Key` nor `Lookup` calls this.
    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |hash, byte| hash.rotate_left(8) ^ u64::from(*byte));
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }
}
