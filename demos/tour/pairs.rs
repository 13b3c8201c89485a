//! The most similar pairs among many signatures, without comparing all with all.
//!
//! It uses locality-sensitive hashing by bands (Leskovec, Rajaraman, Ullman, "Mining of Massive Datasets", chapter 3).
//! Every signature consists of 32 bands of 4 positions. Two signatures are compared only if they have a band in common.
//! With similarity s, the probability of that is 1 - (1 - s⁴)³²: 99.98 % at 0.7, 23 % at 0.3.

use std::collections::HashMap;

use crate::signature::Signature;

/// The number of positions in a band.
const ROWS: usize = 4;
/// The number of pairs to report.
const MOST: usize = 10;
/// A signature is compared with at most this many others of a bucket, because generated code may fill a bucket with
/// thousands. The most similar pairs also share other buckets.
const NEIGHBOURS: usize = 32;

/// The result of the search.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Pairs {
    /// How many pairs have equal signatures.
    pub(crate) identical: usize,
    /// The most similar of the others, best first.
    pub(crate) similar: Vec<Pair>,
}

/// Two signatures, by their index in the input.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pair {
    pub(crate) left: usize,
    pub(crate) right: usize,
    pub(crate) similarity: f64,
}

impl Pairs {
    pub(crate) fn among<'a>(signatures: impl Iterator<Item = &'a Signature>) -> Self {
        // Only one of several equal signatures is compared with others. So a thousand copies of a file are not a
        // million pairs.
        let mut copies: HashMap<&Signature, usize> = HashMap::new();
        let mut distinct = Vec::new();
        for (index, signature) in signatures.enumerate().filter(|(_, signature)| !signature.is_empty()) {
            let count = copies.entry(signature).or_default();
            *count += 1;
            if *count == 1 {
                distinct.push((index, signature));
            }
        }
        let identical = copies.values().map(|count| count * (count - 1) / 2).sum();

        let mut similar = Vec::new();
        for bucket in buckets(&distinct) {
            for (place, (left, one)) in bucket.iter().enumerate() {
                for (right, other) in bucket[place + 1..].iter().take(NEIGHBOURS) {
                    similar.push(Pair { left: *left, right: *right, similarity: one.similarity(other) });
                }
            }
            keep_best(&mut similar);
        }
        Self { identical, similar }
    }
}

type Indexed<'a> = (usize, &'a Signature);

/// Groups the signatures that have a band in common, for every band.
fn buckets<'a>(signatures: &[Indexed<'a>]) -> impl Iterator<Item = Vec<Indexed<'a>>> {
    let mut buckets: HashMap<(usize, &[u32]), Vec<Indexed<'a>>> = HashMap::new();
    for (index, signature) in signatures {
        for band in signature.bands(ROWS).enumerate() {
            buckets.entry(band).or_default().push((*index, signature));
        }
    }
    buckets.into_values().filter(|bucket| bucket.len() > 1)
}

/// The best pairs, without duplicates. Their order does not depend on the order in which they were found.
fn keep_best(pairs: &mut Vec<Pair>) {
    pairs.sort_by(|one, other| {
        let by_similarity = other.similarity.total_cmp(&one.similarity);
        by_similarity.then((one.left, one.right).cmp(&(other.left, other.right)))
    });
    pairs.dedup();
    pairs.truncate(MOST);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The signature of a text of 200 lines, of which the first `changed` differ from all other texts.
    fn signature(changed: usize) -> Signature {
        let line =
            |line| if line < changed { format!("new_{line}_{changed};") } else { format!("old_{line}({line});") };
        Signature::of((0..200).map(line).collect::<Vec<_>>().concat().as_bytes())
    }

    #[test]
    fn copies_are_counted_and_not_listed() {
        let copies = vec![signature(0); 2000];
        assert_eq!(Pairs::among(copies.iter()), Pairs { identical: 1_999_000, similar: Vec::new() });
    }

    #[test]
    fn the_nearest_come_first_and_each_pair_once() {
        let texts = [signature(0), Signature::of(b"tiny"), signature(40), signature(5), Signature::of(b"tiny")];
        let pairs = Pairs::among(texts.iter());
        assert_eq!(pairs.identical, 0);
        let places: Vec<_> = pairs.similar.iter().map(|pair| (pair.left, pair.right)).collect();
        assert_eq!(places[0], (0, 3));
        assert_eq!(places.len(), 3);
    }
}
