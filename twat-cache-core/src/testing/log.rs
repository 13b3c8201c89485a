use std::sync::{Mutex, OnceLock, PoisonError};

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
