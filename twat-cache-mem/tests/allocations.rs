//! A hit allocates nothing, whatever its arguments are.
//!
//! Alone in its process: the allocator counts for all threads.

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use twat_cache_mem::{Call, mcache};

struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

#[expect(unsafe_code, reason = "there is no other way to be the allocator")]
// SAFETY: everything is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps `alloc`'s contract, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above; the pointer came from `System`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How many times `hit` allocates, in a hundred runs after the first.
fn allocations<T>(hit: impl Fn() -> T) -> usize {
    black_box(hit());
    // The test harness has threads of its own, which allocate now and then: the quietest of many rounds is ours.
    let round = || {
        let before = ALLOCATIONS.load(Ordering::Relaxed);
        (0..100).for_each(|_| drop(black_box(hit())));
        ALLOCATIONS.load(Ordering::Relaxed) - before
    };
    (0..20).map(|_| round()).min().unwrap_or(usize::MAX)
}

#[test]
fn a_hit_allocates_nothing() {
    let number = mcache().wrap(|n: &u64| n * 2);
    assert_eq!(allocations(|| number.call(&1)), 0);

    let text = mcache().wrap(|s: &str| s.len());
    assert_eq!(allocations(|| text.call("a string of some length")), 0);

    let path = mcache().wrap(|p: &Path| p.components().count());
    assert_eq!(allocations(|| path.call(Path::new("a/b/c"))), 0);

    let slice = mcache().wrap(|s: &[u64]| s.iter().sum::<u64>());
    assert_eq!(allocations(|| slice.call(&[1, 2, 3])), 0);

    let several = mcache().wrap(|Call((s, n)): &Call<(&str, &u32)>| s.len() as u64 + u64::from(**n));
    assert_eq!(allocations(|| several.call(&Call(("a string of some length", &7)))), 0);

    // The counter does count.
    assert!(allocations(|| String::from("x")) >= 100);
}
