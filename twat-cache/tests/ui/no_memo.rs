//! Where there is no memo to give, and no companion.

use twat_cache::{bcache, mcache};

#[mcache(memo = free_memo)]
fn free(n: u32) -> u32 {
    n
}

#[mcache(memo = generic_memo)]
fn generic<T: Clone>(n: T) -> T {
    n
}

#[bcache(companion = generic_cache)]
fn generic_with_a_companion<const N: usize>(n: [u8; N]) -> [u8; N] {
    n
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Of<T>(T);

impl<T: Clone + std::hash::Hash + Eq + Send + Sync + 'static> Of<T> {
    #[mcache(memo = option_memo)]
    fn option(&self, n: u32) -> Option<T> {
        (n > 0).then(|| self.0.clone())
    }
}

trait Priced {
    fn price(&self) -> u32;
}

impl Priced for Of<u8> {
    #[mcache(memo = price_memo)]
    fn price(&self) -> u32 {
        self.0.into()
    }
}

fn main() {}
