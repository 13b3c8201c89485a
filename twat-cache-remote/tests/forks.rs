//! A forked process does not use its parent's connections. Memory serves there.
#![cfg(target_os = "linux")]

mod common;

use std::time::Duration;

use common::{hits, insert_all, value};
use twat_cache_core::testing::child::{Child, Task};
use twat_cache_core::testing::volatile_dir;
use twat_cache_remote::{KeyedStore as _, Store as _, rcache};

twat_cache_core::define_in_fork!();

/// Alone in its process, which has no other threads that hold locks.
#[test]
fn child_that_forks() {
    let Some(task) = Task::given() else { return };
    let open = || rcache("texts").server(task.value("URL")).timeout(common::LONG);
    let store = open().open().unwrap();
    insert_all(&store, 0..10);
    let memo = open().wrap(|key: &u64| value(*key));
    assert_eq!(memo.call(&100), value(100));
    let claim = store.claim(&1, Duration::ZERO);
    let is_right = in_fork(|| {
        drop(claim);
        let is_refused = store.get(&1_u64).is_err() && store.remove(&1_u64).is_err() && store.clear().is_err();
        let is_new_refused = open().open::<String>().is_err();
        (0..2).for_each(|_| (100..110).for_each(|key| assert_eq!(memo.call(&key), value(key))));
        is_refused && is_new_refused && memo.len().is_err() && memo.store().is_away()
    });
    task.say(is_right);
    task.say(hits(&store, 0..10));
    task.say(memo.peek(&105).unwrap().is_none());
}

#[test]
fn a_forked_process_uses_memory_and_leaves_the_connections_alone() {
    let Some(server) = server!() else { return };
    let dir = volatile_dir();
    let child = Child::with("child_that_forks", dir.path(), [("URL", &server.url())]);
    assert_eq!(child.finish(), ["true", "10", "true"]);
}
