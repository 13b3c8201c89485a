//! User code that runs inside a store, in `Eq`, `Hash`, `Clone` or `Drop`, may use the same memo and may panic.

use std::cell::RefCell;
use std::hash::{Hash, Hasher};
use std::panic::{RefUnwindSafe, UnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, OnceLock, mpsc};
use std::thread;
use std::time::Duration;

use twat_cache_core::testing::{PATIENCE, record_logs, until, within};
use twat_cache_mem::{ErrorKind, KeyedStore, MemStore, Memo, Store, mcache};

const LIMIT: Duration = Duration::from_secs(60);

/// What the code at a hook does the next time that this thread runs it.
type Act = Box<dyn FnOnce()>;

thread_local! {
    static NEXT: RefCell<Option<(Place, Act)>> = const { RefCell::new(None) };
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    Eq,
    Hash,
    Clone,
    Drop,
}

fn at(place: Place, act: impl FnOnce() + 'static) {
    NEXT.set(Some((place, Box::new(act))));
}

fn run_code_at(place: Place) {
    // A thread that ends drops values, too.
    let act = NEXT.try_with(|next| next.borrow_mut().take_if(|(next, _)| *next == place));
    if let Ok(Some((_, act))) = act {
        act();
    }
}

fn has_happened() -> bool {
    NEXT.with_borrow(Option::is_none)
}

#[derive(Clone, Debug)]
struct Key(u64);

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        run_code_at(Place::Hash);
        self.0.hash(state);
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        run_code_at(Place::Eq);
        self.0 == other.0
    }
}

impl Eq for Key {}

#[derive(Debug, PartialEq)]
struct Value(u64);

impl Clone for Value {
    fn clone(&self) -> Self {
        run_code_at(Place::Clone);
        Self(self.0)
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        run_code_at(Place::Drop);
    }
}

type Shop = Memo<MemStore<Key, Value>, fn(&Key) -> Value>;

/// A memo with one shard, so that all calls use the same lock.
fn shop() -> &'static Shop {
    let value: fn(&Key) -> Value = |key| Value(key.0);
    Box::leak(Box::new(Memo::new(mcache().max_entries(10).open(), value)))
}

/// Runs this for all that may be done to a memo meanwhile.
fn meanwhile(place: Place, outer: fn(&'static Shop)) {
    let inner: [fn(&'static Shop); 8] = [
        |shop| assert_eq!(shop.call(&Key(1)), Value(1)),
        |shop| assert_eq!(shop.call(&Key(99)), Value(99)),
        |shop| assert_eq!(shop.refresh(&Key(1)), Value(1)),
        |shop| drop(shop.peek(&Key(1))),
        |shop| drop(shop.forget(&Key(1))),
        |shop| drop(shop.clear()),
        |shop| drop(shop.len()),
        |shop| assert!(shop.store().cache().weight() < 10),
    ];
    // All at once, for most of them wait.
    let run = move |inner: fn(&'static Shop)| {
        let shop = shop();
        shop.call(&Key(1));
        at(place, move || inner(shop));
        outer(shop);
        assert!(has_happened(), "nothing ran {place:?}");
        // No lock stays held, and all values belong to their keys.
        for key in 0..20 {
            assert_eq!(shop.call(&Key(key)), Value(key));
        }
        assert_eq!(shop.len().unwrap() as u64, shop.store().cache().weight());
    };
    within(LIMIT, move || {
        let threads = inner.map(|inner| thread::spawn(move || run(inner)));
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

#[test]
fn a_comparison_may_use_the_memo_on_a_hit() {
    meanwhile(Place::Eq, |shop| assert_eq!(shop.call(&Key(1)), Value(1)));
}

#[test]
fn a_comparison_may_use_the_memo_while_a_result_is_stored() {
    meanwhile(Place::Eq, |shop| shop.store().insert(&Key(1), &Value(1)).unwrap());
}

#[test]
fn hashing_may_use_the_memo() {
    meanwhile(Place::Hash, |shop| assert_eq!(shop.call(&Key(1)), Value(1)));
    meanwhile(Place::Hash, |shop| assert_eq!(shop.call(&Key(2)), Value(2)));
}

#[test]
fn cloning_may_use_the_memo() {
    meanwhile(Place::Clone, |shop| assert_eq!(shop.call(&Key(1)), Value(1)));
    meanwhile(Place::Clone, |shop| assert_eq!(shop.call(&Key(2)), Value(2)));
}

#[test]
fn dropping_may_use_the_memo_in_every_operation() {
    meanwhile(Place::Drop, |shop| shop.clear().unwrap());
    meanwhile(Place::Drop, |shop| assert!(shop.forget(&Key(1)).unwrap()));
    meanwhile(Place::Drop, |shop| drop(shop.refresh(&Key(1))));
    meanwhile(Place::Drop, |shop| (10..50).for_each(|key| shop.store().insert(&Key(key), &Value(key)).unwrap()));
}

#[test]
fn values_are_dropped_without_a_lock_held() {
    within(LIMIT, || {
        let shop = shop();
        shop.call(&Key(1));
        // An error would mean that a wait for a lock timed out.
        at(Place::Drop, || assert!(!shop.forget(&Key(2)).unwrap()));
        shop.clear().unwrap();
        assert!(has_happened());
        shop.call(&Key(1));
        at(Place::Drop, || assert!(!shop.forget(&Key(2)).unwrap()));
        shop.forget(&Key(1)).unwrap();
        assert!(has_happened());
    });
}

#[test]
fn a_shard_that_stays_locked_blocks_no_call_and_changes_are_errors() {
    within(LIMIT, || {
        let shop = shop();
        shop.call(&Key(1));
        let (entered, is_in) = mpsc::channel();
        let (leave, may_leave) = mpsc::channel::<()>();
        let cloning = thread::spawn(move || {
            at(Place::Clone, move || {
                entered.send(()).unwrap();
                let _ = may_leave.recv();
            });
            shop.call(&Key(1))
        });
        is_in.recv().unwrap();
        // Reads and computations work meanwhile.
        assert_eq!(shop.call(&Key(1)), Value(1));
        assert_eq!(shop.call(&Key(2)), Value(2));
        assert_eq!(shop.len().unwrap(), 1);
        for told in [shop.forget(&Key(1)).map(drop), shop.clear(), shop.store().insert(&Key(1), &Value(7))] {
            assert!(told.unwrap_err().chain().to_string().ends_with("a part of the memory is in use"));
        }
        drop(leave);
        assert_eq!(cloning.join().unwrap(), Value(1));
        assert!(shop.forget(&Key(1)).unwrap());
        shop.clear().unwrap();
    });
}

fn panics() {
    panic!("as intended");
}

type Use = fn(&MemStore<Key, Value>) -> Result<(), twat_cache_mem::Error>;

#[test]
fn a_panic_of_the_users_code_is_an_error_and_leaves_the_store_whole() {
    for place in [Place::Eq, Place::Hash, Place::Clone, Place::Drop] {
        let shop = shop();
        let store = shop.store();
        let uses: [Use; 5] = [
            // What is not the store's is not dropped here.
            |store| store.get(&Key(1)).map(std::mem::forget),
            |store| store.get_with_ttl(&Key(1)).map(std::mem::forget),
            |store| store.insert(&Key(1), Box::leak(Box::new(Value(1)))),
            |store| store.remove(&Key(1)).map(drop),
            Store::clear,
        ];
        for used in uses {
            store.insert(&Key(1), &Value(1)).unwrap();
            at(place, panics);
            // Not all of them run the code at this place.
            if let Err(error) = used(store) {
                assert_eq!(error.kind(), ErrorKind::Panicked);
                assert!(has_happened());
            }
            NEXT.take();
            for key in 0..20 {
                assert_eq!(shop.call(&Key(key)), Value(key));
            }
            assert_eq!(store.len().unwrap() as u64, store.cache().weight());
            store.clear().unwrap();
            assert_eq!(store.len().unwrap(), 0);
        }
    }
}

#[test]
fn a_clone_that_panics_on_a_hit_costs_a_computation_and_a_warning() {
    let logs = record_logs();
    let shop = shop();
    shop.call(&Key(1));
    at(Place::Clone, panics);
    assert_eq!(shop.call(&Key(1)), Value(1));
    assert!(has_happened());
    assert_eq!(logs.warnings("cannot look up a result").len(), 1);
}

#[test]
fn a_hash_that_panics_while_a_table_grows_does_no_harm() {
    let store = mcache().max_entries(100).open();
    let mut failed = 0;
    for key in 0..100 {
        // The new key is hashed twice. All later hashes are of keys that move.
        at(Place::Hash, || at(Place::Hash, || at(Place::Hash, panics)));
        let stored = store.insert(&Key(key), &Value(key));
        assert_eq!(stored.is_err(), has_happened());
        failed += usize::from(stored.is_err());
        NEXT.take();
        assert_eq!(store.len().unwrap() as u64, store.cache().weight());
    }
    assert!(failed > 0, "no table has grown");
}

#[test]
fn a_memo_may_be_used_after_a_panic_if_its_function_may() {
    fn is_safe<T: UnwindSafe + RefUnwindSafe>(_: &T) {}
    let square = mcache().wrap(|n: &u64| n * n);
    let weighed = mcache().weigher(10, |_, _| 1).ttl(LIMIT).wrap(|s: &str| s.to_owned());
    is_safe(&square);
    is_safe(&weighed);
    assert_eq!(catch_unwind(|| square.call(&3)).unwrap(), 9);
}

/// Its `clone` blocks once, until the test releases it.
#[derive(Debug, PartialEq)]
struct Slow(u64);

static IS_SLOW: AtomicBool = AtomicBool::new(false);
static LET_GO: Mutex<Option<mpsc::Receiver<()>>> = Mutex::new(None);

impl Clone for Slow {
    fn clone(&self) -> Self {
        let gate = LET_GO.lock().unwrap().take();
        if let Some(gate) = gate {
            IS_SLOW.store(true, Ordering::SeqCst);
            let _ = gate.recv();
        }
        Self(self.0)
    }
}

#[test]
fn a_refresh_is_not_undone_by_a_slow_clone() {
    let memo = mcache().max_entries(10).wrap(|n: &u64| Slow(*n));
    memo.call(&1);
    let (open, gate) = mpsc::channel();
    *LET_GO.lock().unwrap() = Some(gate);
    thread::scope(|scope| {
        scope.spawn(|| memo.call(&1));
        until("the value is being cloned", || IS_SLOW.load(Ordering::SeqCst));
        // The entry is locked for as long as it is being copied.
        assert_eq!(memo.refresh_with(&1, || Slow(2)), Slow(2));
        open.send(()).unwrap();
    });
    assert_ne!(memo.peek(&1).unwrap(), Some(Slow(1)), "older than the refresh");
    memo.call(&1);
    assert!(memo.peek(&1).unwrap().is_some(), "it remembers again");
}

static SWITCH: OnceLock<MemStore<Switching, Arc<u64>>> = OnceLock::new();
static SWITCHES: AtomicBool = AtomicBool::new(false);

/// Stores an entry with a deadline while it is copied, once.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Switching(u64);

impl Clone for Switching {
    fn clone(&self) -> Self {
        if SWITCHES.swap(false, Ordering::SeqCst) {
            let minute = Some(Duration::from_secs(60));
            SWITCH.get().unwrap().insert_with_ttl(&Self(7), &Arc::new(7), minute).unwrap();
        }
        Self(self.0)
    }
}

#[test]
fn an_entry_that_is_stored_while_the_store_switches_to_deadlines_is_found_or_dropped() {
    let store = SWITCH.get_or_init(|| mcache().open());
    let value = Arc::new(1);
    SWITCHES.store(true, Ordering::SeqCst);
    store.insert(&Switching(1), &value).unwrap();
    let is_found = store.get(&Switching(1)).unwrap().is_some();
    assert!(is_found || Arc::strong_count(&value) == 1, "not found, and kept all the same");
}

#[test]
fn evicted_values_may_use_the_cache_while_they_are_dropped() {
    struct Talkative;
    static STORE: LazyLock<MemStore<u64, Arc<Talkative>>> =
        LazyLock::new(|| mcache().weigher(10, |weight, _| *weight).open());
    impl Drop for Talkative {
        fn drop(&mut self) {
            let _ = STORE.get(&1);
            let _ = STORE.remove(&1);
        }
    }
    within(PATIENCE, || {
        for _ in 0..10 {
            for weight in 1..5 {
                STORE.insert(&weight, &Arc::new(Talkative)).unwrap();
            }
            // Evicts all of them at once.
            STORE.insert(&10, &Arc::new(Talkative)).unwrap();
        }
    });
}
