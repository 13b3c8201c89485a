use std::hash::Hash;
use std::path::PathBuf;
use std::time::Duration;

use super::{Trust, default_directory};
use crate::{Expiry, KeyHash, Namespace};

/// The options of every cache that outlives the process. All values are legal.
///
/// The builders of `bcache`, `fcache` and `ucache` contain these options. The builder of your own store can, too:
///
/// ```
/// use twat_cache_core::persist::Options;
///
/// let options = Options { max_bytes: 1 << 20, ..Options::new("thumbnails", 1 << 30) };
/// assert!(options.keeps());
/// ```
#[derive(Clone, Debug)]
pub struct Options {
    /// The name of the cache: any string. Caches with the same directory, name, version and type share their results.
    pub name: String,
    /// The cache directory; `None` for the [default](default_directory).
    pub dir: Option<PathBuf>,
    /// The digest of the user's version.
    pub version: Option<KeyHash>,
    /// The limit in bytes, of values with their keys and headers. With 0, no result is stored.
    pub max_bytes: u64,
    /// How long entries stay valid.
    pub expiry: Expiry,
    /// Which cache directories are used.
    pub trust: Trust,
    /// How long a caller waits for another caller's computation, see [`Memo::patience`](crate::Memo::patience).
    pub patience: Option<Duration>,
}

impl Options {
    /// Makes options with this name and limit. Entries never expire, and all other options have their defaults.
    pub fn new(name: impl Into<String>, max_bytes: u64) -> Self {
        Self {
            name: name.into(),
            dir: None,
            version: None,
            max_bytes,
            expiry: Expiry::default(),
            trust: Trust::default(),
            patience: None,
        }
    }

    /// Sets the version. Results of another version are not found.
    pub fn set_version(&mut self, version: impl Hash) {
        // The secret of the directory is not known yet. `versioned` adds it.
        self.version = Some(Namespace::from_secret([0; 16]).digest(&version));
    }

    /// Returns whether the cache stores results at all: the limit and the TTL are not zero.
    #[inline]
    pub fn keeps(&self) -> bool {
        self.max_bytes > 0 && self.expiry.ttl != Some(Duration::ZERO)
    }

    /// The absolute path of the cache directory; `None` if the default directory cannot be determined.
    pub fn root(&self) -> Option<PathBuf> {
        let dir = self.dir.clone().or_else(|| default_directory().ok())?;
        // A relative path would change its meaning with the process's working directory.
        Some(std::path::absolute(&dir).unwrap_or(dir))
    }

    /// The namespace of this name, in the namespace of the directory.
    pub fn named(&self, root: &Namespace) -> Namespace {
        root.with("name", &self.name)
    }

    /// The namespace of this name and version, in the namespace of the directory.
    pub fn versioned(&self, root: &Namespace) -> Namespace {
        let versioned = self.named(root).with("version", &self.version);
        // A deadline does not tell how much of it is stale.
        self.expiry.stale.map_or(versioned, |stale| versioned.with("stale", &stale))
    }
}
