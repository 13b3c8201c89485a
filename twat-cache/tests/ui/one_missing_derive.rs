//! One missing derive is one error, though the key is used in many places.

use twat_cache::mcache;

#[derive(Clone, PartialEq, Eq)]
struct NoHash;

#[mcache]
fn free(good: u32, bad: &NoHash) -> u32 {
    let _ = bad;
    good
}

fn main() {
    free(1, &NoHash);
}
