use super::error::{Error, ErrorKind};
use crate::sync::{Mutex, MutexGuard};

/// A process, to find out later that this is another one, made from it by `fork`: there, threads that hold locks are
/// missing, and what it has locked or written is its parent's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process(u32);

impl Process {
    /// The process that calls.
    pub fn this() -> Self {
        Self(std::process::id())
    }

    /// Whether the process that calls is another one. It costs a system call.
    pub fn is_forked(self) -> bool {
        self != Self::this()
    }

    /// Waits for a lock; `None` in a forked process, where its holder may be missing.
    ///
    /// The system is asked only if somebody holds the lock.
    #[inline]
    pub(crate) fn lock<T>(self, mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
        mutex.try_lock().or_else(|| self.wait_for(mutex))
    }

    #[cold]
    fn wait_for<T>(self, mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
        (!self.is_forked()).then(|| mutex.lock())
    }
}

impl Default for Process {
    fn default() -> Self {
        Self::this()
    }
}

/// Why a forked process cannot take part.
pub(crate) fn forked() -> Error {
    Error::new(ErrorKind::Io, "change what is remembered")
        .because("this process was forked from the one that remembers")
}
