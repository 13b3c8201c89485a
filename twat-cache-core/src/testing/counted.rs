//! Functions whose computations are counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts computations.
#[derive(Debug, Default)]
pub struct Counter(AtomicUsize);

impl Counter {
    /// At 0.
    pub const fn new() -> Self {
        Self(AtomicUsize::new(0))
    }

    /// Counts one; gives the number of those before.
    pub fn count(&self) -> usize {
        self.0.fetch_add(1, Ordering::SeqCst)
    }

    /// The number counted so far.
    pub fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// A function of a number, boxed so that the type of a memo of it has a name.
pub type Counted<V> = Box<dyn Fn(&u64) -> V + Send + Sync>;

/// A function that counts its computations, and the counter.
pub fn counted<V>(function: impl Fn(u64) -> V + Send + Sync + 'static) -> (Counted<V>, Arc<Counter>) {
    let computed = Arc::new(Counter::new());
    let counter = computed.clone();
    let function = move |key: &u64| {
        counter.count();
        function(*key)
    };
    (Box::new(function), computed)
}
