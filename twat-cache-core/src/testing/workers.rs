//! Threads that do anything at once.

use std::thread;
use std::time::{Duration, Instant};

use super::random::Random;
use super::time::soak;

/// Has four threads do this over and over: for a few seconds, or for as long as `TWAT_CACHE_TEST_SECONDS` says, and each of
/// them at least this often, however slow the machine is.
pub fn in_four_threads(seed: u64, least: u64, act: impl Fn(&mut Random) + Sync) {
    let until = Instant::now() + Duration::from_secs(soak("TWAT_CACHE_TEST_SECONDS", 2));
    thread::scope(|scope| {
        for thread in 0..4 {
            let (act, mut random) = (&act, Random(seed * 10 + thread));
            scope.spawn(move || {
                for acts in 0.. {
                    if acts >= least && Instant::now() >= until {
                        break;
                    }
                    act(&mut random);
                }
            });
        }
    });
}
