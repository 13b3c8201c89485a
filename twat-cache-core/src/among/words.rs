//! The only `unsafe` code of this crate: a file as words that all processes see.

#![expect(unsafe_code, reason = "another process may change the file at any time")]

use std::fmt;
use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use memmap2::{MmapOptions, MmapRaw};

use super::system::private::Private;

/// The first words of a file, of 64 bits each, to read. System calls change them.
pub(super) struct Words {
    map: MmapRaw,
    count: usize,
}

impl Words {
    /// Maps them. The file must have that many words.
    pub(super) fn map(file: &File, count: usize, _proof: Private) -> io::Result<Self> {
        Ok(Self { map: MmapOptions::new().len(count * 8).map_raw(file)?, count })
    }

    #[inline]
    pub(super) fn load(&self, index: usize) -> u64 {
        assert!(index < self.count, "the word is in the file");
        #[expect(clippy::cast_ptr_alignment, reason = "a mapping starts at a page")]
        let word = self.map.as_mut_ptr().cast::<u64>();
        // SAFETY: the mapping has `count` words, can be read and written, and exists as long as `self`. So the word is inside
        // and aligned. No other code of this process accesses it. A write by the kernel for another process may be seen in
        // part, and every value is a valid number. The proof says that the file is a regular one on a local file system, and
        // that nobody but this user can write to it or to its directory. To this user's programs it is a part of the cache, and
        // this library never makes it shorter. Whatever else this user does to it is out of contract; `Meta::is_whole` looks
        // at its length, too.
        unsafe { AtomicU64::from_ptr(word.add(index)) }.load(Ordering::Acquire)
    }
}

impl fmt::Debug for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Words(..)")
    }
}
