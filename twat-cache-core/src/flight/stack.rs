//! The computations that run on this thread now.
//!
//! A computation that asks for a key on the stack would wait for itself. A task's computation is on the stack of the
//! thread that polls it, during the poll. Thread ids are not enough, because tasks share threads.

use std::cell::RefCell;
use std::marker::PhantomData;

use crate::sync::thread_local;

thread_local! {
    static RUNNING: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

/// Puts a flight on this thread's stack until the guard is dropped.
pub(super) fn enter(flight: u64) -> OnStack {
    // This fails in a destructor of a thread-local, when the stack is already destroyed. There a computation that asks
    // for its own key is not detected.
    let _ = RUNNING.try_with(|running| running.borrow_mut().push(flight));
    OnStack { _not_send: PhantomData }
}

pub(super) fn contains(flight: u64) -> bool {
    RUNNING.try_with(|running| running.borrow().contains(&flight)).unwrap_or(false)
}

/// Returns the flights whose computations run on this thread, outermost first.
pub(super) fn snapshot() -> Vec<u64> {
    RUNNING.try_with(|running| running.borrow().clone()).unwrap_or_default()
}

/// The guard of [`enter`]. Each guard is a local variable, so guards are dropped on their own thread and in reverse
/// order.
pub(crate) struct OnStack {
    _not_send: PhantomData<*const ()>,
}

impl Drop for OnStack {
    fn drop(&mut self) {
        let _ = RUNNING.try_with(|running| running.borrow_mut().pop());
    }
}
