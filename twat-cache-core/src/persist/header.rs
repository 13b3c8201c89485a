/// The header of an entry: 16 bytes, little-endian, before the value's bytes. Its length keeps the value aligned.
///
/// | bytes | |
/// |---|---|
/// | 0 | format version: 1 |
/// | 1 | codec |
/// | 2–7 | epoch in which the entry was written |
/// | 8–15 | deadline, in nanoseconds since 1970; 0 if the entry never expires |
///
/// ```
/// use twat_cache_core::persist::Header;
///
/// let header = Header { codec: 1, epoch: 42, deadline: 0 };
/// assert_eq!(Header::split(&header.to_bytes()), Some((header, &[][..])));
/// assert_eq!(Header::split(b"too short"), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The codec's [`ID`](super::Codec::ID).
    pub codec: u8,
    /// A number of 48 bits that never decreases. Each store defines its meaning.
    pub epoch: u64,
    /// When the entry expires, in nanoseconds since 1970; 0 if it never expires.
    pub deadline: u64,
}

const FORMAT: u8 = 1;

impl Header {
    /// The length in bytes.
    pub const LEN: usize = 16;
    /// The largest epoch.
    pub const MAX_EPOCH: u64 = (1 << 48) - 1;

    /// Encodes the header.
    pub fn to_bytes(self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        bytes[..8].copy_from_slice(&(self.epoch << 16).to_le_bytes());
        bytes[0] = FORMAT;
        bytes[1] = self.codec;
        bytes[8..].copy_from_slice(&self.deadline.to_le_bytes());
        bytes
    }

    /// Splits an entry into its header and the value's bytes. Returns `None` if the format version is another one, or
    /// if the entry is too short.
    #[inline]
    pub fn split(entry: &[u8]) -> Option<(Self, &[u8])> {
        let (header, value) = entry.split_first_chunk::<{ Self::LEN }>()?;
        let (first, deadline) = header.split_first_chunk::<8>()?;
        let first = u64::from_le_bytes(*first);
        let [FORMAT, codec, ..] = first.to_le_bytes() else { return None };
        let deadline = u64::from_le_bytes(deadline.try_into().ok()?);
        Some((Self { codec, epoch: first >> 16, deadline }, value))
    }
}
