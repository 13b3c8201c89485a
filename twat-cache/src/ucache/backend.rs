use std::fmt;

/// Where the results of a [`ucache`](fn@crate::ucache) are stored, behind the memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Backend {
    /// `Remote` if a server is named, or else the first of `Shared`, `Disk` and `File` that is compiled in, or else `Memory`; the
    /// default.
    #[default]
    Auto,
    /// Memory alone.
    Memory,
    /// A server that all machines share, as [`rcache`](https://docs.rs/twat-cache-remote) has it.
    Remote,
    /// A database that all processes of a machine share, as [`scache`](https://docs.rs/twat-cache-shared) has it.
    Shared,
    /// An embedded database, as [`bcache`](https://docs.rs/twat-cache-disk) has it. It is for one process at a time.
    Disk,
    /// Files, as [`fcache`](https://docs.rs/twat-cache-file) has it. Any number of processes share them.
    File,
}

impl Backend {
    /// This backend, or the best one that is compiled in on this machine.
    pub(super) fn resolved(self) -> Self {
        match self {
            Self::Auto if cfg!(feature = "shared") => Self::Shared,
            Self::Auto if cfg!(feature = "disk") => Self::Disk,
            Self::Auto if cfg!(feature = "file") => Self::File,
            Self::Auto => Self::Memory,
            other => other,
        }
    }

    /// The feature of this crate that has it.
    pub(super) fn feature(self) -> &'static str {
        match self {
            Self::Remote => "remote",
            Self::Shared => "shared",
            Self::File => "file",
            _ => "disk",
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "the best backend",
            Self::Memory => "memory",
            Self::Remote => "the server",
            Self::Shared => "the shared database",
            Self::Disk => "the database",
            Self::File => "files",
        })
    }
}
