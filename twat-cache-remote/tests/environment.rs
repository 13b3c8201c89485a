//! What a program brings with it: variables, a logger, many threads.

mod common;

use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use common::{LIMIT, LONG, value};
use twat_cache_core::testing::child::{Child, Task};
use twat_cache_core::testing::{Counted, Counter, block_on, counted, on_warning, until, volatile_dir, within};
use twat_cache_remote::redis::cmd;
use twat_cache_remote::{KeyedStore as _, Memo, NearStore, rcache};

/// Calls without naming a server.
#[test]
fn child_of_a_variable() {
    let Some(task) = Task::given() else { return };
    let memo = rcache("texts").timeout(LONG).wrap(|key: &u64| value(*key));
    assert_eq!(memo.call(&1), value(1));
    task.say(memo.describe());
}

#[test]
fn the_variable_names_the_server_if_the_program_does_not() {
    let Some(server) = server!() else { return };
    let dir = volatile_dir();
    let child = |url: &str| Child::with("child_of_a_variable", dir.path(), [("TWAT_CACHE_SERVER", &url)]).finish();
    assert_eq!(child(&server.url()), [format!("the server at {}", server.name())]);
    assert_eq!(server.named("texts").wrap(|_: &u64| String::new()).call(&1), value(1));
    assert_eq!(child(""), ["memory"]);
}

/// Has a logger that uses the memo which warns.
#[test]
fn child_whose_logger_calls() {
    type Near = Memo<NearStore<u64, String>, Counted<String>>;
    static MEMO: OnceLock<Near> = OnceLock::new();
    static WARNED: Counter = Counter::new();
    let Some(task) = Task::given() else { return };
    on_warning(|| {
        let memo = MEMO.get().unwrap();
        (1..5).for_each(|key| assert_eq!(memo.call(&key), value(key)));
        // This waits for the driver.
        let _ = block_on(memo.store().back().get_async(&1));
        WARNED.count();
    });
    let (function, _) = counted(value);
    let memo = MEMO.get_or_init(|| rcache("texts").server(task.value("URL")).near(100).wrap(function));
    assert_eq!(memo.call(&1), value(1));
    until("the logger has called", || WARNED.get() == 1);
    assert_eq!(memo.call(&6), value(6));
    task.say("done");
}

#[test]
fn a_logger_may_call_the_memo_that_warns() {
    // It cannot tell of changes, which the driver warns of.
    let Some(server) = server!("--rename-command", "CLIENT", "\"\"") else { return };
    let dir = volatile_dir();
    within(LIMIT, move || {
        let away = format!("redis://127.0.0.1:{}/", common::free_port());
        for url in [server.url(), away] {
            let child = Child::with("child_whose_logger_calls", dir.path(), [("URL", &url)]);
            assert_eq!(child.finish(), ["done"], "{url}");
        }
    });
}

#[test]
fn many_threads_do_not_connect_again_and_again() {
    const THREADS: u64 = 24;
    let Some(server) = server!() else { return };
    let memo = Arc::new(server.named("texts").wrap(|key: &u64| value(*key)));
    (0..THREADS).for_each(|key| assert_eq!(memo.call(&key), value(key)));
    let connections = || -> u64 {
        let info: String = server.ask(cmd("INFO").arg("stats"));
        let line = info.lines().find_map(|line| line.strip_prefix("total_connections_received:"));
        line.unwrap().trim().parse().unwrap()
    };
    let before = connections();
    for _ in 0..4 {
        server.signal("STOP");
        thread::scope(|scope| {
            for key in 0..THREADS {
                let memo = &memo;
                scope.spawn(move || assert_eq!(memo.call(&key), value(key)));
            }
            // Until all of them wait.
            thread::sleep(Duration::from_millis(100));
            server.signal("CONT");
        });
    }
    let made = connections() - before;
    // One for each thread, and those that count.
    assert!(made <= THREADS + 4, "{made} connections");
}
