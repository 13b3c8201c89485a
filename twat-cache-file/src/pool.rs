//! Threads that read and write large files for tasks.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::thread;

use parking_lot::Mutex;
use twat_cache_core::{Error, ErrorKind};

/// The threads of a store. They are made when there is work, and end when there is none.
///
/// A forked child lacks its parent's threads. Its own stores have pools of their own.
#[derive(Default)]
pub(crate) struct Pool(Mutex<State>);

#[derive(Default)]
struct State {
    work: VecDeque<Work>,
    threads: usize,
}

type Work = Box<dyn FnOnce() + Send>;

/// How many threads there are at most. More would wait for the disk, or for a processor.
const MOST: usize = 8;

impl Pool {
    /// Runs this on a thread of the pool, also if the future is dropped meanwhile. A panic is an error.
    pub(crate) async fn run<T: Send + 'static>(
        self: &Arc<Self>,
        attempt: &'static str,
        work: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let progress = Arc::new(Mutex::new(Progress::Working(None)));
        let done = progress.clone();
        self.start(Box::new(move || {
            let result = catch_unwind(AssertUnwindSafe(work));
            let result = result.unwrap_or_else(|_| Err(Error::new(ErrorKind::Panicked, attempt)));
            let before = mem::replace(&mut *done.lock(), Progress::Done(result));
            if let Progress::Working(Some(waker)) = before {
                waker.wake();
            }
        }));
        poll_fn(|cx| {
            let waiting = Progress::Working(Some(cx.waker().clone()));
            let before = mem::replace(&mut *progress.lock(), waiting);
            match before {
                Progress::Done(result) => Poll::Ready(result),
                Progress::Working(_) => Poll::Pending,
            }
        })
        .await
    }

    fn start(self: &Arc<Self>, work: Work) {
        let mut state = self.0.lock();
        state.work.push_back(work);
        if state.threads == MOST {
            return;
        }
        state.threads += 1;
        drop(state);
        let pool = self.clone();
        let thread = thread::Builder::new().name(String::from("twat-cache-file"));
        if thread.spawn(move || pool.work()).is_err() {
            // No thread may be left that would do it.
            self.work();
        }
    }

    /// Works until there is nothing left to do.
    fn work(&self) {
        loop {
            let mut state = self.0.lock();
            let Some(work) = state.work.pop_front() else {
                state.threads -= 1;
                return;
            };
            drop(state);
            // The code of a waker may panic.
            let _ = catch_unwind(AssertUnwindSafe(work));
        }
    }
}

/// The state of some work, and what it wakes at its end.
enum Progress<T> {
    Working(Option<Waker>),
    Done(Result<T, Error>),
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use twat_cache_core::testing::{block_on, join_all, poll_once, until};

    use super::*;

    #[test]
    fn all_work_is_done_and_then_all_threads_end() {
        let pool = Arc::new(Pool::default());
        let run = |n: usize| Box::pin(pool.run("count", move || Ok(n)));
        let results: Result<Vec<_>, _> = block_on(join_all((0..100).map(run))).into_iter().collect();
        assert_eq!(results.unwrap(), (0..100).collect::<Vec<_>>());
        until("the threads end", || pool.0.lock().threads == 0);
        assert_eq!(block_on(run(100)).unwrap(), 100);
    }

    #[test]
    fn a_panic_is_an_error_and_ends_no_thread() {
        let pool = Arc::new(Pool::default());
        for _ in 0..2 * MOST {
            let failed = block_on(pool.run::<()>("fail", || panic!("as intended"))).unwrap_err();
            assert_eq!(failed.kind(), ErrorKind::Panicked);
        }
        assert_eq!(block_on(pool.run("work", || Ok(1))).unwrap(), 1);
    }

    #[test]
    fn work_goes_on_when_its_future_is_dropped() {
        let pool = Arc::new(Pool::default());
        let ((begin, has_begun), (end, has_ended)) = (mpsc::channel(), mpsc::channel());
        let mut future = Box::pin(pool.run("work", move || {
            has_begun.recv().unwrap();
            end.send(()).unwrap();
            Ok(())
        }));
        assert!(poll_once(&mut future).is_pending());
        drop(future);
        begin.send(()).unwrap();
        has_ended.recv().unwrap();
    }
}
