//! The file of a new entry, before it gets its name.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use twat_cache_core::persist::CacheValue;
use twat_cache_core::{Clock, Error};
use xxhash_rust::xxh3::Xxh3Default;

use crate::entry::Header;
use crate::system;
use crate::temp::Temp;
use crate::view::archive;

/// Writes an entry into a new file in this directory, and returns the file and its length. The header gets its length and sum
/// here. `None` if the file would be longer than `limit`; the rest of the value is not even archived then.
pub(crate) fn write<V: CacheValue>(
    tmp: &Path,
    header: Header,
    value: &V,
    limit: u64,
) -> Result<Option<(Temp, u64)>, Error> {
    let file = Temp::new(tmp, 0o400)?;
    let output = Output { file: &file.file, bytes: Header::LEN as u64, limit, sum: Xxh3Default::new(), failed: None };
    let mut output = BufWriter::with_capacity(BUFFER, output);
    let archived = archive(value, &mut output).and_then(|()| Ok(output.flush()?));
    let (Output { bytes, sum, failed, .. }, _) = output.into_parts();
    if bytes > limit {
        return Ok(None);
    }
    failed.map_or(archived, |error| Err(error.into()))?;
    let header = Header { length: bytes - Header::LEN as u64, sum: sum.digest(), ..header };
    system::write_at(&file.file, &header.to_bytes(), 0)?;
    // The clock of file systems has ticks of milliseconds. Of two entries that are written during one, the first is the older.
    let _ = system::set_modified(&file.file, Clock::system().since_1970());
    Ok(Some((file, bytes)))
}

/// How much is collected before it is written; more than most entries have.
const BUFFER: usize = 32 << 10;
/// How much is hashed and then written, so that it is still in the processor's cache.
const PIECE: usize = 1 << 20;

/// Hashes the bytes of a file while they are written.
struct Output<'a> {
    file: &'a File,
    /// How many bytes the file has, or would have. It begins with the header, which is written last.
    bytes: u64,
    limit: u64,
    sum: Xxh3Default,
    /// Why writing has failed. rkyv passes on the message of an error, and not its kind.
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
