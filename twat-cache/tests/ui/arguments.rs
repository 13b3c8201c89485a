//! Arguments that cannot be in a key, by how they are written.

use std::borrow::Cow;

use twat_cache::{bcache, mcache};

#[mcache]
fn opaque(text: impl AsRef<str>) -> usize {
    text.as_ref().len()
}

#[mcache]
fn exclusive(out: &mut Vec<u32>) -> usize {
    out.len()
}

#[mcache]
fn borrow_inside(text: Option<&str>, name: Cow<'_, str>) -> usize {
    text.map_or(0, str::len) + name.len()
}

#[mcache]
fn borrow_in_borrow(texts: &[&str]) -> usize {
    texts.len()
}

#[mcache]
fn all_at_once(one: &mut u32, other: impl Copy) -> &str {
    *one += u32::from(std::mem::size_of_val(&other) > 0);
    ""
}

#[mcache]
fn conditional(n: u32, #[cfg(any())] other: u32) -> u32 {
    n
}

#[bcache]
fn address(f: fn(u32) -> u32) -> u32 {
    f(1)
}

fn main() {}
