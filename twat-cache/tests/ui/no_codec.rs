//! Results that neither codec can store: one error for each function.

use twat_cache::{bcache, fcache, rcache, scache, ucache};

#[derive(Clone)]
struct OnlyClone;

#[bcache]
fn on_disk(n: u32) -> Result<OnlyClone, std::io::Error> {
    let _ = n;
    Ok(OnlyClone)
}

#[fcache]
async fn in_a_file(n: u32) -> Option<OnlyClone> {
    (n > 0).then_some(OnlyClone)
}

#[scache]
fn shared(n: u32) -> Vec<OnlyClone> {
    vec![OnlyClone; n as usize]
}

#[rcache(name = "remote")]
fn remote(n: u32) -> Vec<OnlyClone> {
    vec![OnlyClone; n as usize]
}

#[ucache]
fn wherever(n: u32) -> Vec<OnlyClone> {
    vec![OnlyClone; n as usize]
}

#[bcache(serde)]
fn with_serde(n: u32) -> OnlyClone {
    let _ = n;
    OnlyClone
}

fn main() {}
