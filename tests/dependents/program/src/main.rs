//! A program that uses the library. A feature of the program decides whether the library caches.

#![forbid(unsafe_code)]
#![deny(warnings, missing_docs, clippy::pedantic)]

fn main() {
    for _ in 0..3 {
        assert_eq!(library::vocabulary("to be or not to be"), 4);
    }
    assert_eq!(library::computations(), if cfg!(feature = "cache") { 1 } else { 3 });
}
