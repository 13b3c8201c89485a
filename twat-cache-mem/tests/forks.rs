//! A process that was forked while others used a store.
#![cfg(unix)]

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{LazyLock, Mutex};
use std::thread;
use std::time::Duration;

use twat_cache_core::testing::{block_on, poll_once, until};
use twat_cache_mem::{MemStore, Memo, mcache};

/// Its `clone` blocks, with a shard locked, until the gate opens.
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

twat_cache_core::define_in_fork!();

#[test]
fn a_lock_that_a_thread_of_the_parent_holds_does_not_block_a_forked_process() {
    for n in 0..3 {
        NUMBERS.call(&n);
    }
    IS_SLOW.store(true, Ordering::SeqCst);
    let holder = thread::spawn(|| NUMBERS.call(&1).0);
    until("the shard is locked", || !IS_SLOW.load(Ordering::SeqCst));
    let right = in_fork(|| {
        // Reads work, and what cannot be stored is computed.
        let called = (0..6).all(|n| NUMBERS.call(&n).0 == n);
        let told = NUMBERS.forget(&1).is_err() && NUMBERS.clear().is_err();
        called && told && NUMBERS.len().is_ok_and(|len| len == 3)
    });
    assert!(right);
    GATE.0.send(()).unwrap();
    assert_eq!(holder.join().unwrap(), 1);
    assert!(in_fork(|| NUMBERS.forget(&1).is_ok_and(|was_there| was_there)));
    // That was the child's.
    assert!(NUMBERS.forget(&1).unwrap());
}

#[test]
fn waits_end_in_a_forked_process_although_it_has_no_timer_thread() {
    let wait = || {
        let memo = mcache().patience(Duration::from_millis(50)).wrap_async(async |n: &u64| *n);
        let mut leader = Box::pin(memo.call_with_async(&1, async || std::future::pending().await));
        assert!(poll_once(&mut leader).is_pending());
        block_on(memo.call_async(&1)) == 1
    };
    assert!(wait());
    assert!(in_fork(wait));
}
