//! Types that a generic function cannot be called with.

use twat_cache::{bcache, mcache};

#[derive(PartialEq)]
struct NoTraits;

#[mcache]
fn same<T: PartialEq>(value: T) -> Option<T> {
    Some(value)
}

#[bcache]
fn first<T: Default>(n: u32) -> (u32, T) {
    (n, T::default())
}

fn main() {
    let _ = same(NoTraits);
    let _ = first::<std::path::PathBuf>(1);
}
