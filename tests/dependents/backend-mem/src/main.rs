//! `twat-cache-mem` alone: a program needs no other crate to use it.

#![forbid(unsafe_code)]
#![deny(warnings, missing_docs, clippy::pedantic)]

use std::sync::atomic::{AtomicUsize, Ordering};

use twat_cache_mem::{Call, Error, KeyedStore, MemStore, Memo, Store, mcache};

/// A struct with a memo, so the memo's type must be written.
struct Shapes {
    areas: Memo<MemStore<(String, u32), u32>, Area>,
}

type Area = fn(&Call<(&str, &u32)>) -> u32;

static COMPUTED: AtomicUsize = AtomicUsize::new(0);

fn area(Call((shape, side)): &Call<(&str, &u32)>) -> u32 {
    COMPUTED.fetch_add(1, Ordering::Relaxed);
    if *shape == "square" { *side * *side } else { 0 }
}

fn main() -> Result<(), Error> {
    let shapes = Shapes { areas: mcache().max_entries(10).wrap(area) };
    for _ in 0..3 {
        assert_eq!(shapes.areas.call(&Call(("square", &3))), 9);
    }
    assert_eq!(COMPUTED.load(Ordering::Relaxed), 1);
    assert_eq!(shapes.areas.len()?, 1);

    // The limit is a weight: ten entries of a hundred bytes fit, and twenty do not.
    let zeros =
        mcache().weigher(1000, |_: &usize, bytes: &Vec<u8>| bytes.len() as u64).wrap(|n: &usize| vec![0_u8; *n]);
    (100..120).for_each(|len| assert_eq!(zeros.call(&len).len(), len));
    assert!((1..10).contains(&zeros.len()?));

    // The bare store, without a function.
    let store: MemStore<String, u8> = mcache().open();
    store.insert("one", &1)?;
    assert_eq!(store.get("one")?, Some(1));
    assert_eq!(store.len()?, 1);
    Ok(())
}
