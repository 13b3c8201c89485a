//! Results in memory: `cargo run --example memory`.

use std::thread;
use std::time::{Duration, Instant};

use twat_cache::mcache;

fn main() {
    // Any closure of one argument by reference. Two options: at most 100 results, each valid for a minute.
    let length = mcache().max_entries(100).ttl(Duration::from_secs(60)).wrap(|text: &str| {
        thread::sleep(Duration::from_millis(200)); // the slow part
        text.chars().count()
    });

    for _ in 0..2 {
        let start = Instant::now();
        println!("{} characters, found in {:?}", length.call("a text that takes long to count"), start.elapsed());
    }

    // Ten threads ask for the same new text. One of them computes, and the others wait for it.
    let start = Instant::now();
    thread::scope(|scope| {
        for _ in 0..10 {
            scope.spawn(|| length.call("a text that ten threads ask for"));
        }
    });
    println!("ten calls of a new text took {:?} together", start.elapsed());
    println!("{:?} results are in memory", length.len());
}
