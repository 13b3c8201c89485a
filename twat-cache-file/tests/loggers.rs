//! A logger that looks into the very cache that it hears about.

mod common;

use std::sync::OnceLock;
use std::time::Duration;

use common::child::{Child, Task};
use common::numbers::{Numbers, call_all, memo, value};
use twat_cache_core::testing::within;

struct Curious(OnceLock<Numbers>);

impl log::Log for Curious {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        if record.level() == log::Level::Warn {
            assert_eq!(self.0.get().unwrap().call(&7), value(7));
        }
    }

    fn flush(&self) {}
}

static CURIOUS: Curious = Curious(OnceLock::new());

#[test]
fn child_whose_logger_uses_the_cache() {
    let Some(task) = Task::given() else { return };
    log::set_logger(&CURIOUS).unwrap();
    log::set_max_level(log::LevelFilter::Warn);
    let (memo, _) = memo(&task.dir);
    let memo = CURIOUS.0.get_or_init(|| memo);
    assert_eq!(memo.call(&1), value(1));
    task.say(memo.len().unwrap());
}

#[test]
fn a_logger_may_use_the_cache_that_was_damaged() {
    let dir = tempfile::tempdir().unwrap();
    let (before, _) = memo(dir.path());
    call_all(&before, 0..10);
    std::fs::write(before.store().path().join("meta"), "garbage").unwrap();
    drop(before);
    let path = dir.path().to_owned();
    let said =
        within(Duration::from_secs(20), move || Child::start("child_whose_logger_uses_the_cache", &path).finish());
    assert_eq!(said, ["2"]);
}
