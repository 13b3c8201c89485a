//! Random programs get the results of the function, through any number of reopenings.

use std::path::Path;

use twat_cache_core::testing::twin::{TTL, Twin};
use twat_cache_core::testing::volatile_dir;
use twat_cache_shared::{Memo, SharedFallback, scache};

fn open<F: Fn(&u64) -> String>(dir: &Path, twin: &Twin, function: F) -> Memo<SharedFallback<String>, F> {
    scache("twin").dir(dir).ttl(TTL).clock(twin.clock()).max_bytes(1 << 20).wrap(function)
}

#[test]
fn a_random_program_that_reopens_the_store_gets_the_results_of_the_function() {
    for seed in 1..=30 {
        let dir = volatile_dir();
        let mut twin = Twin::new(seed);
        let world = twin.world.clone();
        let function = |n: &u64| world.text(*n);
        let mut memos = [(); 2].map(|()| open(dir.path(), &twin, function));
        for _ in 0..300 {
            // Two memos of one name are one cache.
            let which = twin.random.index(2);
            twin.step(&memos[which], function, Memo::call);
            if twin.random.below(10) == 0 {
                memos[which] = open(dir.path(), &twin, function);
            }
            if twin.random.below(50) == 0 {
                drop(memos);
                memos = [(); 2].map(|()| open(dir.path(), &twin, function));
            }
        }
        assert!(memos.iter().all(|memo| !memo.store().has_switched()));
    }
}
