//! A logger that calls the memo whose warnings it gets, and values whose code does.

mod common;

use std::fs;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use common::numbers::{FILES, Numbers, call_all, first, memo, value};
use twat_cache_core::testing::child::{Child, Task};
use twat_cache_core::testing::{self, PATIENCE, counted, volatile_dir, within};
use twat_cache_shared::scache;

#[test]
fn a_logger_may_call_the_memo_that_warns() {
    testing::a_logger_may_call_the_memo_that_warns(
        value,
        |dir| memo(dir).0,
        |memo| memo.store().path().join("1").join(FILES[0]),
    );
}

/// Calls a memo at each log line, but for those that this causes.
struct Caller(OnceLock<Numbers>, AtomicBool);

impl log::Log for Caller {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        if let Some(memo) = self.0.get()
            && record.target() == "twat_cache"
            && !self.1.swap(true, Ordering::SeqCst)
        {
            assert_eq!(memo.call(&7), value(7));
            assert_eq!(memo.refresh(&8), value(8));
            self.1.store(false, Ordering::SeqCst);
        }
    }

    fn flush(&self) {}
}

#[test]
fn child_that_logs() {
    let Some(task) = Task::given() else { return };
    let dir = task.dir.clone();
    within(PATIENCE, move || {
        let caller = Box::leak(Box::new(Caller(OnceLock::new(), AtomicBool::new(false))));
        let memo = caller.0.get_or_init(|| scache("numbers").dir(&dir).wrap(counted(value).0));
        log::set_logger(caller).unwrap();
        log::set_max_level(log::LevelFilter::Trace);
        call_all(memo, 0..10);
        let database = first(&dir);
        for deed in [
            |path: &std::path::Path| fs::remove_file(path).unwrap(),
            |path: &std::path::Path| fs::remove_file(path.parent().unwrap().parent().unwrap().join("meta-1")).unwrap(),
            |path: &std::path::Path| fs::remove_dir_all(path.parent().unwrap().parent().unwrap()).unwrap(),
            |path: &std::path::Path| {
                let scache = path.parent().unwrap().parent().unwrap();
                fs::remove_dir_all(scache).unwrap();
                fs::remove_dir_all(scache.parent().unwrap()).unwrap();
                fs::write(scache.parent().unwrap(), "in the way").unwrap();
            },
        ] {
            deed(&database);
            std::thread::sleep(std::time::Duration::from_millis(15));
            (0..2).for_each(|_| call_all(memo, 0..20));
            let _ = memo.forget(&1);
            let _ = memo.clear();
        }
    });
    task.say("done");
}

#[test]
fn a_logger_may_call_the_memo_whatever_happens_to_its_files() {
    let dir = volatile_dir();
    let cache = dir.path().join("cache");
    assert_eq!(Child::start("child_that_logs", &cache).finish(), ["done"]);
}
