//! A logger that looks into the very cache that it hears about.

mod common;

use std::sync::OnceLock;
use std::time::Duration;

use common::child::{Child, Task};
use common::numbers::{Numbers, call_all, memo, value};
use twat_cache_core::testing::{on_warning, within};

#[test]
fn child_whose_logger_uses_the_cache() {
    static MEMO: OnceLock<Numbers> = OnceLock::new();
    let Some(task) = Task::given() else { return };
    on_warning(|| assert_eq!(MEMO.get().unwrap().call(&7), value(7)));
    // Here and not in the parent: a child that hangs is to end.
    let dir = task.dir.clone();
    let len = within(Duration::from_secs(20), move || {
        let memo = MEMO.get_or_init(|| memo(&dir).0);
        assert_eq!(memo.call(&1), value(1));
        memo.len().unwrap()
    });
    task.say(len);
}

#[test]
fn a_logger_may_use_the_cache_that_was_damaged() {
    let dir = tempfile::tempdir().unwrap();
    let (before, _) = memo(dir.path());
    call_all(&before, 0..10);
    std::fs::write(before.store().path().join("meta"), "garbage").unwrap();
    drop(before);
    let said = Child::start("child_whose_logger_uses_the_cache", dir.path()).finish();
    assert_eq!(said, ["2"]);
}
