//! What the processes of a machine share: locks, claims, and counters in a file. It knows nothing about entries.
//!
//! The stores of this project are built from it. It may change with any version.

pub mod claims;
pub mod last_check;
mod latest;
pub mod lock;
pub mod meta;
pub mod order;
pub mod system;
pub mod temp;
mod words;

pub use latest::Latest;
