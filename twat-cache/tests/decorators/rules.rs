//! The options that decide by the result: `stale`, `keep_if`, `ttl_by` and `on_evict`.

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_lite::future::block_on;
use twat_cache::{bcache, fcache, mcache, rcache, scache, ucache};
use twat_cache_core::testing::{Counter, PATIENCE};

fn dir() -> PathBuf {
    crate::dir("rules")
}

const HOUR: Duration = Duration::from_secs(60 * 60);

/// The TTL of this number: none, no time, or an hour.
fn ttl_of(n: u32) -> Duration {
    if n == 0 { Duration::ZERO } else { HOUR }
}

macro_rules! rules {
    ($($name:ident: $attribute:ident($($options:tt)*);)+) => {
        $(
            mod $name {
                use super::*;

                static COMPUTED: Counter = Counter::new();

                #[$attribute(keep_if = |found| found.is_some(), $($options)*)]
                fn find(n: u32) -> Option<u32> {
                    COMPUTED.count();
                    (n > 0).then_some(n)
                }

                #[$attribute(keep_if = |found| !found.is_empty(), $($options)*)]
                async fn list(n: u32) -> Result<Vec<u32>, String> {
                    COMPUTED.count();
                    Ok((0..n).collect())
                }

                #[$attribute(ttl_by = |n| ttl_of(*n), ttl = HOUR, $($options)*)]
                fn with_ttl(n: u32) -> Result<u32, String> {
                    COMPUTED.count();
                    Ok(n)
                }

                #[$attribute(keep_if = |n| *n != 1, ttl_by = |n| ttl_of(*n), stale = HOUR, $($options)*)]
                async fn with_both(n: u32) -> u32 {
                    COMPUTED.count();
                    n
                }

                #[$attribute(ttl = Duration::ZERO, stale = Duration::ZERO, $($options)*)]
                fn never(n: u32) -> u32 {
                    COMPUTED.count();
                    n
                }

                struct Shop;

                impl Shop {
                    #[$attribute(skip(self), keep_if = |price| price.is_some(), $($options)*)]
                    fn price(&self, n: u32) -> Option<u32> {
                        COMPUTED.count();
                        (n > 0).then_some(n)
                    }

                    #[$attribute(keep_if = |n| *n != 1, ttl_by = |n| ttl_of(*n), $($options)*)]
                    async fn with_both(n: u32) -> Result<u32, String> {
                        COMPUTED.count();
                        Ok(n)
                    }
                }

                /// How often a function computes when it is called twice.
                fn computed<T: std::fmt::Debug + PartialEq>(call: impl Fn() -> T) -> u64 {
                    let before = COMPUTED.get();
                    assert_eq!(call(), call());
                    (COMPUTED.get() - before).try_into().unwrap()
                }

                #[test]
                fn a_result_is_kept_if_the_rules_say_so() {
                    assert_eq!((computed(|| find(0)), computed(|| find(1))), (2, 1));
                    assert_eq!((computed(|| block_on(list(0))), computed(|| block_on(list(1)))), (2, 1));
                    assert_eq!((computed(|| with_ttl(0)), computed(|| with_ttl(1))), (2, 1));
                    assert_eq!([0, 1, 2].map(|n| computed(|| block_on(with_both(n)))), [2, 2, 1]);
                    assert_eq!(computed(|| never(1)), 2);
                    assert_eq!((computed(|| Shop.price(0)), computed(|| Shop.price(1))), (2, 1));
                    assert_eq!([0, 1, 2].map(|n| computed(|| block_on(Shop::with_both(n)))), [2, 2, 1]);
                    assert_eq!((find::len().unwrap(), with_both::len().unwrap()), (1, 1));
                }
            }
        )+
    };
}

rules! {
    in_memory: mcache();
    on_disk: bcache(dir = dir());
    shared: scache(dir = dir());
    in_files: fcache(dir = dir());
    remote: rcache(server = crate::server(), timeout = PATIENCE);
    wherever: ucache(dir = dir());
}

#[mcache(keep_if = |n| *n > 1, ttl_by = |_| HOUR)]
fn ruled(n: u32) -> u32 {
    n
}

#[test]
fn the_engine_is_behind_the_rules() {
    assert_eq!((ruled(1), ruled(2)), (1, 2));
    assert_eq!((ruled::store().cache().len(), ruled::memo().store().cache().len()), (1, 1));
}

#[fcache(dir = dir(), keep_if = |text| text.len() > 1, ttl_by = |_| HOUR)]
fn viewed(n: usize) -> Result<String, String> {
    Ok("a".repeat(n))
}

#[fcache(dir = dir(), keep_if = |text| text.len() > 1)]
async fn viewed_async(n: usize) -> String {
    "a".repeat(n)
}

#[test]
fn a_result_that_is_not_kept_has_a_view() {
    assert_eq!((viewed::view(1).unwrap().as_str(), viewed::view(2).unwrap().as_str()), ("a", "aa"));
    assert_eq!(viewed::len().unwrap(), 1);
    assert_eq!(block_on(viewed_async::view(1)).as_str(), "a");
    assert_eq!(viewed_async::len().unwrap(), 0);
}

#[test]
fn a_stale_result_serves_if_the_function_fails() {
    static FAILS: AtomicBool = AtomicBool::new(false);
    const SHORT: Duration = Duration::from_millis(1);

    #[mcache(ttl = SHORT, stale = HOUR)]
    fn sometimes(n: u32) -> Result<u32, String> {
        if FAILS.load(Ordering::SeqCst) { Err("fails".into()) } else { Ok(n) }
    }
    struct Thing;
    impl Thing {
        #[mcache(skip(self), ttl = SHORT, stale = HOUR)]
        async fn sometimes(&self, n: u32) -> Result<u32, String> {
            if FAILS.load(Ordering::SeqCst) { Err("fails".into()) } else { Ok(n) }
        }
    }
    assert_eq!((sometimes(1), block_on(Thing.sometimes(1))), (Ok(1), Ok(1)));
    std::thread::sleep(SHORT * 2);
    FAILS.store(true, Ordering::SeqCst);
    assert_eq!((sometimes(1), block_on(Thing.sometimes(1))), (Ok(1), Ok(1)));
    assert!(sometimes::forget(1).unwrap());
    assert!(sometimes(1).is_err() && block_on(Thing.sometimes(2)).is_err());
}

static EVICTED: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn evicted(what: impl Into<String>) {
    EVICTED.lock().unwrap().push(what.into());
}

#[mcache(max_entries = 1, on_evict = |key, value| evicted(format!("{}{}", key.0.trim(), value.len() + key.1)))]
fn evicting(text: &str, n: usize) -> Result<String, std::io::Error> {
    Ok(text.repeat(n))
}

#[mcache(max_entries = 1, on_evict = |n, text| evicted(format!("{}, {}", n.pow(2), text.trim())))]
async fn evicting_one(n: u32) -> String {
    n.to_string()
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Pot {
    size: usize,
}

impl Pot {
    #[mcache(max_entries = 1, on_evict = |(pot, n), sum| evicted(format!("{}+{n}={}", pot.size, sum.abs())))]
    fn add(&self, n: usize) -> i32 {
        i32::try_from(self.size + n).unwrap()
    }
}

#[test]
fn on_evict_gets_the_arguments_and_the_result() {
    for n in [1, 2] {
        evicting("ab", n).unwrap();
        block_on(evicting_one(u32::try_from(n).unwrap() + 2));
        Pot { size: n }.add(5);
    }
    let mut evicted = EVICTED.lock().unwrap().clone();
    evicted.sort();
    assert_eq!(evicted, ["1+5=6", "9, 3", "ab3"]);
}
