//! Numbers for tokens. A function's version is one.

use std::hash::Hasher as _;

use proc_macro2::{TokenStream, TokenTree};
use siphasher::sip128::{Hasher128 as _, SipHasher13};

/// A number for these tokens, the same wherever and whenever they are compiled.
pub(crate) fn fingerprint(tokens: TokenStream) -> u128 {
    let mut hasher = SipHasher13::new();
    hash(tokens, &mut hasher);
    hasher.finish128().as_u128()
}

/// Token by token, because the compiler may change how it prints them side by side.
fn hash(tokens: TokenStream, hasher: &mut SipHasher13) {
    for token in tokens {
        if let TokenTree::Group(group) = token {
            hasher.write_u8(1 + group.delimiter() as u8);
            hash(group.stream(), hasher);
            hasher.write_u8(0);
        } else {
            let text = token.to_string();
            hasher.write_usize(text.len());
            hasher.write(text.as_bytes());
        }
    }
}
