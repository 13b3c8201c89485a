//! Scenario 8: random programs see what the function gives, through any number of reopenings.

use std::cell::Cell;
use std::time::Duration;

use twat_cache_core::testing::checks::Random;
use twat_cache_disk::{Clock, DiskFallback, ManualClock, Memo, bcache};

fn open<F: Fn(&u64) -> String>(dir: &std::path::Path, clock: Clock, function: F) -> Memo<DiskFallback<String>, F> {
    bcache("twin").dir(dir).ttl(TTL).clock(clock).max_bytes(1 << 20).wrap(function)
}

const TTL: Duration = Duration::from_secs(60);

#[test]
fn a_random_program_that_reopens_the_store_sees_what_the_function_gives() {
    for seed in 1..=10 {
        let mut random = Random(seed << 32 | 0x9E37_79B9);
        let dir = tempfile::tempdir().unwrap();
        let (world, hand) = (Cell::new(0_u64), ManualClock::new());
        let function = |n: &u64| format!("{n} in world {}", world.get());
        let mut memo = open(dir.path(), hand.clock(), function);
        let mut known: [Option<String>; 8] = Default::default();
        for _ in 0..300 {
            let key = random.below(8);
            let slot = usize::try_from(key).unwrap();
            match random.below(20) {
                0..8 => {
                    let expected = known[slot].clone().unwrap_or_else(|| function(&key));
                    assert_eq!(memo.call(&key), expected);
                    known[slot] = Some(expected);
                }
                8..10 => assert_eq!(memo.peek(&key).unwrap(), known[slot]),
                10..12 => assert_eq!(memo.forget(&key).unwrap(), known[slot].take().is_some()),
                12..14 => {
                    assert_eq!(memo.refresh(&key), function(&key));
                    known[slot] = Some(function(&key));
                }
                14..16 => world.set(world.get() + 1),
                16 => {
                    memo.clear().unwrap();
                    known = Default::default();
                }
                17 => {
                    hand.advance(TTL);
                    known = Default::default();
                }
                _ => {
                    assert_eq!(memo.len().unwrap(), known.iter().flatten().count());
                    drop(memo);
                    memo = open(dir.path(), hand.clock(), function);
                }
            }
        }
        assert!(!memo.store().has_switched());
    }
}
