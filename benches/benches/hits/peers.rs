//! Other libraries, used as their documentation says: by their attribute if they have one, and else by a lookup.

use std::hash::Hash;
use std::hint::black_box;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use lru::LruCache;
use twat_cache_benches::{Race, in_threads, over};

use crate::{Pair, answer, complete, enter_twice, over_new};

const CACHED: &str = "`cached`, `#[cached(max_size)]`";
const CONCURRENT_CACHED: &str = "`cached`, `#[concurrent_cached(max_size)]`";
const MOKA: &str = "`moka::sync::Cache`";
const LRU: &str = "`Mutex<lru::LruCache>`";

/// Functions with the attributes of `cached`, for one capacity. In these attributes a capacity is a literal, and each
/// cache is a static.
macro_rules! memoised {
    ($capacity:tt) => {
        use cached::macros::{cached, concurrent_cached};

        use super::computed;
        use crate::{answer, answer_pair};

        #[cached(max_size = $capacity)]
        pub(super) fn number(number: u64) -> u64 {
            computed(answer(number))
        }

        #[concurrent_cached(max_size = $capacity)]
        pub(super) fn shared_number(number: u64) -> u64 {
            computed(answer(number))
        }

        #[cached(max_size = $capacity, key = "(String, u32)", convert = { (text.to_owned(), number) })]
        pub(super) fn pair(text: &str, number: u32) -> u64 {
            computed(answer_pair(text, number))
        }

        #[concurrent_cached(max_size = $capacity, key = "(String, u32)", convert = { (text.to_owned(), number) })]
        pub(super) fn shared_pair(text: &str, number: u32) -> u64 {
            computed(answer_pair(text, number))
        }
    };
}

mod small {
    memoised!(1024);
}

mod large {
    memoised!(10_000);
}

/// How many times memoised functions have run.
static RUNS: AtomicUsize = AtomicUsize::new(0);

fn computed(value: u64) -> u64 {
    RUNS.fetch_add(1, Ordering::Relaxed);
    value
}

/// Calls a memoised function with all these keys, and checks that all results are cached.
fn fill<K>(keys: &[K], function: impl Fn(&K) -> u64) {
    let call_all = || keys.iter().for_each(|key| _ = function(key));
    call_all();
    let runs = RUNS.load(Ordering::Relaxed);
    call_all();
    assert_eq!(RUNS.load(Ordering::Relaxed), runs, "a shard is full; by chance, if it does not happen again");
}

/// Adds the functions made by `cached` for this capacity to a race.
macro_rules! by_capacity {
    ($capacity:expr, $enter:ident($($argument:expr),*), $function:ident) => {
        match $capacity {
            1024 => $enter($($argument,)* small::$function),
            10_000 => $enter($($argument,)* large::$function),
            other => panic!("no function is memoised with a capacity of {other}"),
        }
    };
}

fn moka<K: Hash + Eq + Clone + Send + Sync + 'static>(capacity: usize, keys: &[K]) -> moka::sync::Cache<K, u64> {
    let fill = || {
        let cache = moka::sync::Cache::new(capacity as u64);
        for (key, value) in keys.iter().zip(0..) {
            cache.insert(key.clone(), value);
        }
        // moka updates its policy later, and evicts only then.
        cache.run_pending_tasks();
        cache
    };
    complete(fill, |cache| keys.iter().all(|key| cache.contains_key(key)))
}

type SharedLru<K> = Mutex<LruCache<K, u64>>;

fn lru<K: Hash + Eq + Clone>(capacity: usize, keys: &[K]) -> SharedLru<K> {
    let mut cache = LruCache::new(NonZeroUsize::new(capacity).unwrap_or(NonZeroUsize::MIN));
    for (key, value) in keys.iter().zip(0..) {
        cache.put(key.clone(), value);
    }
    Mutex::new(cache)
}

fn look<K: Hash + Eq>(cache: &SharedLru<K>, key: &K) -> Option<u64> {
    cache.lock().unwrap_or_else(PoisonError::into_inner).get(key).copied()
}

/// Hits with one number as the key.
pub(crate) fn by_number<'a>(race: &mut Race<'a>, capacity: usize, stored: &'a [u64], keys: &'a [u64]) {
    fn enter<'a>(
        race: &mut Race<'a>,
        name: &str,
        stored: &'a [u64],
        keys: &'a [u64],
        function: impl Fn(u64) -> u64 + Copy + 'a,
    ) {
        race.add(name, move || {
            fill(stored, |key| function(*key));
            over(keys, move |key| _ = black_box(function(*key)))
        });
    }
    by_capacity!(capacity, enter(race, CACHED, stored, keys), number);
    by_capacity!(capacity, enter(race, CONCURRENT_CACHED, stored, keys), shared_number);
    race.add(MOKA, move || {
        let cache = moka(capacity, stored);
        over(keys, move |key| _ = black_box(cache.get(key)))
    });
    race.add(LRU, move || {
        let cache = lru(capacity, stored);
        over(keys, move |key| _ = black_box(look(&cache, key)))
    });
}

/// Hits with a borrowed text and a number as the key. Only moka can look up a borrowed key.
pub(crate) fn by_pair<'a>(
    race: &mut Race<'a>,
    capacity: usize,
    stored: &'a [(String, u32)],
    keys: &'a [(String, u32)],
) {
    fn enter<'a>(
        race: &mut Race<'a>,
        name: &str,
        stored: &'a [(String, u32)],
        keys: &'a [(String, u32)],
        function: impl Fn(&str, u32) -> u64 + Copy + 'a,
    ) {
        race.add(name, move || {
            fill(stored, |(text, number)| function(text, *number));
            over(keys, move |(text, number)| _ = black_box(function(text, *number)))
        });
    }
    by_capacity!(capacity, enter(race, CACHED, stored, keys), pair);
    by_capacity!(capacity, enter(race, CONCURRENT_CACHED, stored, keys), shared_pair);
    race.add(MOKA, move || {
        let cache = moka(capacity, stored);
        over(keys, move |(text, number)| _ = black_box(cache.get(&Pair(text, number))))
    });
    race.add(LRU, move || {
        let cache = lru(capacity, stored);
        over(keys, move |(text, number)| _ = black_box(look(&cache, &(text.clone(), *number))))
    });
}

/// Hits by one thread, and by two threads.
pub(crate) fn in_two_threads<'a>(race: &mut Race<'a>, capacity: usize, stored: &'a [u64], keys: &'a [u64]) {
    fn enter<'a>(
        race: &mut Race<'a>,
        name: &str,
        stored: &'a [u64],
        keys: &'a [u64],
        function: impl Fn(u64) -> u64 + Copy + Sync + 'a,
    ) {
        enter_twice(race, name, move |threads| {
            fill(stored, |key| function(*key));
            in_threads(threads, keys, move |key| _ = black_box(function(*key)))
        });
    }
    by_capacity!(capacity, enter(race, CACHED, stored, keys), number);
    by_capacity!(capacity, enter(race, CONCURRENT_CACHED, stored, keys), shared_number);
    enter_twice(race, MOKA, move |threads| {
        let cache = moka(capacity, stored);
        in_threads(threads, keys, move |key| _ = black_box(cache.get(key)))
    });
    enter_twice(race, LRU, move |threads| {
        let cache = lru(capacity, stored);
        in_threads(threads, keys, move |key| _ = black_box(look(&cache, key)))
    });
}

/// Calls with new arguments.
pub(crate) fn misses<'a>(race: &mut Race<'a>, capacity: usize, laps: &'a [u64]) {
    fn enter<'a>(race: &mut Race<'a>, name: &str, laps: &'a [u64], function: impl Fn(u64) -> u64 + Copy + 'a) {
        race.add(name, move || over_new(laps, move |key| _ = black_box(function(key))));
    }
    by_capacity!(capacity, enter(race, CACHED, laps), number);
    by_capacity!(capacity, enter(race, CONCURRENT_CACHED, laps), shared_number);
    race.add(format!("{MOKA}, `get_with`"), move || {
        let cache = moka(capacity, &[]);
        over_new(laps, move |key| _ = black_box(cache.get_with(key, || black_box(answer(key)))))
    });
    race.add(format!("{LRU}, `get` and `put`"), move || {
        let cache = lru(capacity, &[]);
        over_new(laps, move |key| {
            if look(&cache, &key).is_none() {
                let value = black_box(answer(key));
                cache.lock().unwrap_or_else(PoisonError::into_inner).put(key, value);
            }
        })
    });
}
