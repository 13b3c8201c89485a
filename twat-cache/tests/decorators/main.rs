//! The attributes `#[mcache]`, `#[bcache]`, `#[scache]`, `#[fcache]`, `#[rcache]` and `#[ucache]`: what they do to the functions under
//! them. `ui` has what they refuse, and `rcache` what needs a server.

#![allow(
    clippy::boxed_local,
    clippy::needless_arbitrary_self_type,
    clippy::needless_pass_by_value,
    clippy::ptr_arg,
    clippy::ref_option,
    clippy::trivially_copy_pass_by_ref,
    clippy::unnecessary_wraps,
    clippy::unused_async,
    clippy::unused_self,
    reason = "functions as users may write them, each as small as it can be"
)]

mod async_trait;
mod asynchronous;
mod attributes;
mod companion;
mod concurrency;
mod consuming;
mod depends;
mod free_functions;
mod generated;
mod generic_functions;
mod generics;
mod keys;
mod memos;
mod methods;
mod names;
mod options;
mod paths;
mod persistence;
mod results;
mod rules;
mod values;

use std::path::PathBuf;
use std::sync::LazyLock;

use tempfile::TempDir;
use twat_cache_core::testing::Server;

/// Where the functions of this process keep their results: a directory for each module of tests.
///
/// A static is never dropped, so the directory stays. `cargo clean` removes it.
fn dir(tests: &str) -> PathBuf {
    static ROOT: LazyLock<TempDir> =
        LazyLock::new(|| tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a temporary directory"));
    ROOT.path().join(tests)
}

/// Where the functions of this process keep the results that all machines share. Where no server is installed, memory serves.
fn server() -> String {
    static SERVER: LazyLock<Option<Server>> = LazyLock::new(Server::start);
    SERVER.as_ref().map(Server::url).unwrap_or_default()
}
