//! Types of arguments that are no keys. In an `impl`, where the compiler says so only a few times.

use std::collections::HashMap;

use twat_cache::mcache;

#[derive(Clone, PartialEq, Eq)]
struct NoHash;

impl NoHash {
    #[mcache(skip(self))]
    fn argument(&self, good: u32, bad: &NoHash) -> u32 {
        let _ = bad;
        good
    }

    #[mcache(skip(self))]
    fn map(&self, numbers: HashMap<String, f64>) -> usize {
        numbers.len()
    }

    #[mcache]
    fn receiver(&self, n: u32) -> u32 {
        n
    }
}

fn main() {}
