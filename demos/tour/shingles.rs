//! A text as a set of shingles: the hashes of all runs of a few tokens.
//!
//! The idea is from A. Broder, "On the resemblance and containment of documents" (1997). The similarity of two texts is
//! the number of shingles that both have, divided by the number that at least one has. Shingles of tokens, not
//! characters, do not depend on the layout. Five tokens are enough to characterise a piece of code.

/// The number of tokens in a shingle.
const WIDTH: usize = 5;

/// The hashes of all shingles of `text`, in order. A text of fewer than five tokens has none.
pub(crate) fn shingles(text: &[u8]) -> impl Iterator<Item = u64> {
    let mut window = [0; WIDTH];
    let whole = move |(index, token)| {
        window.rotate_left(1);
        window[WIDTH - 1] = token;
        // The first windows are not full yet.
        (index + 1 >= WIDTH).then(|| shingle(&window))
    };
    tokens(text).map(hash).enumerate().filter_map(whole)
}

/// A token is a run of letters, digits and underscores, or any other single character. Bytes outside ASCII count as
/// letters, so the encoding of a text does not matter.
fn tokens(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_' || !byte.is_ascii();
    let mut rest = text;
    std::iter::from_fn(move || {
        rest = rest.trim_ascii_start();
        let word = rest.iter().take_while(|byte| is_word(byte)).count();
        let (token, after) = rest.split_at_checked(word.max(1))?;
        rest = after;
        Some(token)
    })
}

/// FNV-1a. The standard library's hasher may change with the compiler, and then signatures on disk would not match new
/// ones.
fn hash(token: &[u8]) -> u64 {
    token.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Combines several hashes into one, which depends on their order.
fn shingle(tokens: &[u64; WIDTH]) -> u64 {
    mix(tokens.iter().fold(0, |hash: u64, token| (hash.rotate_left(5) ^ token).wrapping_mul(0x9e37_79b9_7f4a_7c15)))
}

/// Mixes all 64 bits of a number. Different inputs give different outputs. It is the last step of `SplitMix64` (Steele,
/// Lea, Flood, "Fast splittable pseudorandom number generators", 2014).
pub(crate) const fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_words_and_single_characters() {
        let text = "let n_1 = größe(&b) ;".as_bytes();
        let expected = ["let", "n_1", "=", "größe", "(", "&", "b", ")", ";"].map(str::as_bytes);
        assert_eq!(tokens(text).collect::<Vec<_>>(), expected);
        assert_eq!(tokens(b"\xff\xfe \0").collect::<Vec<_>>(), [&b"\xff\xfe"[..], b"\0"]);
    }

    #[test]
    fn five_tokens_make_one_shingle() {
        assert_eq!(shingles(b"a b c d").count(), 0);
        assert_eq!(shingles(b"a b c d e").count(), 1);
        assert_eq!(shingles(b"a b c d e f").count(), 2);
    }

    #[test]
    fn layout_does_not_matter_and_order_does() {
        assert!(shingles(b"f(x, 1)").eq(shingles(b"f (\n x,\n 1\n)")));
        assert!(shingles(b"a b c d e").ne(shingles(b"b a c d e")));
    }
}
