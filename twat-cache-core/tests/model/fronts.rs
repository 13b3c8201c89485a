//! Memory in front of another store returns nothing that is stale, also if other processes change that store.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use shuttle::sync::atomic::{AtomicUsize, Ordering};
use shuttle::thread;
use twat_cache_core::{Copied, Error, KeyedStore, LruStore, Memo, Near, Stamp, Store, Ticket, Tiered};

use crate::{Change, Map, World, explore, must_find, nothing_older_is_given};

fn tiers() -> Tiered<Map, Map> {
    Tiered::new(Map::new(), Map::new())
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
    let alone = || Near::<Map<Copied<u64>>, _>::alone(Map::new(), LruStore::new(0));
    explore(move || nothing_older_is_given(alone, &[Refresh, Forget, Refresh]));
    explore(move || nothing_older_is_given(alone, &[Clear, Refresh]));
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
