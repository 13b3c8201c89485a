//! Functions of kinds that cannot be remembered.

use twat_cache::{mcache, ucache};

#[mcache]
const fn constant(n: u32) -> u32 {
    n
}

#[mcache]
unsafe fn dangerous(n: u32) -> u32 {
    n
}

#[mcache]
extern "C" fn foreign(n: u32) -> u32 {
    n
}

#[mcache]
fn never(n: u32) -> ! {
    panic!("{n}")
}

#[mcache]
fn bool(n: u32) -> u32 {
    n
}

#[mcache]
fn boxed(n: u32) -> std::pin::Pin<Box<dyn Future<Output = u32>>> {
    Box::pin(async move { n })
}

#[mcache]
#[ucache]
#[twat_cache::bcache]
fn thrice(n: u32) -> u32 {
    n
}

fn main() {
    thrice(1);
}
