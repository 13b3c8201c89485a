use std::hash::Hash;
use std::path::PathBuf;
use std::time::Duration;

use super::{Trust, default_directory};
use crate::{Expiry, KeyHash, Namespace};

/// What every cache can be told that outlives the process. All values are legal.
///
/// The builders of `bcache`, `fcache` and `ucache` are made of these, and so may be the builder of a store of your own:
///
/// ```
/// use twat_cache_core::persist::Options;
///
/// let options = Options { max_bytes: 1 << 20, ..Options::new("thumbnails", 1 << 30) };
/// assert!(options.keeps());
/// ```
#[derive(Clone, Debug)]
pub struct Options {
    /// Any string. Caches of one directory, name, version and type share their results.
    pub name: String,
    /// The cache directory; `None` is the [default](default_directory).
    pub dir: Option<PathBuf>,
    /// The digest of what the user has given as the version.
    pub version: Option<KeyHash>,
    /// The limit in bytes, with what is kept beside a value; 0 keeps nothing.
    pub max_bytes: u64,
    /// How long entries live.
    pub expiry: Expiry,
    /// Whose cache directories are used.
    pub trust: Trust,
    /// How long a caller waits for another's computation, see [`Memo::patience`](crate::Memo::patience).
    pub patience: Option<Duration>,
}

impl Options {
    /// Under this name and limit, in the default directory, for ever.
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

    /// Sets results apart that were made in another way.
    pub fn set_version(&mut self, version: impl Hash) {
        // The secret of the directory is not known yet, and joins in later.
        self.version = Some(Namespace::from_secret([0; 16]).digest(&version));
    }

    /// Whether anything is kept at all.
    #[inline]
    pub fn keeps(&self) -> bool {
        self.max_bytes > 0 && self.expiry.ttl != Some(Duration::ZERO)
    }

    /// The cache directory; `None` if there is no place for one on this system.
    pub fn root(&self) -> Option<PathBuf> {
        let dir = self.dir.clone().or_else(|| default_directory().ok())?;
        // Of a relative one the meaning must not change with the process's directory.
        Some(std::path::absolute(&dir).unwrap_or(dir))
    }

    /// The namespace of the name in that of its directory.
    pub fn named(&self, root: &Namespace) -> Namespace {
        root.with("name", &self.name)
    }

    /// The namespace of the version in that of its directory.
    pub fn versioned(&self, root: &Namespace) -> Namespace {
        self.named(root).with("version", &self.version)
    }
}
