//! Results wherever is best: run `cargo run --example best --features full` twice.

use std::thread;
use std::time::{Duration, Instant};

use twat_cache::ucache;

fn main() {
    // Memory in front of a database that all processes of this machine share.
    let price = ucache("prices").try_wrap(|item: &str| match item {
        "tea" | "coffee" => {
            thread::sleep(Duration::from_millis(300)); // the slow part
            Ok(item.len())
        }
        _ => Err(format!("there is no {item}")),
    });

    for item in ["tea", "coffee", "milk", "tea"] {
        let start = Instant::now();
        match price.try_call(item) {
            Ok(price) => println!("{item} costs {price}, after {:?}", start.elapsed()),
            Err(why) => println!("{why}; errors are not remembered"),
        }
    }
    println!("results are kept by {}", price.describe());

    match price.forget("coffee") {
        Ok(was_there) => println!("coffee is forgotten: {was_there}"),
        Err(error) => println!("coffee may still be remembered: {error}"),
    }
}
