//! Results that all processes of this machine share: run `cargo run --example shared --features shared` in two terminals.

use std::thread;
use std::time::{Duration, Instant};

use twat_cache::scache;

fn main() {
    // Of the processes that want the same result at the same time, one computes it, and the others wait for it.
    let area = scache("areas").version(1).ttl(Duration::from_secs(60)).wrap(|radius: &u64| {
        thread::sleep(Duration::from_secs(2)); // the slow part
        radius * radius * 355 / 113
    });

    for radius in 1..=5 {
        let start = Instant::now();
        let found = area.call(&radius);
        println!("a circle of radius {radius} has an area of {found}, after {:?}", start.elapsed());
    }
    println!("the results are in {}", area.store().path().display());
}
