//! A logger that calls the memo whose warnings it gets.

mod common;

use std::sync::OnceLock;

use common::{Numbers, memo, value};
use twat_cache_core::testing::child::{Child, Task};
use twat_cache_core::testing::{self, PATIENCE, counted, within};
use twat_cache_disk::bcache;

#[test]
fn a_logger_may_call_the_memo_that_warns() {
    testing::a_logger_may_call_the_memo_that_warns(
        value,
        |dir| memo(dir).0,
        |memo| memo.store().path().join("version"),
    );
}

/// Calls a memo at each log line.
struct Caller(OnceLock<Numbers>);

impl log::Log for Caller {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, _: &log::Record<'_>) {
        if let Some(memo) = self.0.get() {
            assert_eq!(memo.call(&7), value(7));
        }
    }

    fn flush(&self) {}
}

#[test]
fn child_that_logs() {
    let Some(task) = Task::given() else { return };
    let dir = task.dir.clone();
    within(PATIENCE, move || {
        let caller = Box::leak(Box::new(Caller(OnceLock::new())));
        let memo = caller.0.get_or_init(|| bcache("numbers").dir(&dir).wrap(counted(value).0));
        log::set_logger(caller).unwrap();
        log::set_max_level(log::LevelFilter::Info);
        assert_eq!(memo.call(&1), value(1));
    });
    task.say("done");
}

#[test]
fn a_logger_may_call_the_memo_whose_engine_says_that_it_is_opened() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(Child::start("child_that_logs", dir.path()).finish(), ["done"]);
}
