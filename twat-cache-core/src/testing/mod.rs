//! What it takes to test a store: the conformance suite, which is the same for all, and helpers for what only some need.
//!
//! ```no_run
//! use twat_cache_core::testing::Setup;
//! use twat_cache_core::{LruStore, conformance, conformance_of_keys};
//!
//! fn open(setup: &Setup) -> LruStore<String> {
//!     let store = LruStore::new(setup.max_entries).clock(setup.clock.clone());
//!     match setup.ttl {
//!         Some(ttl) => store.ttl(ttl),
//!         None => store,
//!     }
//! }
//!
//! // A test for each behaviour, named by it.
//! conformance!(open);
//! conformance_of_keys!(LruStore::<u32>::new(100));
//! ```
//!
//! A cache is tested against the function that it caches: whatever a program does, it must get the values that the
//! function gives, and no more computations than the behaviour at hand allows.
//!
//! | for | there is |
//! |---|---|
//! | any store | [`Setup`] and the macros [`conformance!`](crate::conformance) and [`conformance_of_keys!`](crate::conformance_of_keys) |
//! | a store whose entries can be stale | [`conformance_of_stale!`](crate::conformance_of_stale) |
//! | a store that outlives the process | [`persistent`]: limits in bytes, names, versions, TTLs, directories |
//! | counting computations | [`Counter`], [`counted`] |
//! | a store that fails | [`Faulty`] |
//! | a store that answers tasks later | [`Late`] |
//! | what is logged | [`record_logs`], [`warnings`], [`assert_one_warning`], [`on_warning`], [`a_logger_may_call_the_memo_that_warns`] |
//! | waiting with a bound | [`within`], [`until`], [`until_waiting`] |
//! | futures | [`block_on`], [`yield_once`], [`poll_once`], [`join_all`] |
//! | random programs | [`Random`], [`twin`], [`in_four_threads`] |
//! | values that say which key they belong to | [`text`], [`is_text_of`] |
//! | directories | [`volatile_dir`], [`rooted`] |
//! | other processes | [`child`], [`kills`]; [`define_in_fork!`](crate::define_in_fork) for those without a program of their own |
//! | a server that machines share | [`Server`] |
//! | files, and damage to them | [`files`], [`damage`] |
//! | what is in the way of a file, and whose it is | [`obstacles`], [`owners`] |
//! | read-only directories and full disks | [`system`] |
//! | allocations | [`counting_allocator!`](crate::counting_allocator) |

#![allow(clippy::missing_panics_doc, reason = "these are assertions")]

mod allocations;
pub mod child;
#[doc(hidden)]
pub mod conformance;
mod counted;
pub mod damage;
mod dirs;
mod faulty;
pub mod files;
mod fork;
pub mod kills;
mod late;
mod log;
#[cfg(unix)]
pub mod obstacles;
#[cfg(unix)]
pub mod owners;
#[cfg(feature = "persist")]
pub mod persistent;
mod random;
mod server;
pub mod system;
mod tasks;
mod texts;
mod time;
pub mod twin;
mod workers;

pub use conformance::{ENTRY_BYTES, Setup};
pub use counted::{Counted, Counter, counted};
pub use dirs::{Rooted, rooted, volatile_dir};
pub use faulty::Faulty;
pub use late::Late;
pub use log::{
    Recorder, a_logger_may_call_the_memo_that_warns, assert_one_warning, on_warning, record_logs, warnings,
    warnings_from_now,
};
pub use random::Random;
pub use server::Server;
pub use tasks::{block_on, join_all, poll_once, yield_once};
pub use texts::{is_text_of, text};
pub use time::{PATIENCE, soak, until, until_waiting, within};
pub use workers::in_four_threads;
