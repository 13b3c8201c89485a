//! Single-flight under a model checker, which explores thousands of schedules of a few threads.
//!
//! `RUSTFLAGS="--cfg shuttle" cargo test -p twat-cache-core --test model --release --target-dir target/shuttle`
//!
//! Every lock, wait and counter of the flights yields to the checker there. It finds deadlocks by itself; what the
//! threads see, the tests assert.

#![cfg(shuttle)]

mod flights;
mod fronts;
mod late;
mod stale;

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};

use shuttle::sync::atomic::{AtomicUsize, Ordering};
use shuttle::thread;
use twat_cache_core::{Error, KeyedStore, Memo, Store, mutate};

/// The plainest store, with locks that the checker knows.
struct Map<V = u64>(shuttle::sync::Mutex<HashMap<u64, V>>);

impl<V> Map<V> {
    fn new() -> Self {
        Self(shuttle::sync::Mutex::default())
    }

    fn lock(&self) -> shuttle::sync::MutexGuard<'_, HashMap<u64, V>> {
        // The checker switches threads during a panic, which poisons locks under which no thread panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<V: Send> Store for Map<V> {
    type Value = V;
    fn len(&self) -> Result<usize, Error> {
        Ok(self.lock().len())
    }
    fn clear(&self) -> Result<(), Error> {
        self.lock().clear();
        Ok(())
    }
}

impl<V: Clone + Send> KeyedStore<u64> for Map<V> {
    fn get(&self, key: &u64) -> Result<Option<V>, Error> {
        Ok(self.lock().get(key).cloned())
    }
    fn insert(&self, key: &u64, value: &V) -> Result<(), Error> {
        self.lock().insert(*key, value.clone());
        Ok(())
    }
    fn remove(&self, key: &u64) -> Result<bool, Error> {
        Ok(self.lock().remove(key).is_some())
    }
}

const SCHEDULES: usize = 10_000;

/// Explores that many random schedules, and as many with priorities that find rare orders (PCT).
fn explore(test: impl Fn() + Send + Sync + Clone + 'static) {
    shuttle::check_random(test.clone(), SCHEDULES);
    shuttle::check_pct(test, SCHEDULES, 3);
}

/// Contains a mistake, which a test must find.
fn must_find(mistake: &'static str, test: impl Fn() + Send + Sync + Clone + 'static) {
    mutate(mistake);
    let found = catch_unwind(AssertUnwindSafe(|| explore(test)));
    mutate("");
    assert!(found.is_err(), "no schedule shows that the library {mistake}");
}

fn spawn_all<T: Send + 'static>(count: usize, body: impl Fn() -> T + Clone + Send + 'static) -> Vec<T> {
    let threads: Vec<_> = (0..count).map(|_| thread::spawn(body.clone())).collect();
    threads.into_iter().map(|thread| thread.join().unwrap()).collect()
}

/// What a computation returns: a number that the test changes.
type World = Arc<AtomicUsize>;

/// What makes a memo forget.
#[derive(Clone, Copy)]
enum Change {
    Forget,
    Clear,
    Refresh,
}

/// Every thread changes the world, clears the memo, and calls: the result must not be from an earlier world.
fn nothing_older_is_given<S>(store: fn() -> S, changes: &'static [Change])
where
    S: KeyedStore<u64, Value = u64> + 'static,
{
    let world = World::default();
    let seen = world.clone();
    let memo = Arc::new(Memo::new(store(), move |_: &u64| seen.load(Ordering::SeqCst) as u64));
    let threads: Vec<_> = changes
        .iter()
        .map(|change| {
            let (memo, world) = (memo.clone(), world.clone());
            thread::spawn(move || {
                let now = world.fetch_add(1, Ordering::SeqCst) as u64 + 1;
                match change {
                    Change::Forget => assert!(memo.forget(&1).is_ok()),
                    Change::Clear => memo.clear().unwrap(),
                    Change::Refresh => assert!(memo.refresh(&1) >= now),
                }
                let given = memo.call(&1);
                assert!(given >= now, "{given} after {now}");
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}
