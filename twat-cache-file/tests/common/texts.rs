//! Texts that say whose they are.

/// Every eight bytes of it say whose it is.
pub fn is_of(value: &str, key: u64) -> bool {
    value.len().is_multiple_of(8) && value.as_bytes().chunks(8).all(|part| part == format!("{key:08}").as_bytes())
}

/// 800 bytes of an odd key, which are read; 160 KB of an even one, which are mapped.
pub fn value(key: u64) -> String {
    format!("{key:08}").repeat(if key.is_multiple_of(2) { 20_000 } else { 100 })
}
