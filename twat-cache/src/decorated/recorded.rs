use std::hash::{Hash, Hasher};

use smallvec::SmallVec;

/// A key that is known by all that it hashes, for what hashes, and cannot be owned or compared. It borrows nothing: what it
/// was made of may be given away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded(SmallVec<[u8; SHORT]>);

/// What most keys hash, and is kept without an allocation.
const SHORT: usize = 64;

impl Recorded {
    /// Records what this hashes.
    #[inline]
    pub fn of<T: Hash + ?Sized>(key: &T) -> Self {
        let mut recorder = Recorder(SmallVec::new());
        key.hash(&mut recorder);
        Self(recorder.0)
    }
}

impl Hash for Recorded {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(&self.0);
    }
}

/// Keeps what it is given, the same on every platform, as [`KeyHasher`](crate::KeyHasher) takes it.
struct Recorder(SmallVec<[u8; SHORT]>);

impl Hasher for Recorder {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
        self.write_usize(bytes.len());
    }

    twat_cache_core::__little_endian!(|self, bytes| self.0.extend_from_slice(bytes));

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
        let same = |one: &dyn Fn(&mut Recorder), other: &dyn Fn(&mut Recorder)| {
            let record = |hash: &dyn Fn(&mut Recorder)| {
                let mut recorder = Recorder(SmallVec::new());
                hash(&mut recorder);
                recorder.0
            };
            record(one) == record(other)
        };
        assert!(same(&|state| ("a", 1).hash(state), &|state| (String::from("a"), &1).hash(state)));
        assert!(!same(&|state| ("a", "bc").hash(state), &|state| ("ab", "c").hash(state)));
        assert!(!same(&|state| (1_u8, 2_u16).hash(state), &|state| (1_u16, 2_u8).hash(state)));
        assert_eq!(Recorded::of(&[1_u8, 2][..]), Recorded::of(&vec![1_u8, 2]));
        assert_ne!(Recorded::of(&None::<u8>), Recorded::of(&Some(0_u8)));
    }
}
