use std::fmt;

/// Where the results of a [`ucache`](fn@crate::ucache) are kept, beside the memory in front.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Backend {
    /// The best backend that is compiled in and can be opened; the default. That is `Disk`, or `File` if another process has the
    /// database open, or `Memory` as long as neither can be opened.
    #[default]
    Auto,
    /// Memory alone.
    Memory,
    /// An embedded database, as [`bcache`](https://docs.rs/twat-cache-disk) has it. It admits one process at a time.
    Disk,
    /// Files, as [`fcache`](https://docs.rs/twat-cache-file) has it. Any number of processes share them.
    File,
}

impl Backend {
    /// The backends to try, in this order: this one first.
    pub(super) fn order(self) -> &'static [Self] {
        match self {
            Self::Auto | Self::Disk => &[Self::Disk, Self::File],
            Self::File => &[Self::File, Self::Disk],
            Self::Memory => &[],
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "the best backend",
            Self::Memory => "memory",
            Self::Disk => "the database",
            Self::File => "files",
        })
    }
}
