//! Which computations run on this thread right now.
//!
//! A computation that asks for a key on the stack would wait for itself. A task's computation is on the stack of the
//! thread that polls it, while it is polled: thread ids alone cannot tell, for tasks share threads.

use std::cell::RefCell;
use std::marker::PhantomData;

use crate::sync::thread_local;

thread_local! {
    static RUNNING: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

/// Puts a flight on this thread's stack until the guard is dropped.
pub(super) fn enter(flight: u64) -> Running {
    // A thread that is being torn down has no stack any more. Then a computation that asks for itself is not
    // recognised, in the destructor of a thread-local: that is out of reach.
    let _ = RUNNING.try_with(|running| running.borrow_mut().push(flight));
    Running { _not_send: PhantomData }
}

pub(super) fn contains(flight: u64) -> bool {
    RUNNING.try_with(|running| running.borrow().contains(&flight)).unwrap_or(false)
}

/// All flights whose computation runs here, outermost first.
pub(super) fn snapshot() -> Vec<u64> {
    RUNNING.try_with(|running| running.borrow().clone()).unwrap_or_default()
}

/// Guards are dropped on the thread that made them, in reverse order: they live in one function's frame each.
pub(crate) struct Running {
    _not_send: PhantomData<*const ()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = RUNNING.try_with(|running| running.borrow_mut().pop());
    }
}
