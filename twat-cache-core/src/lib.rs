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

#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

mod builder;
mod flight;
mod memo;
#[cfg(feature = "persist")]
pub mod persist;
mod store;
mod stores;
mod sync;
#[cfg(feature = "testing")]
pub mod testing;

pub use flight::Sharing;
#[cfg(feature = "stats")]
pub use memo::Stats;
#[doc(hidden)]
pub use memo::kind;
pub use memo::{Async, AsyncFunction, Function, Memo, Mode, OwnErrors, SharedErrors, SharesErrors, Takes};
#[cfg(feature = "persist")]
pub use persist::Trust;
pub use store::{
    Args, Call, Claim, Clock, Error, ErrorKind, Expiry, Found, KeyHash, KeyHasher, KeyedStore, ManualClock, Namespace,
    Store, Ticket, ViewStore, WarnOnce,
};
#[doc(hidden)]
pub use store::{Part, Process};
pub use stores::{Fallback, LruStore, Tiered};
#[cfg(shuttle)]
#[doc(hidden)]
pub use sync::mutate;
