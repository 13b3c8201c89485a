use std::fmt;
use std::hash::{Hash, Hasher};
use std::path::Path;
use std::sync::OnceLock;

use siphasher::sip128::SipHasher13;

use super::args::Args;
use super::key::{KeyHash, KeyHasher, Recorded, is_type};

/// The key of digests: a secret, and all properties that distinguish one cache from another.
///
/// Two caches that differ in any property never find each other's entries.
///
/// ```
/// use twat_cache_core::Namespace;
///
/// let directory = Namespace::from_secret([7; 16]);
/// let thumbnails = directory.with("name", "thumbnails").with("version", &(320, 240));
/// let previews = directory.with("name", "previews").with("version", &(320, 240));
/// assert_ne!(thumbnails.digest("cat.jpg"), previews.digest("cat.jpg"));
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Namespace {
    secret: (u64, u64),
}

impl Namespace {
    /// Makes the namespace of a stored secret, for example that of a cache directory.
    pub const fn from_secret(secret: [u8; 16]) -> Self {
        Self::from_number(u128::from_le_bytes(secret))
    }

    /// Makes the namespace of a [random secret](Self::random_secret).
    pub fn random() -> Self {
        Self::from_secret(Self::random_secret())
    }

    /// Makes a random secret, for [`from_secret`](Self::from_secret).
    ///
    /// It asks the system for random bytes. If the system has none, it uses the seed of `std`'s hash maps.
    pub fn random_secret() -> [u8; 16] {
        let mut secret = [0; 16];
        if getrandom::fill(&mut secret).is_err() {
            use std::hash::{BuildHasher, RandomState};
            for half in secret.chunks_exact_mut(8) {
                half.copy_from_slice(&RandomState::new().hash_one(std::process::id()).to_le_bytes());
            }
        }
        secret
    }

    /// Returns the random namespace of this process. It is the same for all callers, and is not stored.
    pub fn process() -> Self {
        static PROCESS: OnceLock<Namespace> = OnceLock::new();
        *PROCESS.get_or_init(Self::random)
    }

    /// Returns the namespace within this one in which the property `part` has this value. The order of properties
    /// matters.
    pub fn with<T: Hash + ?Sized>(&self, part: &str, value: &T) -> Self {
        let mut hasher = self.hasher();
        part.hash(&mut hasher);
        value.hash(&mut hasher);
        Self::from_number(hasher.finish128().0)
    }

    /// The digest of a call's arguments. A path is hashed by its bytes.
    #[inline]
    pub fn digest_of<A: Args + ?Sized>(&self, arguments: &A) -> KeyHash {
        let mut hasher = self.hasher();
        arguments.hash_exactly(&mut hasher);
        hasher.finish128()
    }

    /// The digest of the arguments that were recorded, as [`digest_of`](Self::digest_of) gives it.
    #[doc(hidden)]
    pub fn digest_of_recorded(&self, recorded: &Recorded) -> KeyHash {
        let mut hasher = self.hasher();
        // Without the length, which `KeyHasher` would add.
        hasher.0.write(&recorded.0);
        hasher.finish128()
    }

    /// The digest of any value. A path is hashed by its components and its length, unless it is an argument in a
    /// [`Call`](crate::Call).
    #[inline]
    pub fn digest<K: Hash + ?Sized>(&self, key: &K) -> KeyHash {
        let mut hasher = self.hasher();
        key.hash(&mut hasher);
        // `std` hashes `/etc` and `etc` alike.
        if is_type::<K, Path>() {
            hasher.write_usize(size_of_val(key));
        }
        hasher.finish128()
    }

    /// A public number of the namespace. It does not reveal the secret.
    pub fn id(&self) -> u64 {
        self.with("id", "").hasher().finish()
    }

    #[inline]
    fn hasher(&self) -> KeyHasher {
        KeyHasher(SipHasher13::new_with_keys(self.secret.0, self.secret.1))
    }

    #[expect(clippy::cast_possible_truncation, reason = "two halves")]
    const fn from_number(secret: u128) -> Self {
        Self { secret: (secret as u64, (secret >> 64) as u64) }
    }
}

impl fmt::Debug for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Must not show the secret.
        write!(f, "Namespace({:016x})", self.id())
    }
}
