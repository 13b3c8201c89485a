//! Single-flight under a model checker, which explores thousands of schedules of a few threads.
//!
//! `RUSTFLAGS="--cfg shuttle" cargo test -p twat-cache-core --test model --release --target-dir target/shuttle`
//!
//! Every lock, wait and counter of the flights yields to the checker there. It finds deadlocks by itself; what the
//! threads see, the tests assert.

#![cfg(shuttle)]

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use shuttle::sync::atomic::{AtomicUsize, Ordering};
use shuttle::{future, thread};
use twat_cache_core::{Copied, Error, Found, KeyedStore, Memo, Near, Stamp, Store, Ticket, Tiered, mutate};

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

/// Calls key 1 in one thread, while another thread changes the world and then does `change` to the memo.
fn beside_a_call(change: fn(&Memo<Map, Box<dyn Fn(&u64) -> u64 + Send + Sync>>)) {
    let world = World::default();
    let seen = world.clone();
    let function = move |_: &u64| seen.load(Ordering::SeqCst) as u64;
    let memo = Arc::new(Memo::new(Map::new(), Box::new(function) as Box<dyn Fn(&u64) -> u64 + Send + Sync>));
    let caller = {
        let memo = memo.clone();
        thread::spawn(move || memo.call(&1))
    };
    world.store(1, Ordering::SeqCst);
    change(&memo);
    // A caller after the change must not get what was computed before it.
    assert_eq!(memo.call(&1), 1);
    caller.join().unwrap();
    assert_eq!(memo.call(&1), 1);
}

#[test]
fn threads_compute_a_cold_key_once() {
    explore(|| {
        let computed = Arc::new(AtomicUsize::new(0));
        let counter = computed.clone();
        let memo = Arc::new(Memo::new(Map::new(), move |n: &u64| {
            counter.fetch_add(1, Ordering::SeqCst);
            thread::yield_now();
            *n
        }));
        assert_eq!(spawn_all(3, move || memo.call(&1)), [1, 1, 1]);
        assert_eq!(computed.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn no_caller_hangs_when_the_leader_fails() {
    explore(|| {
        let computed = Arc::new(AtomicUsize::new(0));
        let memo = Arc::new(Memo::new(Map::new(), move |n: &u64| match computed.fetch_add(1, Ordering::SeqCst) {
            0 => Err("fails"),
            _ => Ok(*n),
        }));
        let results = spawn_all(3, move || memo.try_call(&1));
        assert_eq!(results.iter().filter(|result| result.is_err()).count(), 1);
    });
}

#[test]
fn functions_that_call_each_other_do_not_deadlock() {
    type Function = Box<dyn Fn(&u64) -> u64 + Send + Sync>;
    struct Pair {
        memos: [Memo<Map, Function>; 2],
    }
    explore(|| {
        // Each computation calls the other memo with the same key, up to three times.
        let asked = Arc::new(AtomicUsize::new(0));
        let pair = Arc::new_cyclic(|pair: &std::sync::Weak<Pair>| {
            let function = |other: usize| -> Function {
                let (pair, asked) = (pair.clone(), asked.clone());
                Box::new(move |n| {
                    if asked.fetch_add(1, Ordering::SeqCst) < 3 {
                        pair.upgrade().unwrap().memos[other].call(n)
                    } else {
                        *n
                    }
                })
            };
            Pair { memos: [Memo::new(Map::new(), function(1)), Memo::new(Map::new(), function(0))] }
        });
        let threads: Vec<_> = (0..2)
            .map(|first| {
                let pair = pair.clone();
                thread::spawn(move || pair.memos[first].call(&7))
            })
            .collect();
        for thread in threads {
            assert_eq!(thread.join().unwrap(), 7);
        }
    });
}

#[test]
fn a_result_that_is_forgotten_during_its_computation_is_not_stored() {
    explore(|| beside_a_call(|memo| assert!(memo.forget(&1).is_ok())));
}

#[test]
fn a_refresh_is_never_overwritten_by_an_older_computation() {
    explore(|| beside_a_call(|memo| assert_eq!(memo.refresh(&1), 1)));
}

#[test]
fn an_inserted_value_is_never_overwritten_by_an_older_computation() {
    explore(|| beside_a_call(|memo| memo.insert(&1, &1).unwrap()));
}

#[test]
fn tasks_share_one_computation_and_survive_its_cancellation() {
    explore(|| {
        let computed = Arc::new(AtomicUsize::new(0));
        let counter = computed.clone();
        let memo = Arc::new(Memo::new(Map::new(), async move |n: &u64| {
            counter.fetch_add(1, Ordering::SeqCst);
            future::yield_now().await;
            *n
        }));
        let tasks: Vec<_> = (0..3)
            .map(|_| {
                let memo = memo.clone();
                future::spawn(async move { memo.call_async(&1).await })
            })
            .collect();
        // Any task may be the leader. If this one is, the others continue without it.
        tasks[0].abort();
        for task in tasks.into_iter().skip(1) {
            assert_eq!(future::block_on(task).unwrap(), 1);
        }
        assert!((1..=3).contains(&computed.load(Ordering::SeqCst)));
    });
}

#[test]
fn a_panic_leaves_nothing_locked() {
    explore(|| {
        let computed = Arc::new(AtomicUsize::new(0));
        let memo = Arc::new(Memo::new(Map::new(), move |n: &u64| {
            if computed.fetch_add(1, Ordering::SeqCst) == 0 {
                // Without the hook's noise, twenty thousand times.
                std::panic::resume_unwind(Box::new("the first panics"));
            }
            *n
        }));
        let results = spawn_all(3, move || catch_unwind(AssertUnwindSafe(|| memo.call(&1))).ok());
        assert_eq!(results.iter().flatten().count(), 2);
    });
}

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
    let world = Arc::new(AtomicUsize::new(0));
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

fn tiers() -> Tiered<Map, Map> {
    Tiered::new(Map::new(), Map::new())
}

#[test]
fn after_any_two_changes_no_stale_value_is_returned() {
    use Change::{Clear, Forget, Refresh};
    explore(|| nothing_older_is_given(Map::new, &[Forget, Refresh, Forget]));
    explore(|| nothing_older_is_given(Map::new, &[Clear, Refresh, Clear]));
    explore(|| nothing_older_is_given(Map::new, &[Refresh, Refresh, Refresh]));
    must_find("lets an outdated refresh keep an older value", || {
        nothing_older_is_given(Map::new, &[Clear, Refresh, Clear]);
    });
    must_find("lets the refresh win that ends first", || {
        nothing_older_is_given(Map::new, &[Refresh, Refresh, Refresh])
    });
}

#[test]
fn tiers_return_no_stale_value() {
    use Change::{Clear, Forget, Refresh};
    explore(|| nothing_older_is_given(tiers, &[Forget, Forget]));
    explore(|| nothing_older_is_given(tiers, &[Clear, Refresh]));
    explore(|| nothing_older_is_given(tiers, &[Refresh, Forget, Refresh]));
}

/// A lookup during a change, and another after it.
fn a_lookup_beside_a_change_leaves_nothing_old_in_front() {
    let tiers = Arc::new(tiers());
    tiers.back().insert(&1, &10).unwrap();
    let reader = {
        let tiers = tiers.clone();
        thread::spawn(move || tiers.get(&1).unwrap())
    };
    let writer = {
        let tiers = tiers.clone();
        thread::spawn(move || tiers.insert(&1, &11).unwrap())
    };
    tiers.remove(&1).unwrap();
    let seen = tiers.get(&1).unwrap();
    assert!(seen.is_none_or(|value| value == 11), "{seen:?}");
    reader.join().unwrap();
    writer.join().unwrap();
    // After any order of events, the front has the value of the back, or none.
    let front = tiers.front().get(&1).unwrap();
    assert!(front.is_none() || front == tiers.back().get(&1).unwrap());
}

#[test]
fn the_front_of_tiers_has_what_the_back_has_or_nothing() {
    explore(a_lookup_beside_a_change_leaves_nothing_old_in_front);
    must_find("looks during a change", a_lookup_beside_a_change_leaves_nothing_old_in_front);
}

/// A store that several processes share, as they see it: changes are transactions, and then a generation is raised.
struct Shared {
    map: Map,
    /// Computations are numbered, and those up to the barrier are outdated.
    order: shuttle::sync::Mutex<(u64, u64)>,
    generation: AtomicUsize,
    /// A mistake: the generation is raised before the change.
    raises_first: bool,
}

impl Shared {
    fn new(raises_first: bool) -> Self {
        Self { map: Map::new(), order: shuttle::sync::Mutex::default(), generation: AtomicUsize::new(0), raises_first }
    }

    fn raise(&self) {
        self.generation.fetch_add(1, Ordering::SeqCst);
    }

    /// A transaction that outdates all computations. `change` is told up to which number they were outdated before.
    fn change<T>(&self, change: impl FnOnce(u64) -> T) -> T {
        if self.raises_first {
            self.raise();
        }
        let changed = {
            let mut order = self.order.lock().unwrap_or_else(PoisonError::into_inner);
            let before = order.1;
            order.0 += 1;
            order.1 = order.0;
            change(before)
        };
        if !self.raises_first {
            self.raise();
        }
        changed
    }
}

impl Store for Shared {
    type Value = u64;
    fn len(&self) -> Result<usize, Error> {
        self.map.len()
    }
    fn clear(&self) -> Result<(), Error> {
        self.change(|_| self.map.clear())
    }
    fn is_shared(&self) -> bool {
        true
    }
    fn is_current(&self, stamp: Stamp) -> bool {
        self.generation.load(Ordering::SeqCst) as u64 == stamp.generation
    }
}

impl KeyedStore<u64> for Shared {
    fn get(&self, key: &u64) -> Result<Option<u64>, Error> {
        self.map.get(key)
    }
    fn insert(&self, key: &u64, value: &u64) -> Result<(), Error> {
        self.change(|_| self.map.insert(key, value))
    }
    fn remove(&self, key: &u64) -> Result<bool, Error> {
        self.change(|_| self.map.remove(key))
    }
    fn begin(&self, _: &u64) -> Ticket {
        let mut order = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        order.0 += 1;
        Ticket { number: order.0, is_refresh: false }
    }
    fn insert_begun(&self, key: &u64, value: &u64, _: Option<Duration>, ticket: Ticket) -> Result<bool, Error> {
        if ticket.is_refresh {
            return self.change(|barrier| {
                let is_current = ticket.number > barrier;
                // What is there may be older than a refresh that is outdated.
                if is_current {
                    self.map.insert(key, value)?
                } else {
                    self.map.remove(key).map(drop)?
                }
                Ok(is_current)
            });
        }
        let order = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        if ticket.number > order.1 { self.map.insert(key, value).map(|()| true) } else { Ok(false) }
    }
    fn stamp(&self, _: &u64) -> Option<Stamp> {
        Some(Stamp { stripe: 0, generation: self.generation.load(Ordering::SeqCst) as u64 })
    }
}

fn near() -> Near<Map<Copied<u64>>, Map> {
    Near::new(Map::new(), Map::new())
}

/// Two processes with memory of their own in front of a store that they share. Each changes the world, and then the entry. What
/// either is given must not be of an earlier world.
fn no_process_is_given_anything_older(raises_first: bool, changes: [Change; 2]) {
    let back = Arc::new(Shared::new(raises_first));
    let world = World::default();
    let processes = [(); 2].map(|()| {
        let seen = world.clone();
        Arc::new(Memo::new(Near::new(Map::new(), back.clone()), move |_: &u64| seen.load(Ordering::SeqCst) as u64))
    });
    // The other process has a copy.
    assert_eq!(processes[1].call(&1), 0);
    let now = world.clone();
    let threads: Vec<_> = (0..2)
        .map(|n| {
            let (memo, other, world) = (processes[n].clone(), processes[1 - n].clone(), now.clone());
            thread::spawn(move || {
                let now = world.fetch_add(1, Ordering::SeqCst) as u64 + 1;
                match changes[n] {
                    Change::Forget => assert!(memo.forget(&1).is_ok()),
                    Change::Clear => memo.clear().unwrap(),
                    Change::Refresh => assert!(memo.refresh(&1) >= now),
                }
                let given = [other.call(&1), memo.call(&1)];
                assert!(given.iter().all(|given| *given >= now), "{given:?} after {now}");
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn a_near_cache_returns_no_stale_value() {
    use Change::{Clear, Forget, Refresh};
    explore(|| nothing_older_is_given(near, &[Forget, Forget]));
    explore(|| nothing_older_is_given(near, &[Clear, Refresh]));
    explore(|| nothing_older_is_given(near, &[Refresh, Forget, Refresh]));
    explore(a_lookup_beside_a_removal_leaves_no_valid_copy);
    must_find("stamps after the lookup", a_lookup_beside_a_removal_leaves_no_valid_copy);
}

fn a_lookup_beside_a_removal_leaves_no_valid_copy() {
    let near = Arc::new(near());
    near.back().insert(&1, &10).unwrap();
    let reader = {
        let near = near.clone();
        thread::spawn(move || near.get(&1).unwrap())
    };
    near.remove(&1).unwrap();
    assert_eq!(near.get(&1).unwrap(), None);
    reader.join().unwrap();
    assert_eq!(near.get(&1).unwrap(), None);
}

#[test]
fn a_near_cache_returns_nothing_that_another_process_has_forgotten() {
    use Change::{Clear, Forget, Refresh};
    for changes in [[Forget, Forget], [Refresh, Clear], [Refresh, Forget], [Refresh, Refresh]] {
        explore(move || no_process_is_given_anything_older(false, changes));
    }
    must_find("stamps after the lookup", || no_process_is_given_anything_older(false, [Forget, Forget]));
    let early = || explore(|| no_process_is_given_anything_older(true, [Forget, Forget]));
    assert!(
        catch_unwind(AssertUnwindSafe(early)).is_err(),
        "no schedule shows that the generation is raised too early"
    );
}

/// A store whose entries are stale, unless they were stored by a computation of this test.
struct Aged {
    map: Map,
    removes: bool,
}

/// From this value on, values are fresh.
const FRESH: u64 = 100;

impl Store for Aged {
    type Value = u64;
    fn len(&self) -> Result<usize, Error> {
        self.map.len()
    }
    fn clear(&self) -> Result<(), Error> {
        self.map.clear()
    }
    fn stale(&self) -> Option<Duration> {
        Some(Duration::from_secs(1))
    }
}

impl KeyedStore<u64> for Aged {
    fn get(&self, key: &u64) -> Result<Option<u64>, Error> {
        self.map.get(key)
    }
    fn insert(&self, key: &u64, value: &u64) -> Result<(), Error> {
        self.map.insert(key, value)
    }
    fn remove(&self, key: &u64) -> Result<bool, Error> {
        if self.removes { self.map.remove(key) } else { Ok(true) }
    }
    fn get_with_ttl(&self, key: &u64) -> Result<Option<Found<u64>>, Error> {
        let left = |value| Duration::from_secs(if value < FRESH { 1 } else { 2 });
        Ok(self.get(key)?.map(|value| Found { value, ttl: Some(left(value)) }))
    }
}

fn aged(removes: bool) -> Aged {
    let aged = Aged { map: Map::new(), removes };
    aged.insert(&1, &1).unwrap();
    aged
}

#[test]
fn of_callers_of_a_stale_key_one_computes_and_nobody_hangs() {
    explore(|| {
        let computed = Arc::new(AtomicUsize::new(0));
        let counter = computed.clone();
        let memo = Arc::new(Memo::new(aged(true), move |_: &u64| {
            counter.fetch_add(1, Ordering::SeqCst);
            thread::yield_now();
            FRESH
        }));
        let caller = memo.clone();
        let given = spawn_all(3, move || caller.call(&1));
        assert!(given.iter().all(|value| [1, FRESH].contains(value)) && given.contains(&FRESH), "{given:?}");
        assert_eq!(computed.load(Ordering::SeqCst), 1);
        assert_eq!(memo.call(&1), FRESH);
    });
}

/// Callers of a stale key whose computation fails, beside a `forget`.
fn a_stale_value_ends_with_its_entry(removes: bool) {
    let memo = Arc::new(Memo::new(aged(removes), |_: &u64| Err::<u64, _>("fails")));
    let callers: Vec<_> = (0..2)
        .map(|_| {
            let memo = memo.clone();
            thread::spawn(move || memo.try_call(&1))
        })
        .collect();
    assert!(memo.forget(&1).unwrap());
    assert_eq!(memo.try_call(&1), Err("fails"));
    for caller in callers {
        let given = caller.join().unwrap();
        assert!([Ok(1), Err("fails")].contains(&given), "{given:?}");
    }
}

#[test]
fn a_stale_value_that_was_forgotten_is_not_returned_when_the_function_fails() {
    explore(|| a_stale_value_ends_with_its_entry(true));
    let found = catch_unwind(AssertUnwindSafe(|| explore(|| a_stale_value_ends_with_its_entry(false))));
    assert!(found.is_err(), "no schedule shows that `forget` removes nothing");
}
