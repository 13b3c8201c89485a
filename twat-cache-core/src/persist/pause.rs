use std::path::Path;
use std::time::{Duration, Instant};

use crate::{Error, ErrorKind};

/// After a failure, a database is not opened for a while.
#[derive(Debug)]
pub struct Pause {
    /// When the first of several failures was.
    begun: Instant,
    end: Instant,
    kind: ErrorKind,
    /// Why it failed.
    reason: String,
}

const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

impl Pause {
    /// Failures belong together until the database has worked for a while. That it can be opened is not enough: a full disk
    /// fails at the first write.
    pub fn after(last: Option<&Self>, error: &Error) -> Self {
        let now = Instant::now();
        let last = last.filter(|last| now.saturating_duration_since(last.end) < LONGEST_PAUSE);
        let begun = last.map_or(now, |last| last.begun);
        Self { begun, end: now + pause(now - begun), kind: error.kind(), reason: error.chain().to_string() }
    }

    /// An error if it is not over.
    pub fn check(&self, dir: &Path) -> Result<(), Error> {
        if Instant::now() >= self.end {
            return Ok(());
        }
        Err(Error::new(self.kind, "open the database").at(dir).because(self.reason.clone()))
    }
}

/// How long the database is left alone that has failed for so long. A process that starts while another one still has the
/// database usually gets it within 2 seconds of the other's end: the two overlap for less than 16.
fn pause(failing: Duration) -> Duration {
    (failing / 8).clamp(FIRST_PAUSE, LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_get_longer_from_a_second_to_half_a_minute() {
        let pause_after = |seconds| pause(Duration::from_secs(seconds)).as_secs();
        assert_eq!([0, 1, 7, 8].map(pause_after), [1; 4]);
        assert_eq!([16, 80, 240, 100_000].map(pause_after), [2, 10, 30, 30]);
        // At each moment of an overlap of up to 16 seconds, the next attempt is at most 2 seconds away.
        let mut failing = Duration::ZERO;
        while failing < Duration::from_secs(16) {
            assert!(pause(failing) <= Duration::from_secs(2));
            failing += pause(failing);
        }
    }

    #[test]
    fn failures_belong_together_until_the_database_has_worked_for_a_while() {
        let error = || Error::new(ErrorKind::Locked, "open");
        let ago = |seconds| Instant::now().checked_sub(Duration::from_secs(seconds)).unwrap();
        let first = Pause::after(None, &error());
        assert_eq!(first.end - first.begun, FIRST_PAUSE);
        let last = Pause { begun: ago(80), end: ago(10), ..first };
        let next = Pause::after(Some(&last), &error());
        assert_eq!(next.begun, last.begun);
        assert!(next.end - Instant::now() > Duration::from_secs(9));
        let last = Pause { end: ago(40), ..last };
        assert!(Pause::after(Some(&last), &error()).begun > last.begun);
    }
}
