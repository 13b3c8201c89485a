//! Results that the next run finds: run `cargo run --example database --features disk` twice.

use std::time::Instant;

use twat_cache::bcache;

/// How many numbers below `limit` are prime, the slow way.
fn primes_below(limit: u64) -> u64 {
    (2..limit).filter(|n| (2..*n).take_while(|d| d * d <= *n).all(|d| n % d != 0)).count() as u64
}

fn main() {
    // The name and the version find the results again. A new version starts anew.
    let primes = bcache("primes").version(1).wrap(|limit: &u64| primes_below(*limit));

    for limit in [10_000, 100_000, 1_000_000] {
        let was_there = primes.peek(&limit).is_ok_and(|found| found.is_some());
        let start = Instant::now();
        let count = primes.call(&limit);
        let how = if was_there { "found" } else { "computed" };
        println!("{count} primes below {limit}: {how} in {:?}", start.elapsed());
    }
    println!("the results are in {}", primes.store().path().display());
}
