//! Function results in memory: [`mcache`], over [`quick_cache`].
//!
//! ```
//! use twat_cache_mem::mcache;
//!
//! let length = mcache().wrap(|text: &str| text.chars().count());
//! assert_eq!(length.call("hello"), 5);
//! assert_eq!(length.call("hello"), 5); // not counted again
//! ```
//!
//! A hit costs what a hit of the engine costs, some 20 ns. Arguments are looked up as they are, borrowed, and compared exactly.
//! There is no digest, and nothing is allocated. A hit hashes the arguments and clones the value. `std` hashes a long `Path`
//! part by part, which takes a hundred nanoseconds. A large value belongs in an [`Arc`](std::sync::Arc).
//!
//! Several arguments by reference are one [`Call`]:
//!
//! ```
//! use twat_cache_mem::{Call, mcache};
//!
//! let repeat = mcache().wrap(|Call((text, times)): &Call<(&str, &usize)>| text.repeat(**times));
//! assert_eq!(repeat.call(&Call(("ab", &2))), "abab");
//!
//! // If you write the key more than once, give it a name.
//! type Key<'a> = Call<(&'a str, &'a usize)>;
//! let count = mcache().wrap(|Call((text, times)): &Key<'_>| text.len() * *times);
//! assert_eq!(count.call(&Call(("ab", &2))), 4);
//! ```
//!
//! Functions that fail, async functions and limits:
//!
//! ```
//! use std::time::Duration;
//! use twat_cache_mem::mcache;
//!
//! let number = mcache().ttl(Duration::from_secs(60)).try_wrap(|text: &str| text.parse::<i32>());
//! assert_eq!(number.try_call("42"), Ok(42));
//! assert!(number.try_call("many").is_err()); // an error is not stored
//!
//! let page = mcache().max_entries(100).wrap_async(async |url: &str| format!("<p>{url}</p>"));
//! # futures_lite::future::block_on(async {
//! assert_eq!(page.call_async("/").await, "<p>/</p>");
//! # });
//! ```

#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

mod builder;
mod engine;
mod entry;
mod evictions;
mod key;
mod limits;
mod shards;
mod store;
mod weigher;

pub use builder::{MemBuilder, mcache};
pub use engine::Engine;
pub use key::Key;
pub use quick_cache;
pub use shards::Shards;
pub use store::MemStore;
pub use twat_cache_core::{Args, Call, Clock, Error, ErrorKind, Found, KeyHash, KeyedStore, ManualClock, Memo, Store};
