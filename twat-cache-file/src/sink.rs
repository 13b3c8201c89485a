//! Where archived bytes go: into a file, a piece at a time, or into memory.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};

use rkyv::util::AlignedVec;
use twat_cache_core::persist::{RkyvValue, archive};
use twat_cache_core::{Error, ErrorKind};
use xxhash_rust::xxh3::Xxh3Default;

use crate::entry::Header;
use crate::map::{ALIGNMENT, Bytes};

/// What is collected before it is written, and more than most entries have.
const BUFFER: usize = 128 << 10;
/// How much is hashed and then written: so that it is still in the processor's cache.
const PIECE: usize = 1 << 20;

/// Takes archived bytes, with room for a header in front of them.
pub(crate) struct Sink<'a> {
    /// Header and payload, or what of them is not yet in the file.
    buffer: AlignedVec<ALIGNMENT>,
    file: Option<&'a File>,
    /// How much of the buffer is header, to be left out of the sum.
    header: usize,
    sum: Xxh3Default,
    /// Length of the payload so far.
    length: usize,
    limit: u64,
    too_large: bool,
    failed: Option<io::Error>,
}

/// How archiving has ended, if not with an error.
pub(crate) enum Ended<'a> {
    Written(Box<Sink<'a>>),
    /// The limit would not have held it; the rest was not even archived.
    TooLarge,
}

impl<'a> Sink<'a> {
    /// Into a file that is empty so far. No payload may be longer than `limit`.
    pub(crate) fn into_file(file: &'a File, limit: u64) -> Self {
        Self { file: Some(file), limit, ..Self::in_memory() }
    }

    pub(crate) fn in_memory() -> Self {
        let mut buffer = AlignedVec::new();
        buffer.resize(Header::LEN, 0);
        Self {
            buffer,
            file: None,
            header: Header::LEN,
            sum: Xxh3Default::new(),
            length: 0,
            limit: u64::MAX,
            too_large: false,
            failed: None,
        }
    }

    /// Writes the archived form of a value.
    pub(crate) fn archive<V: RkyvValue>(mut self, value: &V) -> Result<Ended<'a>, Error> {
        if align_of::<V::Archived>() > ALIGNMENT {
            let why = "its archived form is aligned to more than 64 bytes";
            return Err(Error::new(ErrorKind::Codec, "archive a value").because(why));
        }
        match archive(value, &mut self) {
            Ok(()) => Ok(Ended::Written(Box::new(self))),
            Err(_) if self.too_large => Ok(Ended::TooLarge),
            Err(error) => Err(self.failed.map_or(error, Into::into)),
        }
    }

    /// Completes a file by what is still to be written, and the header, which is made from length and sum.
    pub(crate) fn finish(mut self, header: impl FnOnce(u64, u64) -> Header) -> io::Result<u64> {
        let length = self.length as u64;
        let is_whole = self.header > 0;
        self.sum.update(&self.buffer[self.header..]);
        let header = header(length, self.sum.digest()).to_bytes();
        let Some(file) = &mut self.file else { return Ok(length) };
        if is_whole {
            self.buffer[..Header::LEN].copy_from_slice(&header);
            file.write_all(&self.buffer)?;
        } else {
            file.write_all(&self.buffer)?;
            file.seek(SeekFrom::Start(0))?;
            file.write_all(&header)?;
        }
        Ok(length)
    }

    pub(crate) fn into_bytes(self) -> Bytes {
        Bytes::Owned(self.buffer)
    }

    fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(file) = &mut self.file else {
            self.buffer.extend_from_slice(bytes);
            return Ok(());
        };
        if self.buffer.len() + bytes.len() <= BUFFER {
            self.buffer.extend_from_slice(bytes);
            return Ok(());
        }
        self.sum.update(&self.buffer[self.header..]);
        self.header = 0;
        file.write_all(&self.buffer)?;
        self.buffer.clear();
        if bytes.len() < BUFFER {
            self.buffer.extend_from_slice(bytes);
            return Ok(());
        }
        for piece in bytes.chunks(PIECE) {
            self.sum.update(piece);
            file.write_all(piece)?;
        }
        Ok(())
    }
}

impl Write for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = self.length.saturating_add(bytes.len());
        if length as u64 > self.limit {
            self.too_large = true;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.take(bytes).map_err(|error| {
            // rkyv keeps the words of it only; here it stays what it is.
            let kind = error.kind();
            self.failed = Some(error);
            io::Error::from(kind)
        })?;
        self.length = length;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
