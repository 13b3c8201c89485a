//! The memoised function, once for each wrapper of the library. This is the main part of the tour; the other modules
//! only provide a job that is worth caching.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use twat_cache::{Backend, Call, bcache, mcache, scache, ucache};

use crate::signature::{METHOD, Signature, sign};
use crate::sources::Source;

/// A memoised [`sign`], and the name of its wrapper.
pub(crate) struct Wrapper {
    pub(crate) name: &'static str,
    pub(crate) sign: Box<Sign>,
    /// Describes the backend in use.
    pub(crate) describe: Box<dyn Fn() -> String>,
}

type Sign = dyn Fn(&Source) -> io::Result<Arc<Signature>>;

/// All wrappers, each with room for `files` files. Those that store on disk use `dir`, or else the default directory.
pub(crate) fn wrappers(files: usize, backend: Backend, dir: Option<&Path>) -> Vec<Wrapper> {
    vec![memory(files), disk(dir), shared(dir), anywhere(files, backend, dir)]
}

/// The key of a signature: the file's path, size and modification time, instead of its contents. As with `make`, a
/// change is missed if it keeps the size and happens within one tick of the file system's clock.
type Key<'a> = Call<(&'a Path, &'a u64, &'a SystemTime)>;

impl Source {
    fn key(&self) -> Key<'_> {
        Call((&self.path, &self.size, &self.modified))
    }
}

/// Caches in memory. A hit clones the value, so the value is an `Arc`.
fn memory(files: usize) -> Wrapper {
    // The capacity is larger than needed, because a nearly full cache may evict an entry, and this job uses all of them
    // again.
    let cache = mcache().max_entries(files.saturating_mul(2));
    let memo = Arc::new(cache.try_wrap(|Call((path, ..)): &Key<'_>| sign(path).map(Arc::new)));
    let described = memo.clone();
    Wrapper {
        name: "mcache",
        sign: Box::new(move |source| memo.try_call(&source.key())),
        describe: Box::new(move || described.describe()),
    }
}

/// Caches in a database. The next run of the program finds these results.
fn disk(dir: Option<&Path>) -> Wrapper {
    // Another version of the algorithm gives other results.
    let cache = bcache("signatures").version(METHOD);
    let cache = if let Some(dir) = dir { cache.dir(dir) } else { cache };
    let memo = Arc::new(cache.try_wrap(|Call((path, ..)): &Key<'_>| sign(path).map(Vec::from)));
    let described = memo.clone();
    Wrapper {
        name: "bcache",
        sign: Box::new(move |source| Ok(Arc::new(memo.try_call(&source.key())?.into()))),
        describe: Box::new(move || described.describe()),
    }
}

/// Caches in a database that other runs of the program use at the same time.
fn shared(dir: Option<&Path>) -> Wrapper {
    let cache = scache("signatures").version(METHOD);
    let cache = if let Some(dir) = dir { cache.dir(dir) } else { cache };
    let memo = Arc::new(cache.try_wrap(|Call((path, ..)): &Key<'_>| sign(path).map(Vec::from)));
    let described = memo.clone();
    Wrapper {
        name: "scache",
        sign: Box::new(move |source| Ok(Arc::new(memo.try_call(&source.key())?.into()))),
        describe: Box::new(move || described.describe()),
    }
}

/// Caches in memory and in the best available backend, for example a database.
fn anywhere(files: usize, backend: Backend, dir: Option<&Path>) -> Wrapper {
    let cache = ucache("signatures, anywhere").version(METHOD).max_entries(files.saturating_mul(2)).backend(backend);
    let cache = if let Some(dir) = dir { cache.dir(dir) } else { cache };
    let memo = Arc::new(cache.try_wrap(|Call((path, ..)): &Key<'_>| sign(path).map(Vec::from)));
    let described = memo.clone();
    Wrapper {
        name: "ucache",
        sign: Box::new(move |source| Ok(Arc::new(memo.try_call(&source.key())?.into()))),
        describe: Box::new(move || described.describe()),
    }
}
