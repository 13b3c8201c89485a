//! Waiting for something to happen, with a bound, and without sleeping.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::Memo;

/// Longer than anything takes that ends at all, even on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Runs `test` on a thread of its own; panics if that panics, or has not ended within `limit`.
pub fn within<T: Send + 'static>(limit: Duration, test: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, ended) = mpsc::channel();
    let thread = thread::spawn(move || {
        // The receiver is gone only if the limit has passed.
        let _ = done.send(test());
    });
    match ended.recv_timeout(limit) {
        Ok(result) => result,
        Err(mpsc::RecvTimeoutError::Disconnected) => match thread.join() {
            Err(panic) => std::panic::resume_unwind(panic),
            Ok(()) => unreachable!("the thread sends before it ends"),
        },
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("hangs: not done after {limit:?}"),
    }
}

/// Asks again and again until `is_so`; panics if that is not so within [`PATIENCE`].
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        thread::yield_now();
    }
}

/// Waits until this many callers wait for a computation of the memo.
pub fn until_waiting<S, F, P>(memo: &Memo<S, F, P>, callers: usize) {
    until(&format!("{callers} callers wait"), || memo.waiting() >= callers);
}

/// The number in this environment variable, for soak runs that do more; or else this one.
pub fn soak(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).map_or(otherwise, |number| number.parse().expect("a number"))
}
