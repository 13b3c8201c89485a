//! Attributes on what is no function, or has no body.

use twat_cache::{bcache, mcache};

#[mcache]
struct Thing;

trait Named {
    #[bcache]
    fn name(&self) -> String;
}

#[mcache]
mod inner {}

#[mcache]
impl Thing {}

fn main() {}
