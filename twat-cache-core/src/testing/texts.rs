//! Texts that say which key they belong to, so that a value that is mixed of two, or cut short, is noticed.

/// This many parts of eight bytes, each of which is the key's number.
pub fn text(key: u64, parts: usize) -> String {
    format!("{key:08}").repeat(parts)
}

/// Whether every part of this text is the key's.
pub fn is_text_of(text: &str, key: u64) -> bool {
    text.len().is_multiple_of(8) && text.as_bytes().chunks(8).all(|part| part == format!("{key:08}").as_bytes())
}
