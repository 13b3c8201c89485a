//! How entries lie in the database: their keys, and the keys of what is kept beside them.

use twat_cache_core::KeyHash;

/// An area and a digest: sixteen bytes behind eight.
pub(crate) type Key = [u8; 24];

/// The area of what is no entry.
const ACCOUNTS: u64 = 0;

/// The key of an entry. Areas are big-endian, so that one's entries lie together.
pub(crate) fn key(area: u64, digest: KeyHash) -> Key {
    let mut key = [0; 24];
    key[..8].copy_from_slice(&area.to_be_bytes());
    key[8..].copy_from_slice(&digest.to_bytes());
    key
}

/// The prefix of all entries of an area.
pub(crate) fn prefix(area: u64) -> [u8; 8] {
    area.to_be_bytes()
}

/// The area that the entry with this key is in, if it is an entry's.
pub(crate) fn area_of(key: &[u8]) -> Option<u64> {
    let (area, _) = key.split_first_chunk::<8>()?;
    Some(u64::from_be_bytes(*area)).filter(|area| *area != ACCOUNTS)
}

/// The number of an area is random; none is that of the accounts.
pub(crate) fn area(id: u64) -> u64 {
    id.max(ACCOUNTS + 1)
}

/// The key of the secret that all digests are keyed by.
pub(crate) const SECRET: &[u8] = b"\0\0\0\0\0\0\0\0secret";

/// The prefix of the keys of all records.
pub(crate) const RECORDS: &[u8] = b"\0\0\0\0\0\0\0\0record";

/// The key of an area's record.
pub(crate) fn record(area: u64) -> Vec<u8> {
    [RECORDS, &area.to_be_bytes()].concat()
}

/// The area whose record has this key.
pub(crate) fn recorded(key: &[u8]) -> Option<u64> {
    let area = key.strip_prefix(RECORDS)?;
    Some(u64::from_be_bytes(area.try_into().ok()?))
}
