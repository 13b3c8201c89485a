use std::hash::{Hash, Hasher};

use smallvec::SmallVec;

use super::exact::Exact;
use twat_cache_core::Part;

/// A key, or a part of one, that is known by the bytes that were recorded of it. It borrows nothing: what it was made of may be
/// given away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded(SmallVec<[u8; SHORT]>);

/// What most keys hash, and is kept without an allocation.
const SHORT: usize = 64;

impl Recorded {
    /// Records this value to the last bit.
    #[inline]
    pub fn exactly<T: Exact + ?Sized>(value: &T) -> Self {
        let mut recorder = Recorder::default();
        value.record(&mut recorder);
        recorder.finished()
    }
}

impl Part for Recorded {
    type Args = Self;

    #[inline]
    fn args(&self) -> &Self {
        self
    }
}

impl Hash for Recorded {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(&self.0);
    }
}

/// Keeps what it is given, the same on every platform, as [`KeyHasher`](crate::KeyHasher) takes it.
#[derive(Debug, Default)]
pub struct Recorder(SmallVec<[u8; SHORT]>);

impl Recorder {
    /// What was recorded.
    #[inline]
    pub fn finished(self) -> Recorded {
        Recorded(self.0)
    }
}

impl Hasher for Recorder {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
        self.write_usize(bytes.len());
    }

    twat_cache_core::__little_endian_0_1!(|self, bytes| self.0.extend_from_slice(bytes));

    // Never asked for.
    fn finish(&self) -> u64 {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hashes_alike_is_the_same_and_nothing_else() {
        fn recorded(key: &(impl Hash + ?Sized)) -> Recorded {
            let mut recorder = Recorder::default();
            key.hash(&mut recorder);
            recorder.finished()
        }
        assert_eq!(recorded(&("a", 1)), recorded(&(String::from("a"), &1)));
        assert_ne!(recorded(&("a", "bc")), recorded(&("ab", "c")));
        assert_ne!(recorded(&(1_u8, 2_u16)), recorded(&(1_u16, 2_u8)));
        assert_eq!(recorded(&[1_u8, 2][..]), recorded(&vec![1_u8, 2]));
        assert_ne!(recorded(&None::<u8>), recorded(&Some(0_u8)));
    }
}
