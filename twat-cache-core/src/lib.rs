//! The heart of [twat-cache](https://docs.rs/twat-cache): what a cache of function results is, apart from where the
//! results are kept.
//!
//! You need this crate by name only to write a store of your own. Everything in it is re-exported by `twat-cache` and
//! by each backend crate's dependents through it.
//!
//! - [`Memo`] is a function that remembers: one computation per key at a time, sync or async, failing or not.
//! - [`Store`] and [`KeyedStore`] are what it remembers in. Implement them, and `Memo::new(your_store, function)` does
//!   the rest.
//! - [`ViewStore`] is a store that also lends what it keeps without a copy; a [`Claim`] is asked of stores that other
//!   processes see, so that one of them computes.
//! - [`Args`] and [`Call`] are the arguments: borrowed for a lookup, owned for storage.
//! - [`LruStore`] keeps results in memory; [`Tiered`] puts one store in front of another; [`Fallback`] replaces one
//!   that fails.
//! - [`KeyHash`] and [`Namespace`] are stable keyed digests, for stores that outlive the process.
//!
//! # The promise
//!
//! A broken cache never breaks the function: whatever a store does, a call returns what the function returns. See
//! [`Memo`] for what that means in detail.
//!
//! # Features
//!
//! - `testing`: the [conformance suite](testing) that every store of this project passes, for yours to pass too.
//! - `persist`: [codecs](archive) and directories, for stores that outlive the process; `serde` adds MessagePack to it.
//! - `stats`: [`Memo::stats`], exact counts of hits, misses and so on. They cost each call some nanoseconds.

#![forbid(unsafe_code)]

#[cfg(feature = "persist")]
pub mod archive;
mod args;
mod builder;
mod claim;
mod clock;
#[cfg(feature = "persist")]
mod directory;
mod error;
mod fallback;
mod flight;
mod function;
mod key;
mod lifetime;
mod lru;
mod memo;
#[cfg(feature = "persist")]
mod options;
mod process;
mod sharing;
mod stats;
mod store;
mod stripes;
mod sync;
#[cfg(feature = "testing")]
pub mod testing;
mod tiered;
#[cfg(feature = "persist")]
pub mod trust;
mod warn;

#[doc(hidden)]
pub use args::Part;
pub use args::{Args, Call};
pub use claim::Claim;
pub use clock::{Clock, ManualClock};
#[cfg(feature = "persist")]
pub use directory::{Trust, default_directory, prepare_below, prepare_root};
pub use error::{Error, ErrorKind};
pub use fallback::Fallback;
#[doc(hidden)]
pub use function::kind;
pub use function::{AsyncFunction, Function, Takes};
pub use key::{KeyHash, KeyHasher, Namespace};
pub use lifetime::Lifetime;
pub use lru::LruStore;
pub use memo::Memo;
#[cfg(feature = "persist")]
pub use options::Options;
#[doc(hidden)]
pub use process::Process;
pub use sharing::{Async, Mode, OwnErrors, SharedErrors, SharesErrors, Sharing};
#[cfg(feature = "stats")]
pub use stats::Stats;
pub use store::{Found, KeyedStore, Store, Ticket, ViewStore};
#[cfg(shuttle)]
#[doc(hidden)]
pub use sync::mutate;
pub use tiered::Tiered;
pub use warn::WarnOnce;
