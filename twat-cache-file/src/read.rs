//! An entry from its file: mapped or copied, and checked.

use std::fs::File;
use std::io;
use std::path::Path;

use rkyv::util::AlignedVec;
use twat_cache_core::among::system::private::Private;
use twat_cache_core::among::system::{self, Stat};
use twat_cache_core::{Error, ErrorKind, Expiry, KeyHash};
use xxhash_rust::xxh3::{Xxh3Default, xxh3_64};

use crate::codec::FileCodec;
use crate::directory::Directory;
use crate::entry::{Header, NoHeader};
use crate::map::{ALIGNMENT, Bytes};
use crate::measure::allocate;

/// How entries are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Access {
    /// An entry of at least 128 KiB is mapped if nobody else can change it, all others are copied; the default.
    ///
    /// Nobody else can change a regular file of this user on a local file system of Linux, if neither group nor others can
    /// write to the file and its directories, and these belong to this user as well.
    #[default]
    Auto,
    /// All entries are copied.
    Copy,
}

/// How much of an entry is checked when a process first reads it. Its header and its structure always are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Verify {
    /// Everything, by a checksum. This takes about 0.1 s a gigabyte; the default.
    #[default]
    Once,
    /// The structure only. For a gigabyte of numbers this takes microseconds. It does not notice if a disk has flipped a bit
    /// of a number, or has lost some numbers in a power cut. With [`serde`](crate::FileBuilder), every hit checks the structure.
    Structure,
}

/// The options of reading.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reading {
    pub(crate) access: Access,
    pub(crate) verify: Verify,
}

/// From this size on, mapping a file is faster than copying it.
const MAP_FROM: usize = 128 << 10;

/// What a file contains: the entry, its header, and the file itself if the entry is mapped.
pub(crate) type Loaded<E> = (E, Header, Option<File>, Stat);

/// The entry in this file, if there is one and it is valid. If it has expired, it is removed.
pub(crate) fn load<V, C: FileCodec<V>>(
    directory: &Directory,
    digest: KeyHash,
    path: &Path,
    reading: Reading,
    expiry: &Expiry,
) -> Result<Option<Loaded<C::Entry>>, Error> {
    let refused = |error: io::Error| Error::from(error).attempting("read an entry");
    let file = match system::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        // A link, for instance.
        Err(_) if system::stat_of(path).is_ok_and(|found| !found.is_file) => return Err(damaged("it is no file")),
        file => file.map_err(refused)?,
    };
    let stat = system::stat(&file).map_err(refused)?;
    if !stat.is_file || stat.owner != directory.owner || stat.len < Header::LEN as u64 {
        return Err(damaged("it is no entry"));
    }
    // Of a large file first the header alone. Only if the file has the header's length, that much memory is allocated.
    let small = usize::try_from(stat.len).ok().filter(|len| *len < MAP_FROM);
    let bytes = read(&file, small.unwrap_or(Header::LEN)).map_err(refused)?;
    let header = match Header::of(&bytes) {
        Err(NoHeader::Foreign) => return Ok(None),
        Err(NoHeader::Damaged) => return Err(damaged("its header has been changed")),
        Ok(header) => header,
    };
    if header.key != digest || header.namespace != directory.namespace_id {
        return Err(damaged("it is another entry"));
    }
    if header.length.checked_add(Header::LEN as u64) != Some(stat.len) {
        return Err(damaged("it does not have its length any more"));
    }
    if !expiry.allows(header.deadline) {
        if header.deadline != 0 && header.deadline <= expiry.clock.since_1970() {
            // If it cannot be removed now, it is removed next time.
            let _ = directory.files.remove(path).and_then(|_| directory.meta.outdate_state(digest));
        }
        return Ok(None);
    }
    let bytes = if small.is_some() {
        Bytes::Owned(bytes)
    } else {
        map_or_read(&file, &stat, directory, path, reading.access).map_err(refused)?
    };
    if reading.verify == Verify::Once {
        // The sum of a mapped file is made by reading. If the disk cannot be read, that is an error and kills nobody.
        let sum = if bytes.is_mapped() { sum_of(&file, stat.len).map_err(refused)? } else { xxh3_64(bytes.payload()) };
        if sum != header.sum {
            return Err(damaged("its checksum is wrong"));
        }
    }
    let file = bytes.is_mapped().then_some(file);
    Ok(Some((C::check(bytes)?, header, file, stat)))
}

fn damaged(why: &'static str) -> Error {
    Error::new(ErrorKind::Corrupt, "read an entry").because(why)
}

/// The sum of everything behind the header, of a file of this length.
fn sum_of(file: &File, length: u64) -> io::Result<u64> {
    let mut sum = Xxh3Default::new();
    let mut piece = vec![0; 256 << 10];
    for at in (Header::LEN as u64..length).step_by(piece.len()) {
        let rest = usize::try_from(length - at).unwrap_or(usize::MAX).min(piece.len());
        system::read_at(file, &mut piece[..rest], at)?;
        sum.update(&piece[..rest]);
    }
    Ok(sum.digest())
}

fn map_or_read(file: &File, stat: &Stat, directory: &Directory, path: &Path, access: Access) -> io::Result<Bytes> {
    let len = usize::try_from(stat.len).map_err(|_| io::ErrorKind::OutOfMemory)?;
    if access == Access::Auto
        && let Some(proof) = Private::prove(stat, path.parent().unwrap_or(&directory.path), &directory.path)
        && let Ok(bytes) = Bytes::map(file, len, proof)
    {
        return Ok(bytes);
    }
    // If there is no room in the address space for the whole file, there may still be memory.
    read(file, len).map(Bytes::Owned)
}

/// The first bytes of a file.
fn read(file: &File, len: usize) -> io::Result<AlignedVec<ALIGNMENT>> {
    let mut bytes = allocate(len as u64)?;
    bytes.resize(len, 0);
    system::read_at(file, &mut bytes, 0)?;
    Ok(bytes)
}
