//! Large results that several processes share: run `cargo run --release --example files --features file` twice.

use std::time::Instant;

use twat_cache::{View, fcache};

fn main() {
    let waves = fcache("waves").wrap(|n: &u32| (0..*n).map(|i| f64::from(i).sin()).collect::<Vec<f64>>());

    let start = Instant::now();
    // A view reads the numbers in the file, without a copy. The first process computes them, all others find them.
    let view: View<Vec<f64>> = waves.view(&20_000_000);
    println!("{} numbers after {:?}", view.len(), start.elapsed());

    let start = Instant::now();
    let again = waves.view(&20_000_000);
    println!("and again after {:?}; number 1 is {:.3}", start.elapsed(), again[1]);

    match waves.store().path_of(&20_000_000_u32) {
        Ok(path) => println!("they are in {}", path.display()),
        Err(error) => println!("they are in memory: {error}"),
    }
}
