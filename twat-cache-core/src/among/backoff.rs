use std::time::{Duration, Instant};

use crate::{Error, ErrorKind};

/// A pause after a failure, during which nothing is attempted. Each one is twice as long as the last, up to a bound.
#[derive(Debug)]
pub struct Backoff {
    end: Instant,
    length: Duration,
    kind: ErrorKind,
    /// Why it failed.
    reason: String,
}

const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(30);

impl Backoff {
    /// Pauses get longer until there was no failure for a while. One success is not enough: a full disk fails at the first
    /// write.
    pub fn after(last: Option<&Self>, error: &Error) -> Self {
        let last = last.filter(|last| last.end.elapsed() < LONGEST);
        let length = last.map_or(FIRST, |last| (last.length * 2).min(LONGEST));
        Self { end: Instant::now() + length, length, kind: error.kind(), reason: error.chain().to_string() }
    }

    /// The error of an attempt during the pause; `None` after its end.
    pub fn error(&self, attempt: &'static str) -> Option<Error> {
        (Instant::now() < self.end).then(|| Error::new(self.kind, attempt).because(self.reason.clone()))
    }
}
