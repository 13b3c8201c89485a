//! Results of a type that has rkyv's derives alone.

use twat_cache::{bcache, rkyv};

#[derive(rkyv::Archive, rkyv::Serialize, rkyv::Deserialize, Clone)]
#[rkyv(crate = rkyv)]
struct OnlyRkyv(u8);

#[bcache]
fn decorated(n: u8) -> OnlyRkyv {
    OnlyRkyv(n)
}

fn main() {
    let wrapped = bcache("wrapped").wrap(|n: &u8| OnlyRkyv(*n));
    wrapped.call(&1);
}
