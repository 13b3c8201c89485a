//! Forked processes, which have the memory of their parent and one of its threads.

/// Defines `in_fork`, which runs something in a forked process. It is a macro because `fork` is unsafe, and this crate has no
/// unsafe code. A crate that uses it depends on `libc`.
#[macro_export]
macro_rules! define_in_fork {
    () => {
        /// Runs this in a forked process, which ends with it; whether it was true there, without a panic, within a minute.
        #[allow(unsafe_code, reason = "std cannot fork")]
        fn in_fork(work: impl FnOnce() -> bool) -> bool {
            // SAFETY: the child has this thread only. It calls nothing but `work`, whose ability to do without the other
            // threads is what is tested, and the allocator, which the C library makes ready for a forked child.
            let child = unsafe { ::libc::fork() };
            if child == 0 {
                let is_right = ::std::panic::catch_unwind(::std::panic::AssertUnwindSafe(work)).unwrap_or(false);
                // SAFETY: it ends the process at once, without running what others have registered for its end.
                unsafe { ::libc::_exit(i32::from(!is_right)) };
            }
            assert!(child > 0, "cannot fork");
            let begun = ::std::time::Instant::now();
            let mut status = 0;
            // SAFETY: the number is that of a child of ours, and `status` is there to be written to.
            while unsafe { ::libc::waitpid(child, &raw mut status, ::libc::WNOHANG) } == 0 {
                if begun.elapsed() > ::std::time::Duration::from_secs(60) {
                    // SAFETY: it has not been waited for, so the number is still its own.
                    unsafe { ::libc::kill(child, ::libc::SIGKILL) };
                }
                ::std::thread::yield_now();
            }
            status == 0
        }
    };
}
