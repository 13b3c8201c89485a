//! The file of a new entry, before it gets its name.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use twat_cache_core::among::system;
use twat_cache_core::among::temp::Temp;
use twat_cache_core::{Clock, Error};
use xxhash_rust::xxh3::{Xxh3Default, xxh3_64};

use crate::codec::{FileCodec, encode};
use crate::entry::Header;
use crate::measure::{BUFFER, Measured};

/// Writes an entry into a new file in this directory, and returns the file and its length. `fill` writes what follows the
/// header, and returns its length and sum. `None` if `fill` has found that the file would be too long.
pub(crate) fn write(
    tmp: &Path,
    header: Header,
    fill: impl FnOnce(&File) -> Result<Option<(u64, u64)>, Error>,
) -> Result<Option<(Temp, u64)>, Error> {
    let new = Temp::new(tmp, 0o400)?;
    let Some((length, sum)) = fill(&new.file)? else { return Ok(None) };
    system::write_at(&new.file, &Header { length, sum, ..header }.to_bytes(), 0)?;
    // The clock of file systems has ticks of milliseconds. Of two entries that are written during one, the first is the older.
    let _ = system::set_modified(&new.file, Clock::system().since_1970());
    Ok(Some((new, Header::LEN as u64 + length)))
}

/// Writes a value that was measured.
pub(crate) fn measured<V, C: FileCodec<V>>(
    file: &File,
    value: &V,
    measured: &Measured,
) -> Result<Option<(u64, u64)>, Error> {
    match &measured.whole {
        Some(bytes) => encoded(file, bytes).map(Some),
        None => stream::<V, C>(file, value, measured.limit),
    }
}

/// Writes a value of these bytes.
pub(crate) fn encoded(file: &File, bytes: &[u8]) -> Result<(u64, u64), Error> {
    system::write_at(file, bytes, Header::LEN as u64)?;
    Ok((bytes.len() as u64, xxh3_64(bytes)))
}

/// Writes a value behind the place of its header, and returns its length and sum. `None` if it has become longer than the limit
/// since it was measured.
fn stream<V, C: FileCodec<V>>(file: &File, value: &V, limit: u64) -> Result<Option<(u64, u64)>, Error> {
    let output = Output { file, bytes: Header::LEN as u64, limit, sum: Xxh3Default::new(), failed: None };
    let mut output = BufWriter::with_capacity(BUFFER, output);
    let encoded = encode::<V, C>(value, &mut output).and_then(|()| Ok(output.flush()?));
    let (Output { bytes, sum, failed, .. }, _) = output.into_parts();
    if bytes > limit {
        return Ok(None);
    }
    failed.map_or(encoded, |error| Err(error.into()))?;
    Ok(Some((bytes - Header::LEN as u64, sum.digest())))
}

/// How much is hashed and then written, so that it is still in the processor's cache.
const PIECE: usize = 1 << 20;

/// Hashes the bytes of a file while they are written.
struct Output<'a> {
    file: &'a File,
    /// How many bytes the file has, or would have. It begins with the header, which is written last.
    bytes: u64,
    limit: u64,
    sum: Xxh3Default,
    /// Why writing has failed. Codecs pass on the message of an error, and not its kind.
    failed: Option<io::Error>,
}

impl Write for Output<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let bytes = &bytes[..bytes.len().min(PIECE)];
        let at = self.bytes;
        self.bytes = at.saturating_add(bytes.len() as u64);
        if self.bytes > self.limit {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.sum.update(bytes);
        system::write_at(self.file, bytes, at).map_err(|error| {
            let kind = error.kind();
            self.failed = Some(error);
            io::Error::from(kind)
        })?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
