//! All `unsafe` code of this library: files as memory, and archived values that have been validated once.
//!
//! In rkyv's words, bytes are *valid* for `T` if `rkyv::access::<T>` accepts them. It looks at everything that an archived `T`
//! leads to. So a reference to valid bytes is sound as long as the bytes do not change.

#![expect(unsafe_code, reason = "a safe library cannot promise any of this")]

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

use crate::system::private::Private;

/// The alignment of an archived value, mapped or copied, and the length of the header before it. A page is aligned to more.
pub(crate) const ALIGNMENT: usize = 64;

/// A header, and the bytes of a value behind it.
pub(crate) enum Bytes {
    Mapped(Mmap),
    Owned(AlignedVec<ALIGNMENT>),
}

impl Bytes {
    /// Maps the first `len` bytes of a file. It must have that many.
    pub(crate) fn map(file: &File, len: usize, _proof: Private) -> io::Result<Self> {
        // SAFETY: the file must not change while it is mapped. The proof says that it is a regular file on a local file
        // system, and that nobody but this user can write to it or to its directory. To this user's programs it is a cache
        // entry, and an entry never changes: this library makes it read-only before it gets its name, and replaces or
        // removes it as a whole, which a mapping outlives. Whatever else this user does to it is out of contract.
        unsafe { MmapOptions::new().len(len).map(file) }.map(Self::Mapped)
    }

    /// The bytes behind the header.
    pub(crate) fn payload(&self) -> &[u8] {
        let all: &[u8] = match self {
            Self::Mapped(map) => map,
            Self::Owned(bytes) => bytes,
        };
        all.get(ALIGNMENT..).unwrap_or_default()
    }

    pub(crate) fn is_mapped(&self) -> bool {
        matches!(self, Self::Mapped(_))
    }
}

/// Bytes whose payload is valid for `T`.
pub(crate) struct Checked<T> {
    // Private and shared, so nobody can change them.
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
        // SAFETY: only `new` makes a `Checked`, and it has validated these bytes for `T` with `rkyv::access`, the checked twin
        // of this function. They have not changed since: owned bytes are behind an `Arc`, which gives only `&`; mapped bytes
        // do not change by the contract of `Bytes::map`; and `T` is `Portable`, so it has no interior mutability. They have
        // not moved either: a mapping and the buffer of a vector stay where they are.
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

/// The first 64 bytes of a file as eight words that all processes see. System calls change them.
pub(crate) struct Words(MmapRaw);

impl Words {
    const COUNT: usize = 8;

    /// Maps them. The file must have that many bytes.
    pub(crate) fn map(file: &File, _proof: Private) -> io::Result<Self> {
        MmapOptions::new().len(Self::COUNT * 8).map_raw(file).map(Self)
    }

    #[inline]
    pub(crate) fn load(&self, index: usize) -> u64 {
        assert!(index < Self::COUNT, "there are eight words");
        #[expect(clippy::cast_ptr_alignment, reason = "a mapping starts at a page")]
        let word = self.0.as_mut_ptr().cast::<u64>();
        // SAFETY: the mapping has 64 bytes, can be read and written, and exists as long as `self`, so the word is inside and
        // aligned. No other code of this process accesses it. A write by the kernel for another process may be seen in part,
        // and every value is a valid number. By the contract of `Bytes::map`, the file does not get shorter; `Meta::is_whole`
        // looks at that, too.
        unsafe { AtomicU64::from_ptr(word.add(index)) }.load(Ordering::Acquire)
    }
}

impl fmt::Debug for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Words(..)")
    }
}
