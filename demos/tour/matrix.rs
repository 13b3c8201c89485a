//! All signatures as one large result, which a view reads without a copy. It has a row of numbers for each file.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Instant;

use indicatif::HumanBytes;
use twat_cache::file::FileFallback;
use twat_cache::{Memo, View, fcache};

use crate::passes::Figures;
use crate::signature::{COMPUTATIONS, METHOD, ORDERS, sign};
use crate::sources::Source;

/// The rows of all files, one after the other. The numbers stay in the mapped file.
pub(crate) struct Matrix(View<Vec<u32>>);

type Maker = fn(&[Source]) -> io::Result<Vec<u32>>;

/// A function that makes matrices and caches them in files, in `dir` or else in the default directory.
pub(crate) fn maker(dir: Option<&Path>) -> Memo<FileFallback<Vec<u32>>, Maker> {
    let cache = fcache("signature matrix").version(METHOD);
    let cache = if let Some(dir) = dir { cache.dir(dir) } else { cache };
    cache.try_wrap(make as Maker)
}

/// The slow function.
fn make(sources: &[Source]) -> io::Result<Vec<u32>> {
    let mut matrix = Vec::with_capacity(sources.len() * ORDERS);
    for source in sources {
        let row = Vec::from(sign(&source.path)?);
        // A text that is too short for a signature gets a row of `u32::MAX`.
        matrix.extend(row.into_iter().chain(std::iter::repeat(u32::MAX)).take(ORDERS));
    }
    Ok(matrix)
}

/// Computes or views the matrix of these files, and measures it.
pub(crate) fn run_pass(
    maker: &Memo<FileFallback<Vec<u32>>, Maker>,
    number: usize,
    sources: &[Source],
) -> io::Result<(Matrix, Figures)> {
    let before = COMPUTATIONS.load(Ordering::Relaxed);
    let begun = Instant::now();
    let view = maker.try_view(sources)?;
    let time = begun.elapsed();
    let computations = COMPUTATIONS.load(Ordering::Relaxed) - before;
    Ok((Matrix(view), Figures { wrapper: "fcache", number, calls: sources.len(), computations, time }))
}

impl Matrix {
    /// The estimated similarity of two files, from 0 to 1. See [`Signature::similarity`](crate::signature::Signature).
    pub(crate) fn similarity(&self, left: usize, right: usize) -> f64 {
        let row = |index: usize| self.0.iter().skip(index * ORDERS).take(ORDERS);
        let equal = row(left).zip(row(right)).filter(|(left, right)| left == right).count();
        #[expect(clippy::cast_precision_loss, reason = "both are at most 128")]
        let similarity = equal as f64 / ORDERS as f64;
        similarity
    }
}

impl fmt::Display for Matrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = HumanBytes(self.0.as_bytes().len() as u64);
        let how = if self.0.is_mapped() { "mapped from its file" } else { "in memory" };
        write!(f, "matrix of signatures: {} rows of {ORDERS} numbers, {bytes}, {how}", self.0.len() / ORDERS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matrix_holds_what_the_signatures_say() {
        // This test does not run `sign`, because another test checks its counter.
        let matrix: Vec<u32> = [[1; ORDERS], [1; ORDERS], [2; ORDERS]].concat();
        let matrix = Matrix(View::new(&matrix).unwrap());
        assert!(matrix.similarity(0, 1) > 0.99 && matrix.similarity(0, 2) < 0.01);
        assert_eq!(matrix.to_string(), "matrix of signatures: 3 rows of 128 numbers, 1.51 KiB, in memory");
    }
}
