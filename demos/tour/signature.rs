//! `MinHash`: a signature of a text, from which its similarity to other texts can be estimated without the text.
//!
//! Order all possible shingles at random. The probability that two texts have the same smallest shingle is exactly
//! their similarity (Broder 1997, see `shingles.rs`). A signature holds the smallest shingle in each of 128 different
//! orders. The share of equal positions in two signatures estimates the similarity, with a standard error of at most
//! 0.044.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{fs, io};

use crate::shingles::{mix, shingles};

/// How many times [`sign`] has run. The function counts its runs itself, so the report does not rely on a cache's
/// counters.
pub(crate) static COMPUTATIONS: AtomicUsize = AtomicUsize::new(0);

/// The slow function: reads a file and computes its signature.
pub(crate) fn sign(path: &Path) -> io::Result<Signature> {
    COMPUTATIONS.fetch_add(1, Ordering::Relaxed);
    Ok(Signature::of(&fs::read(path)?))
}

/// How many numbers a signature has.
pub(crate) const ORDERS: usize = 128;

/// The version of the algorithm. Change it when you change the code of this module or of `shingles.rs`.
pub(crate) const METHOD: (u32, usize) = (1, ORDERS);

/// A text's smallest shingle in each of 128 orders, or nothing if the text is too short to have a shingle.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Signature(Vec<u32>);

impl Signature {
    pub(crate) fn of(text: &[u8]) -> Self {
        let mut smallest = [u32::MAX; ORDERS];
        let mut any = false;
        for shingle in shingles(text) {
            any = true;
            for ((smallest, factor), summand) in smallest.iter_mut().zip(&FACTORS).zip(&SUMMANDS) {
                let place = shingle.wrapping_mul(*factor).wrapping_add(*summand);
                // The upper half of a product is mixed better, and 32 bits are enough.
                *smallest = (*smallest).min((place >> 32) as u32);
            }
        }
        Self(if any { smallest.to_vec() } else { Vec::new() })
    }

    /// Whether the text was too short to have a shingle.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The numbers of the signature in groups of `rows`.
    pub(crate) fn bands(&self, rows: usize) -> impl Iterator<Item = &[u32]> {
        self.0.chunks_exact(rows)
    }

    /// The estimated similarity of two texts, from 0 to 1.
    pub(crate) fn similarity(&self, other: &Self) -> f64 {
        let equal = self.0.iter().zip(&other.0).filter(|(left, right)| left == right).count();
        let all = self.0.len().max(other.0.len()).max(1);
        #[expect(clippy::cast_precision_loss, reason = "both are at most 128")]
        let similarity = equal as f64 / all as f64;
        similarity
    }
}

impl From<Signature> for Vec<u32> {
    fn from(signature: Signature) -> Self {
        signature.0
    }
}

impl From<Vec<u32>> for Signature {
    fn from(positions: Vec<u32>) -> Self {
        Self(positions)
    }
}

// Hashing every shingle 128 times would be slow. So each shingle has one 64-bit hash x, and its position in order i is
// aᵢx + bᵢ (mod 2⁶⁴). For odd aᵢ this is a permutation. Broder, Charikar, Frieze, Mitzenmacher, "Min-wise independent
// permutations" (1998), use such linear permutations. The compiler vectorises the multiplication and the addition.
static FACTORS: [u64; ORDERS] = constants(1, 1);
static SUMMANDS: [u64; ORDERS] = constants(1 << 32, 0);

/// Arbitrary numbers, which are the same in every run. All of them have `bits` set.
const fn constants(seed: u64, bits: u64) -> [u64; ORDERS] {
    let mut numbers = [0; ORDERS];
    let mut index = 0;
    while index < ORDERS {
        numbers[index] = mix(seed + index as u64) | bits;
        index += 1;
    }
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A text of `count` different lines.
    fn text(name: &str, count: usize) -> String {
        (0..count).map(|line| format!("{name}_{line}({name}_{line});\n")).collect::<Vec<_>>().concat()
    }

    fn similarity(left: &str, right: &str) -> f64 {
        Signature::of(left.as_bytes()).similarity(&Signature::of(right.as_bytes()))
    }

    #[test]
    fn a_text_is_as_similar_as_can_be_to_itself() {
        let text = text("value", 100);
        assert_eq!(Signature::of(text.as_bytes()), Signature::of(text.as_bytes()));
        assert!(similarity(&text, &text) >= 1.0);
    }

    #[test]
    fn a_small_change_leaves_it_very_similar() {
        let text = text("value", 100);
        let near = similarity(&text, &text.replace("value_50(", "other("));
        assert!((0.9..1.0).contains(&near), "{near}");
    }

    #[test]
    fn half_a_text_is_half_as_similar() {
        let half = similarity(&text("value", 200), &text("value", 100));
        assert!((0.35..0.65).contains(&half), "{half}");
    }

    #[test]
    fn unrelated_texts_are_not_similar() {
        let far = similarity(&text("value", 100), &text("other", 100));
        assert!(far < 0.1, "{far}");
    }

    #[test]
    fn a_text_without_shingles_has_an_empty_signature() {
        assert!(Signature::of(b"mod x;").is_empty());
        assert!(!Signature::of(b"mod x; mod y;").is_empty());
    }
}
