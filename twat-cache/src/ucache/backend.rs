use std::fmt;

/// Where the results of a [`ucache`](fn@crate::ucache) are kept, beside the memory in front.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Backend {
    /// Wherever is best, of what is compiled in; the default. That is `Disk`; or `File`, if another process has the database
    /// open; or `Memory`, as long as neither can be opened.
    #[default]
    Auto,
    /// Nowhere else: in memory alone.
    Memory,
    /// In an embedded database, as [`bcache`](https://docs.rs/twat-cache-disk) has it. One process at a time.
    Disk,
    /// In files, as [`fcache`](https://docs.rs/twat-cache-file) has it. Any number of processes.
    File,
}

impl Backend {
    /// Those that can be chosen, in the order in which they are tried: this one first.
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
