//! How much a thread allocates.

/// Makes the allocator of a test binary count, and defines a module `counting` with functions that say what a thread has
/// allocated. It is a macro because an allocator is unsafe, and this crate has no unsafe code.
#[macro_export]
macro_rules! counting_allocator {
    () => {
        #[allow(dead_code, reason = "some tests count allocations, others bytes")]
        #[allow(unsafe_code, reason = "there is no other way to be the allocator")]
        mod counting {
            use ::std::alloc::{GlobalAlloc, Layout, System};
            use ::std::cell::Cell;
            use ::std::hint::black_box;

            struct Counting;

            ::std::thread_local! {
                /// How often this thread has allocated.
                static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
                /// The bytes that it has allocated and not freed.
                static BYTES: Cell<usize> = const { Cell::new(0) };
            }

            // SAFETY: everything is passed on to the system's allocator as it came.
            unsafe impl GlobalAlloc for Counting {
                unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
                    ALLOCATIONS.set(ALLOCATIONS.get() + 1);
                    BYTES.set(BYTES.get().wrapping_add(layout.size()));
                    // SAFETY: the caller keeps the contract of `alloc`, which is the same.
                    unsafe { System.alloc(layout) }
                }

                unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
                    BYTES.set(BYTES.get().wrapping_sub(layout.size()));
                    // SAFETY: as above; the pointer came from `System`.
                    unsafe { System.dealloc(pointer, layout) }
                }
            }

            #[global_allocator]
            static ALLOCATOR: Counting = Counting;

            /// How many times `hit` allocates in this thread, in a hundred runs after the first.
            pub(crate) fn allocations<T>(hit: impl Fn() -> T) -> usize {
                black_box(hit());
                let before = ALLOCATIONS.get();
                (0..100).for_each(|_| drop(black_box(hit())));
                ALLOCATIONS.get() - before
            }

            /// What is made, and how many bytes more than before this thread has; less than none wrap around.
            pub(crate) fn taken<T>(make: impl FnOnce() -> T) -> (T, usize) {
                let before = BYTES.get();
                let result = make();
                (result, BYTES.get().wrapping_sub(before))
            }
        }
    };
}
