//! The length of a value, which is known before anything is written or allocated for it.

use std::io;

use rkyv::util::AlignedVec;
use twat_cache_core::Error;

use crate::codec::{FileCodec, encode};
use crate::entry::Header;
use crate::map::{ALIGNMENT, Bytes};

/// An encoded value: how long it is, and its bytes if they are few. Most values are short, so they are encoded only once.
pub(crate) struct Measured {
    pub(crate) whole: Option<Vec<u8>>,
    /// The length with a header.
    pub(crate) len: u64,
    pub(crate) limit: u64,
}

/// How many bytes are allocated at first, and collected before they are written. More than most values have.
pub(crate) const BUFFER: usize = 32 << 10;

/// A longer value is only counted. A task does not wait for its file on its own thread.
pub(crate) const LARGE: usize = 1 << 20;

impl Measured {
    /// Encodes a value, and counts the bytes. `None` if it is longer than `limit`, with its header.
    pub(crate) fn of<V, C: FileCodec<V>>(value: &V, limit: u64) -> Result<Option<Self>, Error> {
        let mut measured = Self { whole: Some(Vec::with_capacity(BUFFER)), len: Header::LEN as u64, limit };
        match encode::<V, C>(value, &mut measured) {
            _ if measured.len > limit => Ok(None),
            encoded => encoded.map(|()| Some(measured)),
        }
    }

    /// All bytes of a large value. `None` if it is not large, there is no memory for them, or it is encoded differently now.
    pub(crate) fn large<V, C: FileCodec<V>>(&self, value: &V) -> Option<Vec<u8>> {
        let len = usize::try_from(self.len).ok().filter(|_| self.whole.is_none())? - Header::LEN;
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(len).ok()?;
        encode::<V, C>(value, &mut bytes).ok()?;
        (bytes.len() == len).then_some(bytes)
    }
}

impl io::Write for Measured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.len = self.len.saturating_add(bytes.len() as u64);
        if self.len > self.limit {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        match &mut self.whole {
            Some(whole) if bytes.len() <= LARGE - whole.len() => whole.extend_from_slice(bytes),
            whole => *whole = None,
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The entry of a value, in memory. `None` if it is longer than `limit`, with its header.
pub(crate) fn in_memory<V, C: FileCodec<V>>(value: &V, limit: u64) -> Result<Option<C::Entry>, Error> {
    let Some(measured) = Measured::of::<V, C>(value, limit)? else { return Ok(None) };
    let mut bytes = allocate(measured.len)?;
    bytes.resize(Header::LEN, 0);
    match measured.whole {
        Some(whole) => bytes.extend_from_slice(&whole),
        None => encode::<V, C>(value, &mut bytes)?,
    }
    C::check(Bytes::Owned(bytes)).map(Some)
}

/// An empty buffer for this many bytes.
pub(crate) fn allocate(len: u64) -> io::Result<AlignedVec<ALIGNMENT>> {
    let len = usize::try_from(len).map_err(|_| io::ErrorKind::OutOfMemory)?;
    // An `AlignedVec` aborts the process if there is not enough memory; a `Vec` does not.
    Vec::<u8>::new().try_reserve_exact(len).map_err(|_| io::ErrorKind::OutOfMemory)?;
    Ok(AlignedVec::with_capacity(len))
}
