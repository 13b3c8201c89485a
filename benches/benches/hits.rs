//! Compares `mcache` with its bare engine and, with the feature `peers`, with other libraries.
//!
//! `cargo bench -p twat-cache-benches --bench hits --features peers` prints the tables of `BENCHMARKS.md`. With
//! `-- --check`, it fails if a bound does not hold. `--profile lto` adds link-time optimisation. `--features stats`
//! counts hits.

#[cfg(feature = "peers")]
#[path = "hits/peers.rs"]
mod peers;

use std::hint::black_box;
use std::pin::{Pin, pin};
use std::process::ExitCode;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use quick_cache::Equivalent;
use quick_cache::sync::Cache;
use twat_cache_benches::{Effort, Limit, Race, Report, Spread, Turn, in_threads, over, sample};
use twat_cache_core::{KeyedStore, LruStore, Memo};
use twat_cache_mem::{Call, MemStore, mcache};

const CAPACITIES: [usize; 2] = [1024, 10_000];
const BARE: &str = "`quick_cache::sync::Cache`";
const AGAIN: &str = "the same again";
const MCACHE: &str = "**`mcache`**";
const DYNAMIC: &str = "**`mcache` as `Box<dyn KeyedStore>`**";
/// The highest ratio of our time of a hit to the bare engine's.
const HIT: f64 = if cfg!(feature = "stats") { 1.15 } else { 1.10 };
const LRU_STORE: &str = "**`LruStore`**";

fn main() -> ExitCode {
    let effort = Effort::from_args();
    let mut report = Report::new(effort);
    for capacity in CAPACITIES {
        hits_by_number(&mut report, effort, capacity);
        hits_by_pair(&mut report, effort, capacity);
    }
    for capacity in CAPACITIES {
        hits_in_threads(&mut report, effort.with_turns(4), capacity);
    }
    other_hits(&report, effort, CAPACITIES[0]);
    misses(&report, effort, CAPACITIES[0]);
    report.finish()
}

/// How many keys to store in a cache of this capacity: three quarters. The engine limits each shard by itself, and keys
/// do not spread evenly. So a shard may be full long before the cache is.
fn working_set(capacity: usize) -> usize {
    capacity / 4 * 3
}

/// The cached function. It is cheap, so that a miss measures the cache and not the function.
fn answer(number: u64) -> u64 {
    number ^ 1
}

fn answer_pair(text: &str, number: u32) -> u64 {
    text.len() as u64 ^ u64::from(number)
}

/// Makes caches until one holds all its keys. By chance, a shard may be too full for all of them.
fn complete<C>(fill: impl Fn() -> C, holds_all: impl Fn(&C) -> bool) -> C {
    let mut caches = (0..100).map(|_| fill());
    caches.find(holds_all).expect("it holds three quarters of its capacity")
}

/// The bare engine with all these keys.
fn bare(capacity: usize, keys: &[u64]) -> Cache<u64, u64> {
    let fill = || {
        let cache = Cache::new(capacity);
        for key in keys {
            cache.insert(*key, answer(*key));
        }
        cache
    };
    complete(fill, |cache| keys.iter().all(|key| cache.peek(key).is_some()))
}

/// A store with all these keys.
fn filled<S: KeyedStore<u64, Value = u64>>(keys: &[u64], store: impl Fn() -> S) -> S {
    let fill = || {
        let store = store();
        for key in keys {
            store.insert(key, &answer(*key)).expect("it is in memory");
        }
        store
    };
    complete(fill, |store| keys.iter().all(|key| matches!(store.get(key), Ok(Some(_)))))
}

fn mem_store(capacity: usize) -> MemStore<u64, u64> {
    let store = mcache().max_entries(capacity).open();
    assert_eq!(store.cache().num_shards(), Cache::<u64, u64>::new(capacity).num_shards(), "a fair race");
    store
}

fn hits_by_number(report: &mut Report, effort: Effort, capacity: usize) {
    let stored = sample::numbers(working_set(capacity));
    let keys = &sample::shuffled(stored.clone());
    let mut race = Race::new(keys.len());
    for name in [BARE, AGAIN] {
        race.add(name, || {
            let cache = bare(capacity, &stored);
            over(keys, move |key| _ = black_box(cache.get(key)))
        });
    }
    race.add(MCACHE, || {
        let memo = Memo::new(filled(&stored, || mem_store(capacity)), |number: &u64| answer(*number));
        over(keys, move |key| _ = black_box(memo.call(key)))
    });
    race.add(DYNAMIC, || {
        let store = || Box::new(mem_store(capacity)) as Box<dyn KeyedStore<u64, Value = u64>>;
        let memo = Memo::new(filled(&stored, store), |number: &u64| answer(*number));
        over(keys, move |key| _ = black_box(memo.call(key)))
    });
    race.add(LRU_STORE, || {
        let memo = Memo::new(filled(&stored, || LruStore::new(capacity)), |number: &u64| answer(*number));
        over(keys, move |key| _ = black_box(memo.call(key)))
    });
    #[cfg(feature = "peers")]
    peers::by_number(&mut race, capacity, &stored, keys);

    let outcome = race.run(effort);
    report.section(&format!("Hits, `u64`, capacity {capacity}"));
    report.race(&outcome);
    for (name, limit) in [(MCACHE, HIT), (DYNAMIC, 1.30)] {
        let what = format!("{name}, `u64`, capacity {capacity}");
        report.bound(what, outcome.ratio(name, BARE).median, Limit::AtMost(limit));
    }
}

/// Borrowed arguments, for a lookup in the bare engine.
#[derive(Hash)]
struct Pair<'a>(&'a str, &'a u32);

impl Equivalent<(String, u32)> for Pair<'_> {
    #[inline]
    fn equivalent(&self, owned: &(String, u32)) -> bool {
        self.0 == owned.0 && *self.1 == owned.1
    }
}

/// The same arguments, for a call of a memo.
type Both<'a> = Call<(&'a str, &'a u32)>;

fn bare_pairs(capacity: usize, keys: &[(String, u32)]) -> Cache<(String, u32), u64> {
    let fill = || {
        let cache = Cache::new(capacity);
        for key in keys {
            cache.insert(key.clone(), answer_pair(&key.0, key.1));
        }
        cache
    };
    complete(fill, |cache| keys.iter().all(|key| cache.peek(key).is_some()))
}

fn filled_pairs<S>(keys: &[(String, u32)], store: impl Fn() -> S) -> S
where
    S: for<'a> KeyedStore<Both<'a>, Value = u64>,
{
    let fill = || {
        let store = store();
        for (text, number) in keys {
            store.insert(&Call((text, number)), &answer_pair(text, *number)).expect("it is in memory");
        }
        store
    };
    let holds =
        |store: &S, (text, number): &(String, u32)| store.get(&Call((text, number))).is_ok_and(|it| it.is_some());
    complete(fill, |store| keys.iter().all(|key| holds(store, key)))
}

fn hits_by_pair(report: &mut Report, effort: Effort, capacity: usize) {
    let stored = sample::pairs(working_set(capacity));
    let keys = &sample::shuffled(stored.clone());
    let mem_store = || mcache().max_entries(capacity).open::<(String, u32), u64>();
    let function = |Call((text, number)): &Both| answer_pair(text, **number);
    let mut race = Race::new(keys.len());
    for name in [BARE, AGAIN] {
        race.add(name, || {
            let cache = bare_pairs(capacity, &stored);
            over(keys, move |(text, number)| _ = black_box(cache.get(&Pair(text, number))))
        });
    }
    race.add(MCACHE, || {
        let memo = Memo::new(filled_pairs(&stored, mem_store), function);
        over(keys, move |(text, number)| _ = black_box(memo.call(&Call((text, number)))))
    });
    race.add(DYNAMIC, || {
        let store = || Box::new(mem_store()) as Box<dyn for<'a> KeyedStore<Both<'a>, Value = u64>>;
        let memo = Memo::new(filled_pairs(&stored, store), function);
        over(keys, move |(text, number)| _ = black_box(memo.call(&Call((text, number)))))
    });
    race.add(LRU_STORE, || {
        let memo = Memo::new(filled_pairs(&stored, || LruStore::new(capacity)), function);
        over(keys, move |(text, number)| _ = black_box(memo.call(&Call((text, number)))))
    });
    #[cfg(feature = "peers")]
    peers::by_pair(&mut race, capacity, &stored, keys);

    let outcome = race.run(effort);
    report.section(&format!("Hits, `(&str, &u32)`, capacity {capacity}"));
    report.race(&outcome);
    for (name, limit) in [(MCACHE, HIT), (DYNAMIC, 1.30)] {
        let what = format!("{name}, `(&str, &u32)`, capacity {capacity}");
        report.bound(what, outcome.ratio(name, BARE).median, Limit::AtMost(limit));
    }
}

/// Adds a contestant twice: with one thread, and with two threads that share one cache.
fn enter_twice<'a>(race: &mut Race<'a>, name: &str, set_up: impl Fn(usize) -> Turn<'a> + Copy + 'a) {
    for threads in [1, 2] {
        race.add(in_so_many(name, threads), move || set_up(threads));
    }
}

fn in_so_many(name: &str, threads: usize) -> String {
    format!("{name} × {threads}")
}

/// Shows whether a second thread raises the throughput as much as with the bare engine.
fn hits_in_threads(report: &mut Report, effort: Effort, capacity: usize) {
    let stored = &sample::numbers(working_set(capacity));
    let keys = &sample::shuffled(stored.clone());
    let mut race = Race::new(keys.len());
    for name in [BARE, AGAIN] {
        enter_twice(&mut race, name, move |threads| {
            let cache = bare(capacity, stored);
            in_threads(threads, keys, move |key| _ = black_box(cache.get(key)))
        });
    }
    enter_twice(&mut race, MCACHE, move |threads| {
        let memo = Memo::new(filled(stored, || mem_store(capacity)), |number: &u64| answer(*number));
        in_threads(threads, keys, move |key| _ = black_box(memo.call(key)))
    });
    enter_twice(&mut race, LRU_STORE, move |threads| {
        let memo = Memo::new(filled(stored, || LruStore::new(capacity)), |number: &u64| answer(*number));
        in_threads(threads, keys, move |key| _ = black_box(memo.call(key)))
    });
    #[cfg(feature = "peers")]
    peers::in_two_threads(&mut race, capacity, stored, keys);

    let outcome = race.run(effort);
    report.section(&format!("Hits by two threads, `u64`, capacity {capacity}"));
    report.note(
        "\"Gain\" is the throughput of two threads against that of one; \"ratio\" is the gain against the first row's.",
    );
    let [bare_alone, bare_shared] = [1, 2].map(|threads| in_so_many(BARE, threads));
    let gain = |name: &str| {
        let [alone, shared] = [1, 2].map(|threads| in_so_many(name, threads));
        // Two threads do two operations in the time of one.
        let gain = 2.0 * outcome.ratio(&alone, &shared).median;
        (gain, outcome.ratio_of_ratios([&alone, &shared], [&bare_alone, &bare_shared]))
    };
    let names = outcome.names().filter_map(|name| name.strip_suffix(" × 1"));
    let rows = names.map(|name| {
        let [alone, shared] = [1, 2].map(|threads| outcome.time(&in_so_many(name, threads)).median);
        let (gain, Spread { low, median, high }) = gain(name);
        let relative = format!("{median:.2}");
        [
            name.to_owned(),
            format!("{alone:.1}"),
            format!("{shared:.1}"),
            format!("{gain:.2}"),
            relative,
            format!("{low:.2}–{high:.2}"),
        ]
    });
    report.table(["", "ns, 1 thread", "ns, 2 threads", "gain", "ratio", "quartiles"], rows);
    let what = format!("{MCACHE}, gain by a second thread, capacity {capacity}");
    report.bound(what, gain(MCACHE).1.median, Limit::AtLeast(0.90));
    let what = format!("{MCACHE}, a hit by two threads, capacity {capacity}");
    let limit = if capacity < 10_000 { 1.30 } else { HIT };
    report.bound(what, outcome.ratio(&in_so_many(MCACHE, 2), &bare_shared).median, Limit::AtMost(limit));
}

/// Hits by methods other than `call`, and hits that read the clock.
fn other_hits(report: &Report, effort: Effort, capacity: usize) {
    let stored = sample::numbers(working_set(capacity));
    let keys = &sample::shuffled(stored.clone());
    let store = || filled(&stored, || mem_store(capacity));
    let mut race = Race::new(keys.len());
    race.add("`call`", || {
        let memo = Memo::new(store(), |number: &u64| answer(*number));
        over(keys, move |key| _ = black_box(memo.call(key)))
    });
    race.add("`try_call`", || {
        let memo = Memo::new(store(), |number: &u64| Ok::<_, String>(answer(*number)));
        over(keys, move |key| _ = black_box(memo.try_call(key)))
    });
    race.add("`call_async`, polled once", || {
        let memo = Memo::new(store(), async |number: &u64| answer(*number));
        over(keys, move |key| _ = black_box(poll(pin!(memo.call_async(key)))))
    });
    race.add("`call_async`, boxed as `dyn Future`", || {
        let memo = Memo::new(store(), async |number: &u64| answer(*number));
        over(keys, move |key| {
            let mut future: Pin<Box<dyn Future<Output = u64>>> = Box::pin(memo.call_async(key));
            _ = black_box(poll(future.as_mut()));
        })
    });
    race.add("`call`, with a TTL", || {
        let mortal = || mcache().max_entries(capacity).ttl(Duration::from_hours(1)).open();
        let memo = Memo::new(filled(&stored, mortal), |number: &u64| answer(*number));
        over(keys, move |key| _ = black_box(memo.call(key)))
    });
    race.add("`call`, and `Instant::now()`", || {
        let memo = Memo::new(store(), |number: &u64| answer(*number));
        over(keys, move |key| _ = black_box((Instant::now(), memo.call(key))))
    });
    race.add("the loop alone", || over(keys, |key| _ = black_box(*key)));
    let outcome = race.run(effort);
    report.section(&format!("Other hits, `u64`, capacity {capacity}"));
    report.race(&outcome);
}

/// Polls a future that is ready at once, as an executor does.
fn poll<T>(future: Pin<&mut (impl Future<Output = T> + ?Sized)>) -> Option<T> {
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

/// Calls with new arguments, in caches that are full: each call computes, stores and evicts.
fn misses(report: &Report, effort: Effort, capacity: usize) {
    let laps = sample::numbers(capacity);
    let mut race = Race::new(laps.len());
    race.add(format!("{BARE}, `get` and `insert`"), || {
        let cache = Cache::<u64, u64>::new(capacity);
        over_new(&laps, move |key| {
            if cache.get(&key).is_none() {
                cache.insert(key, black_box(answer(key)));
            }
        })
    });
    race.add(MCACHE, || {
        let memo = Memo::new(mem_store(capacity), |number: &u64| black_box(answer(*number)));
        over_new(&laps, move |key| _ = black_box(memo.call(&key)))
    });
    race.add(format!("{MCACHE}, `call_async`"), || {
        let memo = Memo::new(mem_store(capacity), async |number: &u64| black_box(answer(*number)));
        over_new(&laps, move |key| _ = black_box(poll(pin!(memo.call_async(&key)))))
    });
    race.add(LRU_STORE, || {
        let memo = Memo::new(LruStore::new(capacity), |number: &u64| black_box(answer(*number)));
        over_new(&laps, move |key| _ = black_box(memo.call(&key)))
    });
    #[cfg(feature = "peers")]
    peers::misses(&mut race, capacity, &laps);

    let outcome = race.run(effort);
    report.section(&format!("Misses, `u64`, capacity {capacity}"));
    report.race(&outcome);
}

/// A turn in which each lap visits new numbers, as many as `laps` has elements.
fn over_new<'a>(laps: &'a [u64], mut visit: impl FnMut(u64) + 'a) -> Turn<'a> {
    // Larger than the keys of all hits.
    let mut new = 1 << 32;
    over(laps, move |_| {
        new += 1;
        visit(sample::scatter(new));
    })
}
