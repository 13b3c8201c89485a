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

macro_rules! little_endian {
    ($($method:ident: $from:ty => $to:ty),+ $(,)?) => {
        $(
            #[inline]
            // Widening: `usize` has at most 64 bits on every platform that Rust supports.
            #[allow(clippy::cast_possible_truncation, clippy::cast_lossless, trivial_numeric_casts)]
            fn $method(&mut self, value: $from) {
                self.0.extend_from_slice(&(value as $to).to_le_bytes());
            }
        )+
    };
}

impl Hasher for Recorder {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
        self.write_usize(bytes.len());
    }

    little_endian! {
        write_u8: u8 => u8, write_u16: u16 => u16, write_u32: u32 => u32, write_u64: u64 => u64,
        write_u128: u128 => u128, write_usize: usize => u64,
        write_i8: i8 => i8, write_i16: i16 => i16, write_i32: i32 => i32, write_i64: i64 => i64,
        write_i128: i128 => i128, write_isize: isize => i64,
    }

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
