//! What the processes that use a cache share. It knows nothing about entries.

pub(crate) mod claims;
pub(crate) mod lock;
pub(crate) mod meta;
pub(crate) mod order;
