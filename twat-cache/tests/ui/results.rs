//! Results that cannot be remembered, by how they are written.

use std::borrow::Cow;

use twat_cache::mcache;

#[mcache]
fn borrowed(text: &str) -> &str {
    text
}

#[mcache]
fn borrow_inside(text: &str) -> Result<Option<&str>, String> {
    Ok(Some(text))
}

#[mcache]
fn named<'a>(text: &'a str) -> Cow<'a, str> {
    Cow::Borrowed(text)
}

#[mcache]
fn opaque(n: u32) -> impl Iterator<Item = u32> {
    0..n
}

fn main() {}
