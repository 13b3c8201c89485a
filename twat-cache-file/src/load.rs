//! An entry from its file: mapped or read, and checked.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use rkyv::util::AlignedVec;
use twat_cache_core::persist::RkyvValue;
use twat_cache_core::{Error, ErrorKind, KeyHash};
use xxhash_rust::xxh3::{Xxh3Default, xxh3_64};

use crate::builder::{Access, Verify};
use crate::entry::{Header, NoHeader};
use crate::map::Bytes;
use crate::meta;
use crate::place::{Place, remove_entry};
use crate::proof;
use crate::store::Reading;
use crate::system::{self, Stat};
use crate::view::View;

/// From this size on, mapping a file is faster than reading it.
const MAP_FROM: u64 = 128 << 10;

/// What a file gives: the value, what its header says, and the file, if it is to be held open.
type Loaded<V> = (View<V>, Header, Option<File>, Stat);

/// The entry in this file, if there is one that may be given out. An expired one is removed.
pub(crate) fn load<V: RkyvValue>(
    place: &Place,
    digest: KeyHash,
    path: &Path,
    reading: &Reading,
) -> Result<Option<Loaded<V>>, Error> {
    let attempt = "read an entry";
    let refused = |error: io::Error| Error::from(error).attempting(attempt);
    let file = match system::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        // A link, say.
        Err(_) if system::stat_of(path).is_ok_and(|found| !found.is_file) => return Err(damaged("it is no file")),
        file => file.map_err(refused)?,
    };
    let stat = system::stat(&file).map_err(refused)?;
    let is_large = stat.len >= MAP_FROM;
    if !stat.is_file || stat.owner != place.owner || stat.len < Header::LEN as u64 {
        return Err(damaged("it is no entry"));
    }
    // Of a large file first the header alone: it must be as long as that says, before as much memory is asked for.
    let small = if is_large { None } else { Some(read_whole(&file, stat.len).map_err(refused)?) };
    let header = if let Some(bytes) = &small {
        Header::of(bytes)
    } else {
        let mut bytes = [0; Header::LEN];
        system::read_at(&file, &mut bytes, 0).map_err(refused)?;
        Header::of(&bytes)
    };
    let header = match header {
        Err(NoHeader::Foreign) => return Ok(None),
        Err(NoHeader::Damaged) => return Err(damaged("its header has been changed")),
        Ok(header) => header,
    };
    if header.key != digest || header.area != place.area() {
        return Err(damaged("it is another entry"));
    }
    if header.length.checked_add(Header::LEN as u64) != Some(stat.len) {
        return Err(damaged("it is not as long as it was"));
    }
    if !reading.expiry.allows(header.deadline) {
        if header.deadline != 0 && header.deadline <= reading.expiry.clock.since_1970() {
            // If it cannot be removed, it is here next time.
            let _ = meta::fits().and_then(|()| remove_entry(path, &place.meta)).and_then(|_| place.meta.outdate());
        }
        return Ok(None);
    }
    let bytes = match small {
        Some(bytes) => Bytes::Owned(bytes),
        None => open_large(&file, &stat, place, path, reading.access).map_err(refused)?,
    };
    if bytes.all().len() as u64 != stat.len {
        return Err(damaged("it has been cut short"));
    }
    if reading.verify == Verify::Once {
        // What is mapped is summed up by reading: a disk that cannot be read gives an error then, and kills nobody.
        let sum = if bytes.is_mapped() { sum_of(&file, stat.len).map_err(refused)? } else { xxh3_64(bytes.payload()) };
        if sum != header.sum {
            return Err(damaged("its checksum is wrong"));
        }
    }
    let view: View<V> = View::check(bytes)?;
    let held = view.is_mapped().then_some(file);
    Ok(Some((view, header, held, stat)))
}

/// The sum of all that is behind the header, of a file of this length.
fn sum_of(file: &File, length: u64) -> io::Result<u64> {
    let mut sum = Xxh3Default::new();
    let mut piece = vec![0; 256 << 10];
    let mut at = Header::LEN as u64;
    while at < length {
        let rest = usize::try_from(length - at).unwrap_or(usize::MAX).min(piece.len());
        system::read_at(file, &mut piece[..rest], at)?;
        sum.update(&piece[..rest]);
        at += rest as u64;
    }
    Ok(sum.digest())
}

fn damaged(why: &'static str) -> Error {
    Error::new(ErrorKind::Corrupt, "read an entry").because(why)
}

fn open_large(file: &File, stat: &Stat, place: &Place, path: &Path, access: Access) -> io::Result<Bytes> {
    let dir = path.parent().unwrap_or(&place.dir);
    let proof = if access == Access::Auto { proof::prove(stat, dir, &place.dir) } else { None };
    if let (Some(proof), Ok(len)) = (proof, usize::try_from(stat.len)) {
        // Where there is no place for it in the address space, there may still be memory.
        if let Ok(bytes) = Bytes::map(file, len, proof) {
            return Ok(bytes);
        }
    }
    read_whole(file, stat.len).map(Bytes::Owned)
}

/// All of a file; less, if it has become shorter.
fn read_whole(file: &File, len: u64) -> io::Result<AlignedVec<{ crate::map::ALIGNMENT }>> {
    let len_in_memory = usize::try_from(len).map_err(|_| io::ErrorKind::OutOfMemory)?;
    if len >= MAP_FROM {
        // An `AlignedVec` aborts the process if there is no room for it. Whether there is can be asked of another.
        Vec::<u8>::new().try_reserve_exact(len_in_memory).map_err(|_| io::ErrorKind::OutOfMemory)?;
    }
    let mut bytes = AlignedVec::new();
    bytes.reserve_exact(len_in_memory);
    bytes.extend_from_reader(&mut file.take(len))?;
    Ok(bytes)
}
