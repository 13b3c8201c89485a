//! A hit allocates nothing, with any arguments.

use std::path::Path;

use counting::allocations;
use twat_cache_mem::{Call, mcache};

twat_cache_core::counting_allocator!();

#[test]
fn a_hit_allocates_nothing() {
    let number = mcache().wrap(|n: &u64| n * 2);
    assert_eq!(allocations(|| number.call(&1)), 0);

    let text = mcache().wrap(|s: &str| s.len());
    assert_eq!(allocations(|| text.call("a string of some length")), 0);

    let path = mcache().wrap(|p: &Path| p.components().count());
    assert_eq!(allocations(|| path.call(Path::new("a/b/c"))), 0);

    let slice = mcache().wrap(|s: &[u64]| s.iter().sum::<u64>());
    assert_eq!(allocations(|| slice.call(&[1, 2, 3])), 0);

    let several = mcache().wrap(|Call((s, n)): &Call<(&str, &u32)>| s.len() as u64 + u64::from(**n));
    assert_eq!(allocations(|| several.call(&Call(("a string of some length", &7)))), 0);

    // The counter works.
    assert!(allocations(|| String::from("x")) >= 100);
}
