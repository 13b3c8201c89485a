//! `ucache` on a server: its memory, what serves while the server is away, and what comes back.

#![cfg(all(feature = "ucache", feature = "remote"))]

use std::sync::atomic::{AtomicU64, Ordering};

use twat_cache::unified::UnifiedBuilder;
use twat_cache::{Backend, ucache};
use twat_cache_core::testing::child::{Child, Task};
use twat_cache_core::testing::{Counter, Server, record_logs, until, volatile_dir};

fn cache(server: &Server) -> UnifiedBuilder {
    ucache("cache").server(server.url())
}

#[test]
fn results_are_on_the_server_and_copies_in_memory() {
    let Some(server) = Server::start() else { return };
    let computed = Counter::new();
    let memos = [(); 2].map(|()| {
        cache(&server).wrap(|n: &u64| {
            computed.count();
            n * 2
        })
    });
    for memo in &memos {
        assert_eq!((memo.call(&1), memo.call(&1)), (2, 2));
        assert_eq!(memo.store().backend(), Backend::Remote);
        assert!(memo.store().remote().unwrap().client().is_some());
    }
    assert_eq!((computed.get(), memos[0].len().unwrap()), (1, 1));
    assert!(memos[0].describe().contains("memory in front of the server at redis://127.0.0.1"));
    until("a copy is in memory", || {
        memos[0].call(&1);
        memos[0].store().memory().cache().len() == 1
    });
    assert!(memos[1].forget(&1).unwrap());
    assert_eq!((memos[0].call(&1), computed.get()), (2, 2));
}

#[test]
fn while_the_server_is_away_memory_serves_and_nothing_old_comes_back() {
    let Some(mut server) = Server::start() else { return };
    let logs = record_logs();
    let world = AtomicU64::new(1);
    let memo = cache(&server).wrap(|n: &u64| n * 100 + world.load(Ordering::SeqCst));
    assert_eq!([1, 2, 3].map(|n| memo.call(&n)), [101, 201, 301]);
    server.kill();
    until("it is noticed", || memo.call(&9) > 0 && memo.describe().contains("away"));
    world.store(2, Ordering::SeqCst);
    // One was forgotten during the outage, and others were computed.
    assert!(memo.forget(&1).is_err());
    assert_eq!((memo.call(&1), memo.call(&4), memo.call(&4)), (102, 402, 402));
    assert_eq!(memo.store().backend(), Backend::Memory);
    assert!(server.run());
    until("it is used again", || memo.store().backend() == Backend::Remote);
    world.store(3, Ordering::SeqCst);
    // It is empty now, and what memory had was dropped.
    until("it is all new", || [1, 2, 4].map(|n| memo.call(&n)) == [103, 203, 403]);
    assert_eq!(logs.warnings(&server.name()).len(), 1);
}

#[test]
fn child_that_calls_with_a_variable() {
    let Some(task) = Task::given() else { return };
    let computed = Counter::new();
    let memo = ucache("by variable").dir(&task.dir).wrap(|n: &u64| {
        computed.count();
        std::thread::sleep(std::time::Duration::from_millis(100));
        n * 2
    });
    assert_eq!(memo.call(&1), 2);
    task.say(memo.store().backend() == Backend::Remote);
    task.say(computed.get());
}

#[test]
fn processes_that_find_a_server_by_the_variable_compute_a_result_once() {
    let Some(server) = Server::start() else { return };
    let dir = volatile_dir();
    let set = format!("export TWAT_CACHE_SERVER={}", server.url());
    let children: Vec<_> = (0..4).map(|_| Child::after(&set, "child_that_calls_with_a_variable", dir.path())).collect();
    let said: Vec<_> = children.into_iter().map(Child::finish).collect();
    assert!(said.iter().all(|said| said[0] == "true"), "{said:?}");
    let computed: usize = said.iter().map(|said| said[1].parse::<usize>().unwrap()).sum();
    assert_eq!(computed, 1);
}

#[test]
fn without_a_usable_address_memory_serves() {
    let logs = record_logs();
    let computed = Counter::new();
    let memo = ucache("nowhere at all").server("no address").wrap(|n: &u64| {
        computed.count();
        *n
    });
    assert_eq!((memo.call(&1), memo.call(&1), computed.get()), (1, 1, 1));
    assert_eq!(memo.store().backend(), Backend::Memory);
    assert_eq!(logs.warnings("nowhere at all").len(), 1);
}
