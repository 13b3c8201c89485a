//! User code that runs inside a memo may panic, wait, or use the same memo.

use std::hash::Hash;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, LazyLock, Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use twat_cache_core::testing::{until, within};
use twat_cache_core::{Error, KeyedStore, LruStore, Memo, Store, Tiered};

const LIMIT: Duration = Duration::from_secs(45);
const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_call_does_not_wait_for_another_result_that_is_being_stored() {
    static GATE: Mutex<()> = Mutex::new(());
    static BLOCKS: AtomicBool = AtomicBool::new(true);
    static IS_BLOCKED: AtomicBool = AtomicBool::new(false);
    struct NeedsGate;
    impl Clone for NeedsGate {
        fn clone(&self) -> Self {
            if BLOCKS.swap(false, Ordering::SeqCst) {
                IS_BLOCKED.store(true, Ordering::SeqCst);
                drop(GATE.lock());
            }
            Self
        }
    }
    within(LIMIT, || {
        let memo = Memo::new(LruStore::new(10), |_: &u64| NeedsGate).patience(SECOND / 10);
        let held = GATE.lock().unwrap();
        thread::scope(|scope| {
            scope.spawn(|| memo.call(&1));
            until("a result is being stored", || IS_BLOCKED.load(Ordering::SeqCst));
            let begun = Instant::now();
            for _ in 0..10 {
                memo.call(&1);
            }
            let elapsed = begun.elapsed();
            drop(held);
            assert!(elapsed < 8 * SECOND, "{elapsed:?}");
        });
    });
}

#[test]
fn an_error_that_cannot_be_cloned_reaches_its_caller() {
    #[derive(Debug, PartialEq)]
    struct Bad;
    impl Clone for Bad {
        fn clone(&self) -> Self {
            panic!("as intended")
        }
    }
    let memo = Memo::new(LruStore::<u64>::new(10), |_: &u64| Err(Bad)).share_errors();
    assert_eq!(catch_unwind(AssertUnwindSafe(|| memo.try_call(&1))).ok(), Some(Err(Bad)));
}

#[test]
fn a_result_that_is_forgotten_while_it_is_stored_is_not_there() {
    static FORGETS: AtomicBool = AtomicBool::new(true);
    type Forgetting = Memo<LruStore<Forgets>, fn(&u64) -> Forgets>;
    static MEMO: LazyLock<Forgetting> = LazyLock::new(|| Memo::new(LruStore::new(10), |_| Forgets));
    struct Forgets;
    impl Clone for Forgets {
        fn clone(&self) -> Self {
            if FORGETS.swap(false, Ordering::SeqCst) {
                MEMO.forget(&1).unwrap();
            }
            Self
        }
    }
    MEMO.call(&1);
    assert!(MEMO.peek(&1).unwrap().is_none());
}

/// Panics when it is cloned, once this is true.
struct Fragile(Arc<AtomicBool>);

impl Clone for Fragile {
    fn clone(&self) -> Self {
        assert!(!self.0.swap(false, Ordering::SeqCst), "as intended");
        Self(self.0.clone())
    }
}

/// Gives values that cannot be copied to the front.
struct Back(LruStore<Fragile>, AtomicBool);

impl Store for Back {
    type Value = Fragile;
    fn len(&self) -> Result<usize, Error> {
        self.0.len()
    }
    fn clear(&self) -> Result<(), Error> {
        self.0.clear()
    }
}

impl KeyedStore<u64> for Back {
    fn get(&self, key: &u64) -> Result<Option<Fragile>, Error> {
        let found = self.0.get(key)?;
        if let Some(Fragile(breaks)) = &found {
            breaks.store(self.1.load(Ordering::SeqCst), Ordering::SeqCst);
        }
        Ok(found)
    }
    fn insert(&self, key: &u64, value: &Fragile) -> Result<(), Error> {
        self.0.insert(key, value)
    }
    fn remove(&self, key: &u64) -> Result<bool, Error> {
        self.0.remove(key)
    }
}

#[test]
fn a_value_that_cannot_be_copied_to_the_front_is_returned() {
    let store = Tiered::new(LruStore::new(1), Back(LruStore::new(10), AtomicBool::new(false)));
    let breaks = Arc::new(AtomicBool::new(false));
    let memo = Memo::new(store, |_: &u64| Fragile(breaks.clone()));
    memo.call(&1);
    memo.call(&2);
    memo.store().back().1.store(true, Ordering::SeqCst);
    assert!(catch_unwind(AssertUnwindSafe(|| drop(memo.call(&1)))).is_ok());
}

fn each_gets_its_own_error<K>(one: &K, other: &K, name: fn(&K) -> String)
where
    K: twat_cache_core::Args + Sync + ?Sized,
{
    let (begun, fail, leads) = (Barrier::new(2), OnceLock::new(), AtomicBool::new(true));
    let memo = Memo::new(LruStore::<u64>::new(10), |key: &K| {
        if leads.swap(false, Ordering::SeqCst) {
            begun.wait();
            fail.wait();
        }
        Err::<u64, _>(name(key))
    })
    .share_errors();
    thread::scope(|scope| {
        scope.spawn(|| memo.try_call(one));
        begun.wait();
        let second = scope.spawn(|| memo.try_call(other));
        let begun = Instant::now();
        while memo.waiting() == 0 && begun.elapsed() < SECOND {
            thread::yield_now();
        }
        fail.set(()).unwrap();
        assert_eq!(second.join().unwrap(), Err(name(other)));
    });
}

#[test]
fn an_error_is_not_shared_with_callers_whose_arguments_only_hash_alike() {
    #[derive(Clone, PartialEq, Eq)]
    struct Coarse(u64);
    impl Hash for Coarse {
        fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
            state.write_u8(0);
        }
    }
    within(LIMIT, || each_gets_its_own_error(&Coarse(1), &Coarse(2), |key| key.0.to_string()));
    within(LIMIT, || {
        let [one, other] = ["/a/b", "a//b"].map(Path::new);
        each_gets_its_own_error(one, other, |path| path.display().to_string());
    });
}
