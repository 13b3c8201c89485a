//! What a function cannot depend on.

use twat_cache::bcache;

struct NoTraits;

#[bcache(depends(NoTraits))]
fn on_a_type(n: u32) -> u32 {
    n
}

#[bcache(depends(Option<NoTraits>, on_a_type))]
fn on_a_type_inside(n: u32) -> u32 {
    n
}

fn main() {}
