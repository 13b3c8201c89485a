//! The thread that talks to servers for tasks, and does what nobody waits for.

use std::future::Future;
use std::sync::LazyLock;
use std::thread::{self, ThreadId};
use std::{future, io};

use tokio::runtime::{Builder, Handle};
use tokio::task::JoinHandle;

static DRIVER: LazyLock<Option<(Handle, ThreadId)>> = LazyLock::new(|| {
    let start = || -> io::Result<(Handle, ThreadId)> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let drive = move || runtime.block_on(future::pending::<()>());
        let thread = thread::Builder::new().name("twat-cache-remote".to_owned()).spawn(drive)?;
        Ok((handle, thread.thread().id()))
    };
    start().ok()
});

/// Runs a future on that thread; `None` if the system has no thread for it. A process that was forked must not call this.
pub(crate) fn spawn<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> Option<JoinHandle<T>> {
    let (driver, _) = DRIVER.as_ref()?;
    Some(driver.spawn(future))
}

/// Runs code of the user, such as a logger: at once, or on another thread if this one is the driver's. It may wait for the driver.
pub(crate) fn run_users_code(code: impl FnOnce() + Send + 'static) {
    let is_driver = DRIVER.as_ref().is_some_and(|(_, id)| *id == thread::current().id());
    if is_driver {
        // Without a thread for it, it is left out.
        let _ = thread::Builder::new().name("twat-cache-log".to_owned()).spawn(code);
    } else {
        code();
    }
}
