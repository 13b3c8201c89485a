//! All that is `unsafe` in this library: files as memory, archived values that have been validated once, and locks on parts
//! of files.
//!
//! The words of rkyv: bytes are *valid* for `T` if `rkyv::access::<T>` accepts them. It looks at all that an archived `T`
//! can lead to, so a reference made from valid bytes is sound for as long as they do not change.

#![expect(unsafe_code, reason = "none of this can be said otherwise")]

use std::fmt;
use std::fs::File;
use std::io;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use memmap2::{Mmap, MmapOptions, MmapRaw};
use rkyv::Portable;
use rkyv::api::high::HighValidator;
use rkyv::bytecheck::CheckBytes;
use rkyv::rancor;
use rkyv::util::AlignedVec;

use crate::entry::Header;
use crate::proof::Private;

/// The alignment of what is archived, whether mapped or copied. A page has more.
pub(crate) const ALIGNMENT: usize = Header::LEN;

/// A header, and the bytes of a value behind it.
pub(crate) enum Bytes {
    Mapped(Mmap),
    Owned(AlignedVec<ALIGNMENT>),
}

impl Bytes {
    /// Maps the first `len` bytes of a file, of which it must have as many.
    pub(crate) fn map(file: &File, len: usize, _proof: Private) -> io::Result<Self> {
        // SAFETY: the file must not be changed while it is mapped. The proof says that it is a regular file on a local file
        // system, and that nobody but this user can write to it or to its directory. This user's programs know it as a
        // cache entry, and those never change: this library makes them read-only before they get their name, and replaces
        // or removes them as a whole, which a mapping outlives. What else this user does to it is out of contract.
        unsafe { MmapOptions::new().len(len).map(file) }.map(Self::Mapped)
    }

    pub(crate) fn all(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Owned(bytes) => bytes,
        }
    }

    /// What stands behind the header.
    pub(crate) fn payload(&self) -> &[u8] {
        self.all().get(Header::LEN..).unwrap_or_default()
    }

    pub(crate) fn is_mapped(&self) -> bool {
        matches!(self, Self::Mapped(_))
    }
}

/// Bytes whose payload is valid for `T`.
pub(crate) struct Checked<T> {
    // Private, and shared: nobody gets them to change.
    bytes: Arc<Bytes>,
    archived: PhantomData<Arc<T>>,
}

impl<T: Portable> Checked<T> {
    /// Validates them.
    pub(crate) fn new(bytes: Bytes) -> Result<Self, rancor::Error>
    where
        T: for<'a> CheckBytes<HighValidator<'a, rancor::Error>>,
    {
        rkyv::access::<T, rancor::Error>(bytes.payload())?;
        Ok(Self { bytes: Arc::new(bytes), archived: PhantomData })
    }

    #[inline]
    pub(crate) fn get(&self) -> &T {
        // SAFETY: `new`, the only one to make a `Checked`, has validated these bytes for `T` by `rkyv::access`, the checked
        // twin of this function. They have not changed since: owned ones are behind an `Arc` that gives only `&`, mapped ones
        // by the contract of `Bytes::map`; and `T`, being `Portable`, has no interior mutability. They have not moved either:
        // a mapping and the buffer of a vector stay where they are.
        unsafe { rkyv::access_unchecked::<T>(self.bytes.payload()) }
    }

    pub(crate) fn bytes(&self) -> &Bytes {
        &self.bytes
    }
}

impl<T> Clone for Checked<T> {
    fn clone(&self) -> Self {
        Self { bytes: self.bytes.clone(), archived: PhantomData }
    }
}

/// The first 64 bytes of a file as eight words that all processes see. They are changed by calls.
pub(crate) struct Words(MmapRaw);

impl Words {
    const COUNT: usize = 8;

    /// Maps them; the file must be as long.
    pub(crate) fn map(file: &File, _proof: Private) -> io::Result<Self> {
        MmapOptions::new().len(Self::COUNT * 8).map_raw(file).map(Self)
    }

    #[inline]
    pub(crate) fn load(&self, index: usize) -> u64 {
        assert!(index < Self::COUNT, "there are eight words");
        #[expect(clippy::cast_ptr_alignment, reason = "a mapping starts at a page")]
        let word = self.0.as_mut_ptr().cast::<u64>();
        // SAFETY: the mapping has 64 bytes, may be read and written, and lives as long as `self`, so the word is inside and
        // aligned. No code of this process accesses it otherwise; what the kernel writes there for others may be seen in part,
        // and any value will do. That the file stays as long is part of the contract of `Bytes::map`, and looked at (`Meta::is_whole`).
        unsafe { AtomicU64::from_ptr(word.add(index)) }.load(Ordering::Acquire)
    }
}

impl fmt::Debug for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Words(..)")
    }
}

/// Locks bytes of a file for this handle and its clones, or unlocks them; says whether it could. It waits for nobody.
///
/// The bytes need not exist. The kernel takes them back when the last clone is closed.
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
pub(crate) fn lock_bytes(file: &File, at: u64, len: u64, is_locked: bool) -> io::Result<bool> {
    let kind = if is_locked { libc::F_WRLCK } else { libc::F_UNLCK };
    match control(file, libc::F_OFD_SETLK, kind, at, len) {
        Ok(_) => Ok(true),
        Err(error) if matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EACCES)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// How many bytes another handle has locked that begin at this place of the file; `None` if none are.
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
pub(crate) fn len_of_lock(file: &File, at: u64) -> io::Result<Option<u64>> {
    let found = control(file, libc::F_OFD_GETLK, libc::F_WRLCK, at, 1)?;
    let is_there = libc::c_int::from(found.l_type) != libc::F_UNLCK && u64::try_from(found.l_start) == Ok(at);
    Ok(u64::try_from(found.l_len).ok().filter(|_| is_there))
}

#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
fn control(file: &File, command: libc::c_int, kind: libc::c_int, at: u64, len: u64) -> io::Result<libc::flock64> {
    use std::os::fd::AsRawFd;
    let short = |number| libc::c_short::try_from(number).map_err(|_| io::ErrorKind::InvalidInput);
    let long = |number| libc::off64_t::try_from(number).map_err(|_| io::ErrorKind::InvalidInput);
    // SAFETY: `flock64` is made of integers only, for which all zeros are values.
    let mut lock: libc::flock64 = unsafe { std::mem::zeroed() };
    (lock.l_type, lock.l_whence) = (short(kind)?, short(libc::SEEK_SET)?);
    (lock.l_start, lock.l_len) = (long(at)?, long(len)?);
    // SAFETY: the descriptor is open, for `file` is borrowed; both commands that this is called with read one `flock64`, and
    // may write it: it is ours alone, and outlives the call.
    if unsafe { libc::fcntl(file.as_raw_fd(), command, &raw mut lock) } == 0 {
        return Ok(lock);
    }
    Err(io::Error::last_os_error())
}
