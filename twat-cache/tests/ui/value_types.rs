//! Types that cannot have the derive, and options that are not written as they should be.

use std::borrow::Cow;

use twat_cache::CacheValue;

#[derive(CacheValue)]
union Bits {
    whole: u32,
    parts: [u8; 4],
}

#[derive(CacheValue)]
enum Never {}

#[derive(CacheValue)]
struct Borrowing<'a> {
    text: &'a str,
}

#[derive(CacheValue)]
struct Borrowed {
    text: &'static str,
    texts: Vec<Option<&'static str>>,
    either: Cow<'static, str>,
}

#[derive(CacheValue)]
#[cache_value(opaque = "v1")]
struct OpaqueType(u8);

#[derive(CacheValue)]
struct OptionsOfFields {
    #[cache_value(opaque)]
    number: u8,
}

#[derive(CacheValue)]
struct NoText(#[cache_value(opaque = 1)] u8);

#[derive(CacheValue)]
#[cache_value(crate = "twat_cache")]
struct CrateAsText(u8);

#[derive(CacheValue)]
#[rkyv(remote = std::time::Duration)]
struct Remote(u8);

#[derive(CacheValue)]
fn function() {}

fn main() {}
