use std::any::type_name;
use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasherDefault, Hash, Hasher};

use siphasher::sip128::{Hasher128, SipHasher13};

use super::args::Args;

/// The digest of a call's arguments: 128 bits of SipHash-1-3, keyed by a [`Namespace`](crate::Namespace).
///
/// It covers exactly what the arguments hash: two arguments that hash alike are one key, even if they are not equal. A
/// path that is the argument, or an argument in a [`Call`](crate::Call), is hashed by its bytes. A path inside another
/// argument, such as a type of your own, is hashed by `std`, which hashes `/etc` and `etc` alike, and `a/b` and `a//b`.
/// If a function distinguishes those, implement the type's `Hash` and hash the path's `as_os_str()`.
///
/// SipHash is by Aumasson and Bernstein (<https://www.aumasson.jp/siphash/siphash.pdf>). Nobody can construct two
/// arguments with the same digest without the secret. The probability that any two of 2³² entries share a digest by
/// chance is 2⁻⁶⁵.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyHash(pub(super) u128);

impl KeyHash {
    /// The sixteen bytes of the digest, least significant byte first.
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0.to_le_bytes()
    }

    /// The digest with these bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(u128::from_le_bytes(bytes))
    }

    /// The digest as a number, for example to choose a shard.
    pub const fn as_u128(self) -> u128 {
        self.0
    }
}

/// Shows 32 hexadecimal digits, which are a valid file name.
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

/// A map from digests. It does not hash them again: they are keyed, so nobody can choose digests that collide.
pub(crate) type ByDigest<T> = HashMap<KeyHash, T, BuildHasherDefault<DigestHasher>>;

/// Uses the lower half of a [`KeyHash`] as its hash.
#[derive(Default)]
pub(crate) struct DigestHasher(u64);

impl Hasher for DigestHasher {
    #[expect(clippy::cast_possible_truncation, reason = "64 bits are enough for a hash map")]
    fn write_u128(&mut self, digest: u128) {
        self.0 = digest as u64;
    }

    // The trait requires this. A `KeyHash` never calls it.
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// The hasher of [`KeyHash`]. It makes the same digest on every platform, with one exception.
///
/// It writes integers in little-endian order, `usize` and `isize` as 64 bits, and byte strings with their length. The
/// exception: `std` hashes slices of integers wider than a byte as raw memory. So a big-endian machine does not find
/// what a little-endian machine stored. The result is a miss, never a wrong value.
#[derive(Clone)]
pub struct KeyHasher(pub(super) SipHasher13);

impl KeyHasher {
    /// The digest of everything written so far.
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

/// Writes the integer methods of a [`Hasher`], so that an integer hashes as the same bytes on every platform.
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
            // The cast only widens: `usize` has at most 64 bits on every platform that Rust supports.
            #[allow(clippy::cast_possible_truncation, clippy::cast_lossless, trivial_numeric_casts)]
            fn $method(&mut $self, value: $from) {
                let $bytes = &(value as $to).to_le_bytes();
                $take;
            }
        )+
    };
}

impl Hasher for KeyHasher {
    /// Writes the length too, because not all types mark where a part ends: the components of a path run together.
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        self.0.write(bytes);
        self.write_usize(bytes.len());
    }

    /// The lower half of the digest.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "the lower half")]
    fn finish(&self) -> u64 {
        self.finish128().0 as u64
    }

    crate::__little_endian_0_1!(|self, bytes| self.0.write(bytes));
}

/// What the digest of arguments is made of: exactly the bytes that a [`KeyHasher`] hashes. It is for a store that does not know
/// its [`Namespace`](crate::Namespace) yet, see [`Namespace::digest_of_recorded`](crate::Namespace::digest_of_recorded).
#[doc(hidden)]
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Recorded(pub(super) Vec<u8>);

impl Recorded {
    /// Records the arguments of a call.
    pub fn of<A: Args + ?Sized>(arguments: &A) -> Self {
        let mut recorded = Self::default();
        arguments.hash_exactly(&mut recorded);
        recorded
    }

    /// How many bytes were recorded.
    #[expect(clippy::len_without_is_empty, reason = "nobody asks")]
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl Hasher for Recorded {
    fn write(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
        self.write_usize(bytes.len());
    }

    // The trait requires this. Nothing uses it.
    fn finish(&self) -> u64 {
        0
    }

    crate::__little_endian_0_1!(|self, bytes| self.0.extend_from_slice(bytes));
}

/// Returns whether a hasher makes digests, or records what they are made of.
#[inline]
pub(super) fn is_digest<H>() -> bool {
    is_type::<H, KeyHasher>() || is_type::<H, Recorded>()
}

/// Returns whether two types have the same name. Two types can share a name; then a digest covers more than it needs
/// to.
#[inline]
pub(super) fn is_type<One: ?Sized, Other: ?Sized>() -> bool {
    type_name::<One>() == type_name::<Other>()
}
