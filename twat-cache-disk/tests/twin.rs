//! Scenario 8: random programs get the results of the function, through any number of reopenings.

use std::path::Path;

use twat_cache_core::testing::twin::{TTL, Twin};
use twat_cache_disk::{DiskFallback, Memo, bcache};

fn open<F: Fn(&u64) -> String>(dir: &Path, twin: &Twin, function: F) -> Memo<DiskFallback<String>, F> {
    bcache("twin").dir(dir).ttl(TTL).clock(twin.clock()).max_bytes(1 << 20).wrap(function)
}

#[test]
fn a_random_program_that_reopens_the_store_gets_the_results_of_the_function() {
    for seed in 1..=10 {
        let dir = tempfile::tempdir().unwrap();
        let mut twin = Twin::new(seed);
        let world = twin.world.clone();
        let function = |n: &u64| world.text(*n);
        let mut memo = open(dir.path(), &twin, function);
        for _ in 0..300 {
            twin.step(&memo, function, Memo::call);
            if twin.random.below(10) == 0 {
                assert_eq!(memo.len().unwrap(), twin.known());
                drop(memo);
                memo = open(dir.path(), &twin, function);
            }
        }
        assert!(!memo.store().has_switched());
    }
}
