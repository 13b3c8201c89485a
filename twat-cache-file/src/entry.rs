//! One entry is one file: a header of 64 bytes and the archived value.

use std::path::Path;

use twat_cache_core::KeyHash;
use twat_cache_core::among::system;
use xxhash_rust::xxh3::xxh3_64;

use crate::map::ALIGNMENT;

/// The 64 bytes before the archived value, little-endian.
///
/// | bytes | |
/// |---|---|
/// | 0–7 | `twatfc`, and the version of this format in 16 bits: 1 |
/// | 8–15 | the public name of the namespace |
/// | 16–31 | digest of the arguments |
/// | 32–39 | length of what follows the header |
/// | 40–47 | deadline, in nanoseconds since 1970; 0 is never |
/// | 48–55 | xxh3 of what follows the header |
/// | 56–63 | xxh3 of the bytes before |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) namespace: u64,
    pub(crate) key: KeyHash,
    pub(crate) length: u64,
    pub(crate) deadline: u64,
    pub(crate) sum: u64,
}

const MAGIC: [u8; 6] = *b"twatfc";
const FORMAT: u16 = 1;

/// Why bytes are not the header of an entry.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NoHeader {
    /// Another version of this library has written it.
    Foreign,
    Damaged,
}

impl Header {
    pub(crate) const LEN: usize = ALIGNMENT;

    pub(crate) fn to_bytes(self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        bytes[..6].copy_from_slice(&MAGIC);
        bytes[6..8].copy_from_slice(&FORMAT.to_le_bytes());
        bytes[16..32].copy_from_slice(&self.key.to_bytes());
        for (at, word) in [(8, self.namespace), (32, self.length), (40, self.deadline), (48, self.sum)] {
            bytes[at..at + 8].copy_from_slice(&word.to_le_bytes());
        }
        let sum = xxh3_64(&bytes[..56]);
        bytes[56..].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// The header at the start of these bytes.
    pub(crate) fn of(bytes: &[u8]) -> Result<Self, NoHeader> {
        let Some((bytes, _)) = bytes.split_first_chunk::<{ Self::LEN }>() else { return Err(NoHeader::Damaged) };
        let word = |at: usize| bytes[at..].first_chunk().map_or(0, |word| u64::from_le_bytes(*word));
        if bytes[..6] != MAGIC || word(56) != xxh3_64(&bytes[..56]) {
            return Err(NoHeader::Damaged);
        }
        if bytes[6..8] != FORMAT.to_le_bytes() {
            return Err(NoHeader::Foreign);
        }
        let mut key = [0; 16];
        key.copy_from_slice(&bytes[16..32]);
        let key = KeyHash::from_bytes(key);
        Ok(Self { namespace: word(8), key, length: word(32), deadline: word(40), sum: word(48) })
    }

    /// The header of the entry in a file, if the file is one.
    pub(crate) fn read(path: &Path) -> Option<Self> {
        let mut header = [0; Self::LEN];
        let file = system::open(path).ok()?;
        system::read_at(&file, &mut header, 0).ok()?;
        Self::of(&header).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_comes_back_as_it_was_and_nothing_else_passes_for_one() {
        let key = KeyHash::from_bytes(*b"sixteen bytes ok");
        let header = Header { namespace: 1, key, length: 2, deadline: 3, sum: u64::MAX };
        let bytes = header.to_bytes();
        assert_eq!(Header::of(&bytes), Ok(header));
        for (at, bit) in (0..Header::LEN).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
            let mut flipped = bytes;
            flipped[at] ^= 1 << bit;
            assert!(Header::of(&flipped).is_err(), "bit {bit} of byte {at}");
        }
        (0..Header::LEN).for_each(|len| assert_eq!(Header::of(&bytes[..len]), Err(NoHeader::Damaged)));
        // As a later version would write it.
        let mut later = bytes;
        later[6] = 2;
        let sum = xxh3_64(&later[..56]);
        later[56..].copy_from_slice(&sum.to_le_bytes());
        assert_eq!(Header::of(&later), Err(NoHeader::Foreign));
    }
}
