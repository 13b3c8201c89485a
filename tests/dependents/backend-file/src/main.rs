//! `twat-cache-file` alone. It caches values of a type that this program defines. The second run finds them and reads
//! them without a copy.

#![forbid(unsafe_code)]
#![deny(warnings, missing_docs, clippy::pedantic)]

use std::env;
use std::error::Error;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use twat_cache_file::{CacheValue, FileFallback, KeyedStore, Memo, View, fcache};

#[derive(CacheValue, Debug, PartialEq)]
#[cache_value(crate = twat_cache_file)]
struct Index {
    name: String,
    offsets: Vec<u64>,
}

static COMPUTED: AtomicUsize = AtomicUsize::new(0);

type Indexes = Memo<FileFallback<Index>, fn(&Range<u64>) -> Index>;

fn index(range: &Range<u64>) -> Index {
    COMPUTED.fetch_add(1, Ordering::Relaxed);
    Index { name: format!("up to {}", range.end), offsets: range.clone().map(|n| n * n).collect() }
}

fn main() -> Result<(), Box<dyn Error>> {
    let second = env::args().nth(1).as_deref() == Some("second");

    // The cache is in `$TWAT_CACHE_DIR`. Neither views nor calls need a value that is `Clone`.
    let indexes: Indexes = fcache("indexes").wrap(index);
    for _ in 0..3 {
        let view: View<Index> = indexes.view(&(0..100_000));
        assert_eq!(view.name, "up to 100000");
        assert_eq!(view.offsets[3].to_native(), 9);
        assert_eq!(view.offsets.len(), 100_000);
    }
    assert_eq!(indexes.call(&(0..100_000)).offsets.len(), 100_000);
    assert_eq!(COMPUTED.load(Ordering::Relaxed), usize::from(!second));
    assert_eq!(indexes.view(&(0..100_000)).to_value()?, index(&(0..100_000)));

    // The files serve, not their fallback.
    assert!(!indexes.store().has_switched());
    assert!(indexes.describe().contains(&env::var("TWAT_CACHE_DIR")?));

    // A view stays valid after its store is dropped.
    let view = indexes.view(&(0..100_000));
    let store = fcache("bare").open::<u32>()?;
    assert_eq!(store.get("key")?, second.then_some(7));
    store.insert("key", &7)?;
    drop((indexes, store));
    assert_eq!(view.offsets.iter().map(|offset| offset.to_native()).max(), Some(99_999 * 99_999));
    Ok(())
}
