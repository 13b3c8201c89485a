//! How entries lie in the database: their keys, and the keys of what is kept beside them.

use twat_cache_core::KeyHash;

/// A digest and an area: eight bytes behind sixteen.
///
/// The digest comes first because the engine compares the first bytes of two keys where it has them at hand, and only if
/// they are equal goes to where the keys lie. So whoever wants all entries of one area looks at those of all.
pub(crate) type Key = [u8; LEN];

const LEN: usize = 24;

/// The key of an entry.
pub(crate) fn key(area: u64, digest: KeyHash) -> Key {
    let mut key = [0; LEN];
    key[..16].copy_from_slice(&digest.to_bytes());
    key[16..].copy_from_slice(&area.to_be_bytes());
    key
}

/// The area that the entry with this key is in, if it is an entry's: what is kept beside them has keys of other lengths.
pub(crate) fn area_of(key: &[u8]) -> Option<u64> {
    let key: &Key = key.try_into().ok()?;
    let (_, area) = key.split_last_chunk::<8>()?;
    Some(u64::from_be_bytes(*area))
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
