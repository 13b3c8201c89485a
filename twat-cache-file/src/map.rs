//! All `unsafe` code of this crate: files as memory, archived values that have been validated once, and archived numbers as
//! native ones.
//!
//! In rkyv's words, bytes are *valid* for `T` if `rkyv::access::<T>` accepts them. It looks at everything that an archived `T`
//! leads to. So a reference to valid bytes is sound as long as the bytes do not change.

#![expect(unsafe_code, reason = "a safe library cannot promise any of this")]

use std::fs::File;
use std::io;
use std::marker::PhantomData;
#[cfg(target_endian = "little")]
use std::slice;
use std::sync::Arc;

use memmap2::{Mmap, MmapOptions};
use rkyv::Portable;
use rkyv::api::high::HighValidator;
use rkyv::bytecheck::CheckBytes;
use rkyv::rancor;
#[cfg(target_endian = "little")]
use rkyv::rend;
use rkyv::util::AlignedVec;
use twat_cache_core::among::system::private::Private;

/// The alignment of an archived value, mapped or copied, and the length of the header before it. A page is aligned to more.
pub(crate) const ALIGNMENT: usize = 64;

/// A header, and the bytes of a value behind it.
#[derive(Debug)]
pub enum Bytes {
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

/// An archived number that is the number itself, in memory. The machine has the byte order of rkyv's format.
///
/// # Safety
///
/// `Self` has the size of `N` and at least its alignment, and all of its bit patterns are the same values of `N`. Neither has
/// interior mutability.
#[cfg(target_endian = "little")]
#[diagnostic::on_unimplemented(message = "rkyv's form of `{N}` is not the native one")]
pub unsafe trait Native<N> {}

#[cfg(target_endian = "little")]
macro_rules! natives {
    ($($archived:ty: $number:ty, $size:literal;)+) => {
        $(
            // SAFETY: `u8` and `i8` are their own form. The others are from `rend`, which promises a little-endian number of
            // this size and alignment: a `repr(C)` struct of one field, the number. This is a little-endian machine, so the
            // field is the number as it is. Every bit pattern is a valid integer or float.
            unsafe impl Native<$number> for $archived {}
            const _: () = assert!(size_of::<$archived>() == $size && size_of::<$number>() == $size);
            const _: () = assert!(align_of::<$archived>() >= align_of::<$number>());
        )+
    };
}

// If a feature of rkyv changes its format, archived numbers are of other types, which are not listed.
#[cfg(target_endian = "little")]
natives! {
    u8: u8, 1;
    i8: i8, 1;
    rend::u16_le: u16, 2;
    rend::i16_le: i16, 2;
    rend::u32_le: u32, 4;
    rend::i32_le: i32, 4;
    rend::u64_le: u64, 8;
    rend::i64_le: i64, 8;
    rend::u128_le: u128, 16;
    rend::i128_le: i128, 16;
    rend::f32_le: f32, 4;
    rend::f64_le: f64, 8;
}

/// Archived numbers as numbers.
#[cfg(target_endian = "little")]
#[inline]
pub(crate) fn as_native<N, A: Native<N>>(archived: &[A]) -> &[N] {
    // SAFETY: by the contract of `Native`, `len` elements of `N` have the bytes of `len` elements of `A`, an aligned `A` is an
    // aligned `N`, and all these bytes are valid for `N`. The result is borrowed for as long as `archived` is.
    unsafe { slice::from_raw_parts(archived.as_ptr().cast::<N>(), archived.len()) }
}
