//! Large function results in memory-mapped files, shared by processes: [`fcache`].
//!
//! ```
//! # let dir = tempfile::tempdir().unwrap();
//! # let dir = dir.path();
//! use twat_cache_file::fcache;
//!
//! let waves = fcache("waves").dir(dir).wrap(|n: &u32| (0..*n).map(|i| f64::from(i).sin()).collect::<Vec<f64>>());
//! let view = waves.view(&100_000); // computed once, by one process
//! assert_eq!(view.len(), 100_000); // and read where it lies, without a copy
//! assert_eq!(waves.call(&100_000)[1], view[1]); // or as a value of its own
//! ```
//!
//! Values need [rkyv](https://docs.rs/rkyv)'s derives; numbers, strings, vectors, maps, tuples and options have them.
//! Arguments need `Hash` and nothing else.
//!
//! # When something is wrong
//!
//! The function is not affected, and one warning is logged that says what failed and what serves instead. A damaged entry
//! is computed again. Where nothing can be written, memory serves (as many results as fit into 512 MiB), and writing is
//! tried again with the next result.
//!
//! The cache directory is used only if this user owns it and nobody else can write to it or replace it, see
//! [`Trust`]; otherwise memory serves. Below it no link is followed, and what is in the way of the
//! cache's own names is moved aside, to a name that ends with `.in-the-way`. A process that was forked without becoming
//! another program has a memory of its own, and leaves the files to its parent.
//!
//! After `forget`, `clear` or `refresh` has returned, no process of this machine stores what was begun before (on Linux of 64
//! bits; elsewhere, parts of files cannot be locked, and this holds within one process). Where that cannot be promised, because
//! another process has stopped in the middle of storing, they return an error.
//!
//! # What is out of contract
//!
//! A file is mapped only when nobody but this user can change it, and an entry is never changed once it is there: it is
//! replaced or removed, and who has it mapped keeps what was there. What no program can guard against is its own user, who
//! cuts a mapped file short or writes into it. It is found out with the next call, which looks at the file before it looks
//! into it; but to read a [`View`] of a file that was cut short meanwhile ends the process (`SIGBUS`), and so does one of which
//! the disk cannot read a part any more. [`Access::Copy`] never maps entries.

#![cfg_attr(docsrs, feature(doc_cfg))]
// All of it is in `map.rs`.
#![deny(unsafe_code)]

mod builder;
mod claims;
mod entry;
mod fallback;
mod load;
mod lock;
mod map;
mod memory;
mod meta;
mod order;
mod place;
mod proof;
mod prune;
mod region;
mod sink;
mod store;
mod sweep;
mod system;
mod table;
mod temp;
mod view;

pub use builder::{Access, FileBuilder, Verify, fcache};
pub use fallback::FileFallback;
pub use memory::MemoryStore;
pub use store::FileStore;
pub use twat_cache_core::{
    Args, Call, Clock, Error, ErrorKind, Fallback, KeyedStore, ManualClock, Memo, Store, Trust, ViewStore, persist,
};
pub use view::View;
