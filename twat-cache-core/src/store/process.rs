use super::error::{Error, ErrorKind};
use crate::sync::{Mutex, MutexGuard};

/// A process id, to detect a `fork`.
///
/// A forked process lacks its parent's threads, so locks that those threads hold are never released. Files that are
/// open or locked belong to the parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process(u32);

impl Process {
    /// The current process.
    pub fn this() -> Self {
        Self(std::process::id())
    }

    /// Returns whether the current process is another one. This makes a system call.
    pub fn is_forked(self) -> bool {
        self != Self::this()
    }

    /// Waits for a lock. Returns `None` if the lock is taken in a forked process, which may lack the thread that holds
    /// it.
    ///
    /// It makes a system call only if the lock is taken.
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

/// The error of a change that a forked process cannot make.
pub(crate) fn forked() -> Error {
    Error::new(ErrorKind::Io, "change the cache").because("this process was forked from the process that owns it")
}
