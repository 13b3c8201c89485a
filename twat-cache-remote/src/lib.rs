//! Function results that all machines share: [`rcache`], over a server that speaks the protocol of Redis.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

mod builder;
mod entry;
mod keyed;
mod lease;
mod protocol;
mod server;
mod space;
mod standby;
mod store;

pub use builder::{RemoteBuilder, rcache};
pub use redis;
pub use standby::Standby;
pub use store::RemoteStore;
pub use twat_cache_core::{
    Args, Call, Clock, Error, ErrorKind, KeyedStore, ManualClock, Memo, Store,
    persist::{self, CacheValue},
};
