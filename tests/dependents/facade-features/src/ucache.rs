//! `ucache` with any set of backends: it needs the same bounds, gives the same values, and uses the best backend.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::atomic::{AtomicUsize, Ordering};

use twat_cache::unified::UnifiedStore;
use twat_cache::{Backend, CacheValue, Call, Error, Memo, ucache};

use self::warnings::warnings;

/// The backend that serves with these features.
const BEST: Backend = if cfg!(feature = "shared") {
    Backend::Shared
} else if cfg!(feature = "disk") {
    Backend::Disk
} else if cfg!(feature = "file") {
    Backend::File
} else {
    Backend::Memory
};

pub(crate) fn check(lasting: usize) -> Result<(), Error> {
    warnings::install();
    let lasting = if BEST == Backend::Memory { 1 } else { lasting };
    any_value("place", &("Ulm".to_owned(), HashMap::from([("Augsburg".to_owned(), 70_u32)])), lasting);
    any_value("number", &7_u64, lasting);
    any_value("pieces", &vec![(Some("a".to_owned()), [1_u8; 3])], lasting);
    functions_that_fail(lasting)?;
    assert_eq!(warnings(), 0);

    // Where a server is named, that is the best.
    if !cfg!(feature = "remote") || std::env::var_os("TWAT_CACHE_SERVER").is_none() {
        asked_for(Backend::Auto, BEST);
    }
    asked_for(Backend::Memory, Backend::Memory);
    // No other backend takes the place of one that is not compiled in.
    for (backend, is_there) in [
        (Backend::Shared, cfg!(feature = "shared")),
        (Backend::Disk, cfg!(feature = "disk")),
        (Backend::File, cfg!(feature = "file")),
    ] {
        asked_for(backend, if is_there { backend } else { Backend::Memory });
    }
    Ok(())
}

/// The bounds on a value do not depend on the features.
fn any_value<V>(name: &str, value: &V, lasting: usize)
where
    V: CacheValue + Clone + Send + Sync + PartialEq + Debug,
{
    let computed = AtomicUsize::new(0);
    let memo = cached(name, |Call((_, _)): &Call<(&str, &[u16])>| {
        computed.fetch_add(1, Ordering::Relaxed);
        value.clone()
    });
    for _ in 0..3 {
        assert_eq!(memo.call(&Call(("key", &[1, 2]))), *value);
    }
    assert_eq!(computed.load(Ordering::Relaxed), lasting, "{name}");
    assert_eq!(memo.store().backend(), BEST);
}

/// A generic function with the bounds of `ucache`.
fn cached<V, F>(name: &str, function: F) -> Memo<UnifiedStore<(String, Vec<u16>), V>, F>
where
    V: CacheValue + Clone + Send + Sync,
    F: Fn(&Call<(&str, &[u16])>) -> V,
{
    ucache(name).backend(BEST).max_entries(100).max_bytes(1 << 20).wrap(function)
}

fn functions_that_fail(lasting: usize) -> Result<(), Error> {
    let computed = AtomicUsize::new(0);
    let number = ucache("numbers").version("1").try_wrap(|text: &str| {
        computed.fetch_add(1, Ordering::Relaxed);
        text.parse::<u64>()
    });
    for _ in 0..3 {
        assert_eq!(number.try_call("42"), Ok(42));
    }
    assert_eq!(computed.load(Ordering::Relaxed), lasting);
    assert!(number.try_call("many").is_err());
    assert_eq!(number.len()?, 1);
    Ok(())
}

/// It works with any requested backend. If memory serves instead, the log has one warning.
fn asked_for(backend: Backend, serving: Backend) {
    let before = warnings();
    let computed = AtomicUsize::new(0);
    let square = ucache(format!("asked for {backend}")).backend(backend).wrap(|n: &u64| {
        computed.fetch_add(1, Ordering::Relaxed);
        n * n
    });
    for n in [1, 2, 3, 1, 2, 3] {
        assert_eq!(square.call(&n), n * n);
    }
    assert!(computed.load(Ordering::Relaxed) <= 3);
    assert_eq!(square.store().backend(), serving);
    let is_replaced = backend != Backend::Auto && backend != serving;
    assert_eq!(warnings() - before, usize::from(is_replaced), "asked for {backend}");
}

/// A logger that counts warnings.
mod warnings {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use log::{Level, LevelFilter, Log, Metadata, Record};

    static WARNINGS: AtomicUsize = AtomicUsize::new(0);

    pub(super) fn warnings() -> usize {
        WARNINGS.load(Ordering::Relaxed)
    }

    pub(super) fn install() {
        log::set_logger(&Counting).expect("there is no other");
        log::set_max_level(LevelFilter::Warn);
    }

    struct Counting;

    impl Log for Counting {
        fn enabled(&self, metadata: &Metadata<'_>) -> bool {
            metadata.level() == Level::Warn && metadata.target() == "twat_cache"
        }

        fn log(&self, record: &Record<'_>) {
            if self.enabled(record.metadata()) {
                WARNINGS.fetch_add(1, Ordering::Relaxed);
            }
        }

        fn flush(&self) {}
    }
}
