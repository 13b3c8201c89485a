//! The part of [twat-cache](https://docs.rs/twat-cache) that does not depend on a backend: memoised functions, and the
//! traits of stores.
//!
//! Depend on this crate to write a store of your own. Applications depend on `twat-cache`, which re-exports this crate.
//!
//! - [`Memo`] is a function that stores its results. It runs one computation per key at a time. The function may be
//!   sync or async, and may fail.
//! - [`Store`] and [`KeyedStore`] are the traits of stores. `Memo::new(your_store, function)` works with every
//!   implementation.
//! - [`ViewStore`] is a store that gives access to its values without a copy.
//! - An [`Answer`] comes at once or later, for stores that need a network. The async methods of a memo wait for it.
//! - A [`Claim`] is a lease among processes, so that one process computes a result.
//! - [`Args`] and [`Call`] are the arguments: borrowed for a lookup, owned for storage.
//! - [`LruStore`] stores results in memory. [`Tiered`] puts one store in front of another, and [`Near`] memory in front of
//!   one that other processes change. [`Fallback`] uses a second store when the first one fails.
//! - [`KeyHash`] and [`Namespace`] are stable keyed digests, for stores that outlive the process.
//!
//! # The promise
//!
//! A broken cache never breaks the function: a call returns what the function returns, even if the store fails.
//! [`Memo`] lists the details.
//!
//! # Features
//!
//! - `testing`: the [conformance suite](testing), for every store of this project and for your own stores.
//! - `persist`: [codecs and directories](persist), for stores that outlive the process.
//! - `among`: `persist`, and what the stores of this project share among processes. It may change with any version.
//! - `serde`: `persist`, and MessagePack as a second codec.
//! - `stats`: [`Memo::stats`], exact counts of hits and misses. They cost each call some nanoseconds.

#![cfg_attr(docsrs, feature(doc_cfg))]
// Only `among/words.rs` may have it.
#![deny(unsafe_code)]

#[cfg(feature = "among")]
#[doc(hidden)]
pub mod among;
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
    Answer, Args, Call, Claim, Clock, Error, ErrorKind, Expiry, Found, KeyHash, KeyHasher, KeyedStore, ManualClock,
    Namespace, Stamp, Store, Ticket, ViewStore, WarnOnce,
};
#[doc(hidden)]
pub use store::{Part, Process, Recorded};
pub use stores::{Copied, Fallback, LruStore, Near, Ruled, Tiered};
#[cfg(shuttle)]
#[doc(hidden)]
pub use sync::mutate;
#[doc(hidden)]
pub use sync::ready;
