//! The keys of the entries in the database, and of what is stored beside them.

use twat_cache_core::KeyHash;

/// A digest (16 bytes), then the id of a namespace (8 bytes, big-endian).
///
/// The digest comes first because the engine compares the first bytes of two keys without following a pointer. So all
/// entries of one namespace can only be found by looking at all entries.
pub(crate) type Key = [u8; LEN];

const LEN: usize = 24;

/// The key of an entry.
pub(crate) fn key(id: u64, digest: KeyHash) -> Key {
    let mut key = [0; LEN];
    key[..16].copy_from_slice(&digest.to_bytes());
    key[16..].copy_from_slice(&id.to_be_bytes());
    key
}

/// The id of the namespace of the entry with this key; `None` if it is not the key of an entry. All other keys have other
/// lengths.
pub(crate) fn id(key: &[u8]) -> Option<u64> {
    let key: &Key = key.try_into().ok()?;
    let (_, id) = key.split_last_chunk::<8>()?;
    Some(u64::from_be_bytes(*id))
}

/// The key of the secret that keys all digests.
pub(crate) const SECRET: &[u8] = b"\0\0\0\0\0\0\0\0secret";

/// The prefix of the keys of all records.
pub(crate) const RECORDS: &[u8] = b"\0\0\0\0\0\0\0\0usage";

/// The key of the record of a name.
pub(crate) fn record(name: u64) -> Vec<u8> {
    [RECORDS, &name.to_be_bytes()].concat()
}

/// The name whose record has this key.
pub(crate) fn recorded(key: &[u8]) -> Option<u64> {
    let name = key.strip_prefix(RECORDS)?;
    Some(u64::from_be_bytes(name.try_into().ok()?))
}

/// The key of the dictionary of a name.
#[cfg(feature = "compress")]
pub(crate) fn dictionary(name: u64) -> Vec<u8> {
    [&b"\0\0\0\0\0\0\0\0dict"[..], &name.to_be_bytes()].concat()
}
