//! What a method may change is not remembered.

use twat_cache::mcache;

#[derive(Clone, PartialEq, Eq, Hash)]
struct Counter(u32);

impl Counter {
    #[mcache]
    fn next(&mut self) -> u32 {
        self.0 += 1;
        self.0
    }

    #[mcache]
    fn spelt_out(self: &mut Self) -> u32 {
        self.0
    }
}

fn main() {}
