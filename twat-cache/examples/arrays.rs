//! A large result as an array of another library, without a copy: run
//! `cargo run --release --example arrays --features file` twice.

use std::time::Instant;

use ndarray::{ArrayView1, s};
use twat_cache::fcache;

fn main() {
    let ripples = fcache("ripples").wrap(|side: &u32| {
        let height = |i: u32| f64::from(i / side).hypot(f64::from(i % side)).sin();
        (0..side * side).map(height).collect::<Vec<f64>>()
    });

    let start = Instant::now();
    let view = ripples.view(&4000);
    // The array borrows the numbers in the mapped file.
    let heights = ArrayView1::from(view.as_native());
    println!("{} heights after {:?}", heights.len(), start.elapsed());

    if let Ok(map) = heights.into_shape_with_order((4000, 4000)) {
        let corner = map.slice(s![..100, ..100]);
        println!("in the first corner, {:.3} on average", corner.mean().unwrap_or_default());
        println!("on the diagonal, {:.3} on average", map.diag().mean().unwrap_or_default());
    }
}
