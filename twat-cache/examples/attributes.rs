//! Attributes: `cargo run --example attributes --features full`.

use std::time::Duration;

use twat_cache::{bcache, mcache};

#[derive(Clone, PartialEq, Eq, Hash)]
struct Shop {
    city: &'static str,
}

impl Shop {
    // `self` is part of the key. Of a `Result`, only `Ok` is remembered.
    #[mcache(max_entries = 100, ttl = Duration::from_secs(60))]
    fn price(&self, item: &str) -> Result<u32, String> {
        println!("  (asking the shop in {})", self.city);
        if item == "tea" { Ok(3) } else { Err(format!("no {item} in {}", self.city)) }
    }
}

// The next run of the program finds this result, unless the function is edited. `verbose` is not part of the key.
#[bcache(skip(verbose))]
fn area(width: f64, height: f64, verbose: bool) -> f64 {
    if verbose {
        println!("  (computing)");
    }
    width * height
}

fn main() -> Result<(), twat_cache::Error> {
    let (riga, oslo) = (Shop { city: "Riga" }, Shop { city: "Oslo" });
    for (shop, item) in [(&riga, "tea"), (&riga, "tea"), (&oslo, "tea"), (&oslo, "milk")] {
        println!("{item}: {:?}", shop.price(item));
    }
    println!("area {}", area(3.0, 4.0, true));
    println!("remembered: {:?}, in {}", area::peek(3.0, 4.0)?, area::memo().describe());
    println!("forgotten: {}", area::forget(3.0, 4.0)?);
    Ok(())
}
