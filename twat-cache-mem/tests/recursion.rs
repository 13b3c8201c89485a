//! The stack space that a cached recursive function takes. CI also runs this with `--release`.

use std::sync::LazyLock;
use std::thread;

use twat_cache_mem::{MemStore, Memo, mcache};

/// How many bytes a call may take, that of the function included.
const LEVEL: usize = if cfg!(debug_assertions) { 4096 } else { 400 };
const LEVELS: u64 = 5000;

type Sum = Memo<MemStore<u64, u64>, fn(&u64) -> u64>;

static SUM: LazyLock<Sum> = LazyLock::new(|| {
    Memo::new(mcache().max_entries(10_000).open(), |n| if *n == 0 { 0 } else { SUM.call(&(n - 1)) + n })
});

#[test]
fn a_call_within_a_call_takes_little_of_the_stack() {
    // Some bytes belong to the thread and to the store.
    let stack = LEVEL * usize::try_from(LEVELS).unwrap() + (64 << 10);
    let thread = thread::Builder::new().stack_size(stack).spawn(|| SUM.call(&LEVELS)).unwrap();
    assert_eq!(thread.join().unwrap(), LEVELS * (LEVELS + 1) / 2);
}
