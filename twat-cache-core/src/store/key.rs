use std::any::type_name;
use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasherDefault, Hash, Hasher};

use siphasher::sip128::{Hasher128, SipHasher13};

/// The digest of a call's arguments: 128 bits of SipHash-1-3, keyed by a [`Namespace`].
///
/// It is of what a type hashes: two values that hash alike are one key, even if they are not equal. A path that is an argument, or
/// one of a [`Call`](crate::Call), is hashed by its bytes. A path inside another argument, such as a type of your own, is hashed by
/// `std`, which hashes `/etc` and `etc` alike, and `a/b` and `a//b`. Where a function tells those apart, implement the type's `Hash`
/// and hash the path's `as_os_str()`.
///
/// SipHash is by Aumasson and Bernstein (<https://www.aumasson.jp/siphash/siphash.pdf>). Keyed with a secret, nobody
/// can construct two arguments with one digest; by chance, two of 2³² entries share one with probability 2⁻⁶⁵.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyHash(pub(super) u128);

impl KeyHash {
    /// The digest's sixteen bytes, least significant first.
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0.to_le_bytes()
    }

    /// The digest with these bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(u128::from_le_bytes(bytes))
    }

    /// The digest as a number, for those who spread keys over something.
    pub const fn as_u128(self) -> u128 {
        self.0
    }
}

/// Thirty-two hexadecimal digits, usable as a file name.
impl fmt::Display for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyHash({self})")
    }
}

/// A map by digest. It need not be hashed again: it is keyed, so nobody can choose where it goes.
pub(crate) type ByDigest<T> = HashMap<KeyHash, T, BuildHasherDefault<Digested>>;

/// Passes on half of a [`KeyHash`].
#[derive(Default)]
pub(crate) struct Digested(u64);

impl Hasher for Digested {
    #[expect(clippy::cast_possible_truncation, reason = "half of it is enough")]
    fn write_u128(&mut self, digest: u128) {
        self.0 = digest as u64;
    }

    // Never called for a `KeyHash`, and right all the same.
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// The hasher behind [`KeyHash`], with the same digest on every platform.
///
/// Integers go in little-endian, `usize` and `isize` as 64 bits, bytes with their number. What is left to the platform is what `std` passes as
/// raw bytes: slices of integers wider than a byte are hashed as they lie in memory, so a big-endian machine does not
/// find what a little-endian one stored. That costs a miss, never a wrong value.
#[derive(Clone)]
pub struct KeyHasher(pub(super) SipHasher13);

impl KeyHasher {
    /// The digest of all that was written.
    pub fn finish128(&self) -> KeyHash {
        KeyHash(self.0.finish128().as_u128())
    }
}

impl fmt::Debug for KeyHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The state contains the secret.
        f.write_str("KeyHasher(..)")
    }
}

/// The methods of a [`Hasher`] that takes integers as the same bytes on every platform.
#[doc(hidden)]
#[macro_export]
macro_rules! __little_endian_0_1 {
    (|$self:ident, $bytes:ident| $take:expr) => {
        $crate::__little_endian_0_1! {
            |$self, $bytes| $take,
            write_u8: u8 => u8, write_u16: u16 => u16, write_u32: u32 => u32, write_u64: u64 => u64,
            write_u128: u128 => u128, write_usize: usize => u64,
            write_i8: i8 => i8, write_i16: i16 => i16, write_i32: i32 => i32, write_i64: i64 => i64,
            write_i128: i128 => i128, write_isize: isize => i64,
        }
    };
    (|$self:ident, $bytes:ident| $take:expr, $($method:ident: $from:ty => $to:ty),+ $(,)?) => {
        $(
            #[inline]
            // Widening: `usize` has at most 64 bits on every platform that Rust supports.
            #[allow(clippy::cast_possible_truncation, clippy::cast_lossless, trivial_numeric_casts)]
            fn $method(&mut $self, value: $from) {
                let $bytes = &(value as $to).to_le_bytes();
                $take;
            }
        )+
    };
}

impl Hasher for KeyHasher {
    /// With their number: not all types say where one part of them ends and the next begins. Those of a path run together.
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        self.0.write(bytes);
        self.write_usize(bytes.len());
    }

    /// The lower half of the digest.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "that is what a half is")]
    fn finish(&self) -> u64 {
        self.finish128().0 as u64
    }

    crate::__little_endian_0_1!(|self, bytes| self.0.write(bytes));
}

/// Whether this hasher makes digests.
#[inline]
pub(crate) fn is_digest<H>() -> bool {
    is::<H, KeyHasher>()
}

/// Whether one type is the other. That a name is not another type's is not promised; here it only makes more be hashed.
#[inline]
pub(super) fn is<One: ?Sized, Other: ?Sized>() -> bool {
    type_name::<One>() == type_name::<Other>()
}
