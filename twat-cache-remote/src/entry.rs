//! The form of an entry, and of the state of a cache, on the server.
//!
//! | bytes of an entry | |
//! |---|---|
//! | 0–15 | number of its computation, in decimal digits, because scripts read it |
//! | 16–23 | deadline, as [`Expiry`](twat_cache_core::Expiry) has it, little-endian |
//! | 24–31 | checksum |
//! | from 32 | value |
//!
//! The state is the number of the last `clear`, in digits as well, and the secret that keys the digests.

use twat_cache_core::KeyHash;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// How many digits a number has. Numbers are microseconds since 1970.
pub(crate) const DIGITS: usize = 16;

/// How many bytes there are before the value. It keeps the value aligned.
pub(crate) const HEADER: usize = 32;

/// The state of a cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct State {
    /// What began up to here is outdated.
    pub(crate) cleared: u64,
    pub(crate) secret: [u8; 16],
}

impl State {
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let (number, secret) = split_number(bytes)?;
        Some(Self { cleared: number, secret: secret.try_into().ok()? })
    }
}

/// An entry that was read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) number: u64,
    pub(crate) deadline: u64,
    bytes: Vec<u8>,
}

impl Entry {
    /// `None` if this is not what was stored for this digest.
    pub(crate) fn read(digest: KeyHash, bytes: Vec<u8>) -> Option<Self> {
        let (number, deadline) = read_head(&bytes)?;
        let checksum = u64::from_le_bytes(*bytes.get(24..)?.first_chunk()?);
        let entry = Self { number, deadline, bytes };
        (checksum == sum(digest, number, deadline, entry.value())).then_some(entry)
    }

    pub(crate) fn value(&self) -> &[u8] {
        self.bytes.get(HEADER..).unwrap_or_default()
    }
}

/// What is before the value in an entry.
pub(crate) fn head(digest: KeyHash, number: u64, deadline: u64, value: &[u8]) -> [u8; HEADER] {
    let mut head = [0; HEADER];
    head[..DIGITS].copy_from_slice(digits(number).as_bytes());
    head[16..24].copy_from_slice(&deadline.to_le_bytes());
    head[24..].copy_from_slice(&sum(digest, number, deadline, value).to_le_bytes());
    head
}

/// The number and the deadline of an entry.
pub(crate) fn read_head(bytes: &[u8]) -> Option<(u64, u64)> {
    let (number, rest) = split_number(bytes)?;
    Some((number, u64::from_le_bytes(*rest.first_chunk()?)))
}

/// A number as scripts read it.
pub(crate) fn digits(number: u64) -> String {
    format!("{number:0DIGITS$}")
}

/// Splits bytes after the number at their beginning.
pub(crate) fn split_number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (number, rest) = bytes.split_at_checked(DIGITS)?;
    let is_number = number.iter().all(u8::is_ascii_digit);
    let number = str::from_utf8(number).ok().filter(|_| is_number)?;
    Some((number.parse().ok()?, rest))
}

fn sum(digest: KeyHash, number: u64, deadline: u64, value: &[u8]) -> u64 {
    let mut head = [0; 32];
    head[..16].copy_from_slice(&digest.to_bytes());
    head[16..24].copy_from_slice(&number.to_le_bytes());
    head[24..].copy_from_slice(&deadline.to_le_bytes());
    xxh3_64_with_seed(value, xxh3_64(&head))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_changed_bit_is_noticed() {
        let digest = KeyHash::from_bytes([7; 16]);
        let head = head(digest, 1_764_000_000_000_000, 42, b"value");
        let bytes = [&head, &b"value"[..]].concat();
        let entry = Entry::read(digest, bytes.clone()).unwrap();
        assert_eq!((entry.number, entry.deadline, entry.value()), (1_764_000_000_000_000, 42, &b"value"[..]));
        assert_eq!(Entry::read(KeyHash::from_bytes([8; 16]), bytes.clone()), None);
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Entry::read(digest, damaged), None, "bit {bit}");
        }
        for length in 0..bytes.len() {
            assert_eq!(Entry::read(digest, bytes[..length].to_vec()), None, "{length} bytes");
        }
    }
}
