//! Results that all machines share: run `TWAT_CACHE_SERVER=redis://127.0.0.1/ cargo run --example remote --features remote` in two
//! terminals, on one machine or two.

use std::thread;
use std::time::{Duration, Instant};

use twat_cache::rcache;

fn main() {
    // Of the processes that want the same result at the same time, one computes it, and the others wait for it.
    let area = rcache("areas").version(1).ttl(Duration::from_secs(60)).wrap(|radius: &u64| {
        thread::sleep(Duration::from_secs(2)); // the slow part
        radius * radius * 355 / 113
    });

    for radius in 1..=5 {
        let start = Instant::now();
        let found = area.call(&radius);
        println!("a circle of radius {radius} has an area of {found}, after {:?}", start.elapsed());
    }
    // Without a server, memory.
    println!("the results are kept by {}", area.describe());
}
