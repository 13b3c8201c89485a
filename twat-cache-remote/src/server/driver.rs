//! The thread that talks to servers for tasks, and does what nobody waits for.

use std::future::Future;
use std::pin::pin;
use std::sync::LazyLock;
use std::task::Context;
use std::{future, io, thread};

use tokio::runtime::{Builder, Handle};
use tokio::task::JoinHandle;

/// The thread's name. Whether there is such a thread cannot be asked without starting it.
const NAME: &str = "twat-cache-remote";

static DRIVER: LazyLock<Option<Handle>> = LazyLock::new(|| {
    let start = || -> io::Result<Handle> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let drive = move || runtime.block_on(future::pending::<()>());
        thread::Builder::new().name(NAME.to_owned()).spawn(drive)?;
        Ok(handle)
    };
    start().ok()
});

/// Runs a future on that thread; `None` if the system has no thread for it. A process that was forked must not call this.
pub(crate) fn spawn<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> Option<JoinHandle<T>> {
    Some(DRIVER.as_ref()?.spawn(future))
}

/// A future that uses the runtime of that thread, on any executor; `None` if the system has no thread for it.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> Option<T> {
    let handle = DRIVER.as_ref()?;
    let mut future = pin!(future);
    let poll = |context: &mut Context<'_>| {
        let _entered = handle.enter();
        future.as_mut().poll(context)
    };
    Some(future::poll_fn(poll).await)
}

/// Runs code of the user, such as a logger: at once, or on another thread if this one is the driver's. It may wait for the driver.
pub(crate) fn run_users_code(code: impl FnOnce() + Send + 'static) {
    if thread::current().name() == Some(NAME) {
        // Without a thread for it, it is left out.
        let _ = thread::Builder::new().name("twat-cache-log".to_owned()).spawn(code);
    } else {
        code();
    }
}
