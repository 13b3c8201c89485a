//! The memoised function, once for each wrapper of the library. This is what the tour is about; the rest of it is there
//! to have something worth remembering.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use twat_cache::{Backend, Call, bcache, mcache, ucache};

use crate::signature::{METHOD, Signature, sign};
use crate::sources::Source;

/// A memoised [`sign`], and the name of what remembers.
pub(crate) struct Wrapper {
    pub(crate) name: &'static str,
    pub(crate) sign: Box<Sign>,
    /// What serves, and where.
    pub(crate) describe: Box<dyn Fn() -> String>,
}

type Sign = dyn Fn(&Source) -> io::Result<Arc<Signature>>;

/// All of them, each with room for so many files. Those that outlive the program do so in `dir`, or else where they are
/// by default.
pub(crate) fn wrappers(files: usize, backend: Backend, dir: Option<&Path>) -> Vec<Wrapper> {
    vec![memory(files), disk(dir), anywhere(files, backend, dir)]
}

/// What a signature is remembered under: the file's path, size and modification time, which stand for what is in it. As
/// with `make`, a file that changes within one tick of the file system's clock, and keeps its size, goes unnoticed.
type Key<'a> = Call<(&'a Path, &'a u64, &'a SystemTime)>;

impl Source {
    fn key(&self) -> Key<'_> {
        Call((&self.path, &self.size, &self.modified))
    }
}

/// In memory, where a hit clones the value: so it is shared.
fn memory(files: usize) -> Wrapper {
    // Some room to spare: a cache that is nearly full may drop an entry, and this job comes back to all of them.
    let cache = mcache().max_entries(files.saturating_mul(2));
    let memo = Arc::new(cache.try_wrap(|Call((path, ..)): &Key<'_>| sign(path).map(Arc::new)));
    let described = memo.clone();
    Wrapper {
        name: "mcache",
        sign: Box::new(move |source| memo.try_call(&source.key())),
        describe: Box::new(move || described.describe()),
    }
}

/// In a database: what one run of the program has computed, the next one finds.
fn disk(dir: Option<&Path>) -> Wrapper {
    // A signature made in another way is another result.
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

/// Wherever is best: in memory, and behind it in a database, say.
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
