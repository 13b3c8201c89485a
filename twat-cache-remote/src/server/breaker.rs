//! A server that is away is left alone for a while, so that calls do not wait for it one after another.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use twat_cache_core::Namespace;

#[derive(Default)]
pub(crate) struct Breaker {
    /// The number of the outage while it is open, or else 0.
    outage: AtomicU64,
    state: Mutex<State>,
}

/// The number of the next outage, of whatever server: a result of one outage is not taken for one of another.
static NEXT: AtomicU64 = AtomicU64::new(1);

#[derive(Default)]
struct State {
    has_opened: bool,
    /// Why it has opened.
    reason: String,
    /// The last pause, and when the breaker closed after it.
    pause: Duration,
    closed: Option<Instant>,
}

/// The breaker was closed, and has opened.
pub(crate) struct Opened {
    pub(crate) is_first: bool,
    pub(crate) pause: Duration,
}

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

impl Breaker {
    /// The number of the outage, while it is open.
    #[inline]
    pub(crate) fn outage(&self) -> Option<u64> {
        Some(self.outage.load(Ordering::Acquire)).filter(|outage| *outage != 0)
    }

    /// Why it is open.
    #[inline]
    pub(crate) fn reason(&self) -> Option<String> {
        self.outage().map(|_| self.state.lock().reason.clone())
    }

    /// Opens it, if it is closed.
    pub(crate) fn open(&self, reason: String) -> Option<Opened> {
        let mut state = self.state.lock();
        if self.outage().is_some() {
            return None;
        }
        // A server that refuses some commands only is soon away again.
        let is_again = state.closed.is_some_and(|closed| closed.elapsed() < state.pause * 2);
        let pause = if is_again { longer(state.pause) } else { FIRST_PAUSE };
        let is_first = !state.has_opened;
        *state = State { has_opened: true, reason, pause, closed: None };
        self.outage.store(NEXT.fetch_add(1, Ordering::Relaxed), Ordering::Release);
        Some(Opened { is_first, pause })
    }

    /// The pause after this one.
    pub(crate) fn longer(&self, pause: Duration) -> Duration {
        let pause = longer(pause);
        self.state.lock().pause = pause;
        pause
    }

    pub(crate) fn close(&self) {
        let mut state = self.state.lock();
        state.closed = Some(Instant::now());
        self.outage.store(0, Ordering::Release);
    }
}

fn longer(pause: Duration) -> Duration {
    (pause * 2).min(LONGEST_PAUSE)
}

/// From a half of the time to one and a half, so that processes do not all come back at once.
pub(crate) fn jittered(time: Duration) -> Duration {
    let [random, ..] = Namespace::random_secret();
    time / 2 + time * u32::from(random) / 256
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_to_ten_seconds_and_start_again_after_a_long_time_without_failures() {
        let breaker = Breaker::default();
        let opened = breaker.open("away".to_owned()).unwrap();
        assert!(opened.is_first && opened.pause == FIRST_PAUSE);
        let outage = breaker.outage();
        assert!(outage.is_some());
        assert!(breaker.open("away".to_owned()).is_none(), "it is open already");
        let pauses = std::iter::successors(Some(FIRST_PAUSE), |pause| Some(breaker.longer(*pause)));
        let seconds: Vec<_> = pauses.map(|pause| pause.as_secs_f64()).take(9).collect();
        assert_eq!(seconds, [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0]);
        breaker.close();
        assert_eq!(breaker.outage(), None);
        let again = breaker.open("away".to_owned()).unwrap();
        assert!(!again.is_first && again.pause == LONGEST_PAUSE);
        breaker.close();
        breaker.state.lock().closed = Instant::now().checked_sub(LONGEST_PAUSE * 2);
        assert_eq!(breaker.open("away".to_owned()).unwrap().pause, FIRST_PAUSE);
        assert!(breaker.outage() > outage, "it is another outage");
    }

    #[test]
    fn pauses_vary_by_a_half() {
        let pauses: Vec<_> = (0..100).map(|_| jittered(LONGEST_PAUSE)).collect();
        assert!(pauses.iter().all(|pause| *pause >= LONGEST_PAUSE / 2 && *pause <= LONGEST_PAUSE * 3 / 2));
        assert!(pauses.iter().any(|pause| *pause != pauses[0]));
    }
}
