use std::io;
use std::time::{Duration, Instant};

/// How long something may take, from when this was made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    whole: Duration,
    end: Instant,
}

/// Longer limits than this are this one.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

impl Limit {
    pub(crate) fn new(whole: Duration) -> Self {
        Self { whole, end: Instant::now() + whole.min(LONGEST) }
    }

    /// As long, from now on.
    pub(crate) fn again(&self) -> Self {
        Self::new(self.whole)
    }

    pub(super) fn left(&self) -> Duration {
        self.end.saturating_duration_since(Instant::now())
    }

    /// Whether most of it is over: something else took the time.
    pub(super) fn is_short(&self) -> bool {
        self.left() < self.whole / 2
    }

    pub(super) fn end(&self) -> Instant {
        self.end
    }

    pub(super) fn exceeded(&self) -> io::Error {
        io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {:?}", self.whole))
    }
}
