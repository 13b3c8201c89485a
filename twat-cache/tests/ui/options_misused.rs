//! Options that are not written as they should be.

use twat_cache::{bcache, mcache};

#[mcache(ttl = 1, ttl = 2)]
fn twice(n: u32) -> u32 {
    n
}

#[mcache(key = n, skip(n))]
fn key_and_skip(n: u32) -> u32 {
    n
}

#[mcache(skip = n)]
fn skip_with_a_value(n: u32) -> u32 {
    n
}

#[mcache(skip)]
fn skip_without_anything(n: u32) -> u32 {
    n
}

#[mcache(key(n))]
fn key_as_a_list(n: u32) -> u32 {
    n
}

#[mcache(max_entries)]
fn no_value(n: u32) -> u32 {
    n
}

#[bcache(serde = true)]
fn serde_with_a_value(n: u32) -> u32 {
    n
}

#[mcache(3)]
fn no_option(n: u32) -> u32 {
    n
}

#[mcache(max_entries = )]
fn nothing_after_the_sign(n: u32) -> u32 {
    n
}

#[mcache(crate = "twat_cache")]
fn crate_as_text(n: u32) -> u32 {
    n
}

fn main() {}
