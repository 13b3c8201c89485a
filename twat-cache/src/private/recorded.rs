use std::hash::Hasher;

use smallvec::SmallVec;
use twat_cache_core::Part;

/// The bytes that a key, or a part of one, hashes. They are compared instead of it. They borrow nothing, so the arguments can be
/// moved. Most keys hash at most 64 bytes, and need no allocation.
///
/// This is also the hasher that collects them. They are the same on every platform, as those of
/// [`KeyHasher`](crate::store::KeyHasher).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Recorded(SmallVec<[u8; 64]>);

impl Part for Recorded {
    type Args = Self;

    #[inline]
    fn args(&self) -> &Self {
        self
    }
}

impl Hasher for Recorded {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
        self.write_usize(bytes.len());
    }

    twat_cache_core::__little_endian_0_1!(|self, bytes| self.0.extend_from_slice(bytes));

    // Nothing calls this.
    fn finish(&self) -> u64 {
        0
    }
}

#[cfg(test)]
mod tests {
    use std::hash::Hash;

    use super::*;

    #[test]
    fn what_hashes_alike_is_the_same_and_nothing_else() {
        fn recorded(key: &(impl Hash + ?Sized)) -> Recorded {
            let mut recorded = Recorded::default();
            key.hash(&mut recorded);
            recorded
        }
        assert_eq!(recorded(&("a", 1)), recorded(&(String::from("a"), &1)));
        assert_ne!(recorded(&("a", "bc")), recorded(&("ab", "c")));
        assert_ne!(recorded(&(1_u8, 2_u16)), recorded(&(1_u16, 2_u8)));
        assert_eq!(recorded(&[1_u8, 2][..]), recorded(&vec![1_u8, 2]));
        assert_ne!(recorded(&None::<u8>), recorded(&Some(0_u8)));
    }
}
