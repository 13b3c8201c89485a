//! A hit of a decorated function allocates nothing, with any arguments.

use std::path::Path;

use counting::allocations;
use twat_cache::mcache;

twat_cache_core::counting_allocator!();

#[mcache]
fn length(text: &str) -> usize {
    text.len()
}

#[mcache]
fn depth(path: &Path) -> usize {
    path.components().count()
}

#[mcache]
#[expect(clippy::ptr_arg, reason = "its clone would allocate")]
fn total(numbers: &[u64], factors: &[f64], text: &Vec<u8>) -> usize {
    numbers.len() + factors.len() + text.len()
}

#[mcache]
fn fallible(text: &str) -> Result<usize, String> {
    if text.is_empty() { Err("empty".into()) } else { Ok(text.len()) }
}

#[mcache]
#[expect(clippy::too_many_arguments, reason = "one group of twelve and another in it")]
fn thirteen(a: u8, b: u8, c: &str, d: u8, e: u8, f: u8, g: u8, h: &str, i: u8, j: u8, k: u8, l: u8, m: &[u8]) -> usize {
    c.len() + h.len() + m.len() + [a, b, d, e, f, g, i, j, k, l].len()
}

#[mcache(key = text)]
fn keyed(text: &str, _unused: &[u8]) -> usize {
    text.len()
}

/// A type whose clone would allocate.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Document(String);

impl Document {
    #[mcache]
    fn words(&self, longer_than: usize) -> usize {
        self.0.split(' ').filter(|word| word.len() > longer_than).count()
    }
}

#[mcache]
fn of_document(document: &Document) -> usize {
    document.0.len()
}

#[mcache]
async fn eventually(text: &str) -> usize {
    futures_lite::future::yield_now().await;
    text.len()
}

#[test]
fn a_hit_allocates_nothing_for_borrowed_arguments() {
    let document = Document("a document of some length".into());
    assert_eq!(allocations(|| length("a string of some length")), 0);
    let long = "a/b/c/".repeat(100);
    assert_eq!(allocations(|| depth(Path::new(&long))), 0);
    let text = vec![1, 2];
    assert_eq!(allocations(|| total(&[1, 2, 3], &[0.5, f64::NAN], &text)), 0);
    assert_eq!(allocations(|| fallible("text")), 0);
    assert_eq!(allocations(|| thirteen(1, 2, "three", 4, 5, 6, 7, "eight", 9, 10, 11, 12, &[1, 3])), 0);
    assert_eq!(allocations(|| keyed("text", &[1])), 0);
    assert_eq!(allocations(|| document.words(3)), 0);
    assert_eq!(allocations(|| of_document(&document)), 0);
    assert_eq!(allocations(|| futures_lite::future::block_on(eventually("text"))), 0);

    // The counter works.
    assert!(allocations(|| String::from("x")) >= 100);
}
