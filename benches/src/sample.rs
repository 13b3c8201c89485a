//! Keys for benches: they look random, all differ, and every run has the same ones.

/// `count` numbers in random order.
pub fn numbers(count: usize) -> Vec<u64> {
    (0..).map(scatter).take(count).collect()
}

/// `count` pairs of a short text and a number, in random order.
pub fn pairs(count: usize) -> Vec<(String, u32)> {
    (0..).zip(numbers(count)).map(|(place, number)| (format!("article/{number:016x}"), place % 7)).collect()
}

/// The same keys in another order. So a bench does not visit keys in the order in which it stored them.
pub fn shuffled<T>(mut keys: Vec<T>) -> Vec<T> {
    let mut state = 1;
    // The Fisher-Yates shuffle.
    for last in (1..keys.len()).rev() {
        state = scatter(state);
        let bound = last as u64 + 1;
        keys.swap(last, usize::try_from(state % bound).unwrap_or(last));
    }
    keys
}

/// A number that looks random, different for every input: a step of `SplitMix64`.
pub fn scatter(index: u64) -> u64 {
    let mut mixed = index.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// A text of `length` letters. It differs for every number and does not compress.
pub fn text(number: u64, length: usize) -> String {
    let mut text = String::with_capacity(length + 16);
    let mut part = number;
    while text.len() < length {
        part = scatter(part);
        // Each letter uses six bits.
        text.extend((0..10).map(|place| char::from(LETTERS[usize::try_from(part >> (6 * place) & 63).unwrap_or(0)])));
    }
    text.truncate(length);
    text
}

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
