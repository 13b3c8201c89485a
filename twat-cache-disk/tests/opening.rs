//! Threads that need the database while it is first opened wait for it.

use std::thread;
use std::time::{Duration, Instant};

use twat_cache_core::testing::volatile_dir;
use twat_cache_disk::bcache;

#[test]
fn a_thread_that_comes_while_the_database_is_first_opened_waits_until_it_is_open() {
    let mut last = Duration::from_millis(10);
    for round in 0..40 {
        let dir = volatile_dir();
        let begun = Instant::now();
        // They come one after the other, until it is open.
        thread::scope(|scope| {
            for number in 0..16 {
                let store = bcache("numbers").dir(dir.path()).build::<u64>();
                scope.spawn(move || {
                    thread::sleep((last * number / 16).saturating_sub(begun.elapsed()));
                    store.open().unwrap_or_else(|error| panic!("round {round}, thread {number}: {}", error.chain()));
                });
            }
        });
        last = begun.elapsed();
    }
}
