//! A process that was forked while others used a store.
#![cfg(unix)]

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{LazyLock, Mutex};
use std::task::{Context, Waker};
use std::thread;
use std::time::{Duration, Instant};

use twat_cache_mem::{MemStore, Memo, mcache};

/// Stays in its `Clone`, with a shard locked, until somebody lets it go.
struct Slow(u64);

static IS_SLOW: AtomicBool = AtomicBool::new(false);
static GATE: LazyLock<(Sender<()>, Mutex<Receiver<()>>)> = LazyLock::new(|| {
    let (open, gate) = mpsc::channel();
    (open, Mutex::new(gate))
});

impl Clone for Slow {
    fn clone(&self) -> Self {
        if IS_SLOW.swap(false, Ordering::SeqCst) {
            let _ = GATE.1.lock().map(|gate| gate.recv());
        }
        Self(self.0)
    }
}

type Numbers = Memo<MemStore<u64, Slow>, fn(&u64) -> Slow>;

/// All in one shard.
static NUMBERS: LazyLock<Numbers> = LazyLock::new(|| Memo::new(mcache().max_entries(10).open(), |n| Slow(*n)));

/// Runs this in a forked process; says whether it was true there.
#[expect(unsafe_code, reason = "std cannot fork")]
fn in_child(run: impl FnOnce() -> bool) -> bool {
    // SAFETY: the child has this thread only, calls nothing but `run`, which allocates and locks (glibc sees to its own
    // locks), and ends without what would run at exit.
    match unsafe { libc::fork() } {
        0 => {
            let right = run();
            // SAFETY: it ends the process.
            unsafe { libc::_exit(i32::from(!right)) }
        }
        child => {
            let (start, mut status) = (Instant::now(), 0);
            // SAFETY: `status` is there to be written.
            while unsafe { libc::waitpid(child, &raw mut status, libc::WNOHANG) } == 0 {
                if start.elapsed() > Duration::from_secs(60) {
                    // SAFETY: it is our child, and was not waited for yet.
                    unsafe { libc::kill(child, libc::SIGKILL) };
                    return false;
                }
                thread::sleep(Duration::from_millis(5));
            }
            status == 0
        }
    }
}

#[test]
fn a_lock_whose_holder_exists_in_the_parent_only_holds_a_forked_process_up_for_a_moment() {
    for n in 0..3 {
        NUMBERS.call(&n);
    }
    IS_SLOW.store(true, Ordering::SeqCst);
    let holder = thread::spawn(|| NUMBERS.call(&1).0);
    while IS_SLOW.load(Ordering::SeqCst) {
        thread::yield_now();
    }
    let right = in_child(|| {
        // Reading goes on, and what cannot be stored is computed.
        let called = (0..6).all(|n| NUMBERS.call(&n).0 == n);
        let told = NUMBERS.forget(&1).is_err() && NUMBERS.clear().is_err();
        called && told && NUMBERS.len().is_ok_and(|len| len == 3)
    });
    assert!(right);
    GATE.0.send(()).unwrap();
    assert_eq!(holder.join().unwrap(), 1);
    assert!(in_child(|| NUMBERS.forget(&1).is_ok_and(|was_there| was_there)));
    // That was the child's.
    assert!(NUMBERS.forget(&1).unwrap());
}

#[test]
fn a_forked_process_waits_without_the_timers_of_its_parent() {
    let wait = || {
        let memo = mcache().patience(Duration::from_millis(50)).wrap_async(async |n: &u64| *n);
        let mut leader = Box::pin(memo.call_with_async(&1, async || std::future::pending().await));
        assert!(leader.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        futures_lite::future::block_on(memo.call_async(&1)) == 1
    };
    assert!(wait());
    assert!(in_child(wait));
}
