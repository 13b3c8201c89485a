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

#[mcache(companion = "name")]
fn companion_as_text(n: u32) -> u32 {
    n
}

struct Thing;

impl Thing {
    #[mcache(skip(self), companion = thing_cache)]
    fn no_companion(&self, n: u32) -> u32 {
        n
    }

    #[mcache(skip(self), patience = 3)]
    fn patience_in_what(&self, n: u32) -> u32 {
        n
    }
}

#[bcache(compress = 9)]
fn compress_with_a_value(n: u32) -> u32 {
    n
}

#[bcache(depends = no_option)]
fn depends_with_a_value(n: u32) -> u32 {
    n
}

#[mcache(keep_if)]
fn keep_if_without_a_value(n: u32) -> u32 {
    n
}

#[mcache(memo = "name")]
fn memo_as_text(n: u32) -> u32 {
    n
}

#[mcache(patience)]
fn patience_without_a_value(n: u32) -> u32 {
    n
}

#[mcache(trust = twat_cache::Trust::Group)]
fn memory_trusts_nobody(n: u32) -> u32 {
    n
}

fn main() {}
