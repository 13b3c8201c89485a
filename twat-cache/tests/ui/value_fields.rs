//! Fields whose types cannot be kept on disk: one error for each, at its type.

use twat_cache::{CacheValue, rkyv};

struct Nothing;

#[derive(rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
#[rkyv(crate = rkyv)]
struct OnlyRkyv(u8);

#[derive(serde::Serialize, serde::Deserialize)]
struct OnlySerde(u8);

#[derive(CacheValue)]
struct WithNothing {
    number: u8,
    field: Nothing,
}

#[derive(CacheValue)]
enum WithOnlyRkyv {
    Number(u8),
    Field { fields: Vec<OnlyRkyv> },
}

#[derive(CacheValue)]
struct WithOnlySerde(Option<Box<OnlySerde>>);

#[derive(CacheValue)]
struct Opaque(#[cache_value(opaque = "v1")] Nothing);

#[derive(CacheValue)]
struct Generic<T> {
    own: T,
    field: Nothing,
}

fn main() {}
