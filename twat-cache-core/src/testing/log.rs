//! What the library logs: recorded, counted, and loggers that use the cache themselves.

use std::fmt::Debug;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use super::child::{Child, Task};
use super::counted::Counted;
use super::dirs::volatile_dir;
use super::time::{PATIENCE, within};
use crate::{KeyedStore, Memo};

/// What was logged, by whatever thread, since the recorder was installed.
#[derive(Debug, Default)]
pub struct Recorder(Mutex<Vec<(log::Level, String)>>);

impl Recorder {
    /// The warnings that contain `text`. Tests run in parallel, so look for something that only yours can log.
    pub fn warnings(&self, text: &str) -> Vec<String> {
        self.at(log::Level::Warn, text)
    }

    /// The messages of this level that contain `text`.
    pub fn at(&self, level: log::Level, text: &str) -> Vec<String> {
        let messages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = messages.iter().filter(|(at, message)| *at == level && message.contains(text));
        wanted.map(|(_, message)| message.clone()).collect()
    }
}

impl log::Log for Recorder {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        if record.target().starts_with("twat_cache") {
            let mut messages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            messages.push((record.level(), record.args().to_string()));
        }
    }

    fn flush(&self) {}
}

/// Makes the recorder this process's logger, the first time, and gives it.
pub fn record_logs() -> &'static Recorder {
    static RECORDER: OnceLock<Recorder> = OnceLock::new();
    let recorder = RECORDER.get_or_init(Recorder::default);
    if log::set_logger(recorder).is_ok() {
        log::set_max_level(log::LevelFilter::Debug);
    }
    recorder
}

/// The warnings that name this directory, since the recorder was installed.
pub fn warnings(dir: &Path) -> Vec<String> {
    record_logs().warnings(&dir.display().to_string())
}

/// Gives the warnings that name this directory and come after this call.
pub fn warnings_from_now(dir: &Path) -> impl Fn() -> Vec<String> + use<> {
    let (dir, before) = (dir.to_owned(), warnings(dir).len());
    move || warnings(&dir).split_off(before)
}

/// There is exactly one warning that names this directory, and it contains all these parts.
pub fn assert_one_warning(dir: &Path, parts: &[&str]) {
    let warnings = warnings(dir);
    let [warning] = &*warnings else { panic!("{} warnings: {warnings:#?}", warnings.len()) };
    for part in parts {
        assert!(warning.contains(part), "no {part:?} in: {warning}");
    }
}

/// Makes a logger of this process that does something whenever it is warned. To be called once, in a process of its own.
pub fn on_warning(act: impl Fn() + Send + Sync + 'static) {
    struct Acting<F>(F);

    impl<F: Fn() + Send + Sync> log::Log for Acting<F> {
        fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
            metadata.level() == log::Level::Warn
        }

        fn log(&self, record: &log::Record<'_>) {
            if self.enabled(record.metadata()) {
                (self.0)();
            }
        }

        fn flush(&self) {}
    }

    log::set_boxed_logger(Box::new(Acting(act))).expect("there is no other");
    log::set_max_level(log::LevelFilter::Warn);
}

/// A logger may call the memo that warns: here one whose file at a path was damaged. A test of the same name calls this, and
/// does nothing else, for it is run in another process, too.
pub fn a_logger_may_call_the_memo_that_warns<S, V>(
    value: fn(u64) -> V,
    open: fn(&Path) -> Memo<S, Counted<V>>,
    damaged: fn(&Memo<S, Counted<V>>) -> PathBuf,
) where
    S: KeyedStore<u64, Value = V> + Send + Sync + 'static,
    V: PartialEq + Debug + 'static,
{
    let Some(task) = Task::given() else {
        let dir = volatile_dir();
        let memo = open(dir.path());
        (0..10).for_each(|key| assert_eq!(memo.call(&key), value(key)));
        let path = damaged(&memo);
        drop(memo);
        fs::write(path, "garbage").unwrap();
        assert_eq!(Child::start("a_logger_may_call_the_memo_that_warns", dir.path()).finish(), ["2"]);
        return;
    };
    let memo: &'static OnceLock<Memo<S, Counted<V>>> = Box::leak(Box::new(OnceLock::new()));
    on_warning(move || assert_eq!(memo.get().expect("nothing is warned of before").call(&7), value(7)));
    let dir = task.dir.clone();
    // With a bound, so that the process ends even if a call does not.
    let len = within(PATIENCE, move || {
        let memo = memo.get_or_init(|| open(&dir));
        assert_eq!(memo.call(&1), value(1));
        memo.len().unwrap()
    });
    task.say(len);
}
