//! What `mcache` adds to what every store does: its options, its engine, and what can be written without types.

#![allow(clippy::type_complexity, reason = "types as users have to write them")]

use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use twat_cache_core::testing::{Counter, record_logs, within};
use twat_cache_mem::{Call, Engine, KeyedStore, MemStore, Memo, Store, mcache};

#[test]
fn closures_need_no_more_types_than_their_arguments() {
    let number = mcache().wrap(|n: &u64| n + 1);
    assert_eq!(number.call(&1), 2);
    let text = mcache().wrap(|s: &str| s.len());
    assert_eq!(text.call("four"), 4);
    let slice = mcache().wrap(|s: &[u8]| s.len());
    assert_eq!(slice.call(&[1, 2]), 2);
    let several = mcache().wrap(|Call((s, n)): &Call<(&str, &u32)>| format!("{s}{n}"));
    assert_eq!(several.call(&Call(("a", &1))), "a1");
    let owned = mcache().wrap(|(s, n): &(String, u32)| format!("{s}{n}"));
    assert_eq!(owned.call(&("a".into(), 1)), "a1");
    let fallible = mcache().try_wrap(|s: &str| s.parse::<u8>());
    assert_eq!(fallible.try_call("7"), Ok(7));
    let question = mcache().try_wrap(|s: &str| -> Result<u8, std::num::ParseIntError> { Ok(s.parse::<u8>()? + 1) });
    assert_eq!(question.try_call("7"), Ok(8));
    let weighed = mcache().weigher(100, |_, v: &String| v.len() as u64).wrap(|s: &str| s.repeat(2));
    assert_eq!(weighed.call("a"), "aa");
    let unread = mcache().weigher(100, |_, _| 1).wrap(|s: &str| s.repeat(2));
    assert_eq!(unread.call("a"), "aa");
}

#[test]
fn functions_methods_and_twelve_arguments_will_do() {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "a memoised function takes its key by reference")]
    fn double(n: &u64) -> u64 {
        n * 2
    }
    fn sum(Call(all): &Call<(&u8, &u8, &u8, &u8, &u8, &u8, &u8, &u8, &u8, &u8, &u8, &u8)>) -> u32 {
        [all.0, all.1, all.2, all.3, all.4, all.5, all.6, all.7, all.8, all.9, all.10, all.11]
            .into_iter()
            .map(|n| u32::from(*n))
            .sum()
    }
    assert_eq!(mcache().wrap(double).call(&21), 42);
    assert_eq!(mcache().wrap(String::len).call(&String::from("four")), 4);
    assert_eq!(mcache().wrap(str::to_uppercase).call("up"), "UP");
    assert_eq!(mcache().wrap(sum).call(&Call((&1, &2, &3, &4, &5, &6, &7, &8, &9, &10, &11, &12))), 78);
}

#[test]
fn a_memo_can_be_a_field_a_static_and_dynamic() {
    static SQUARES: LazyLock<Memo<MemStore<u64, u64>, fn(&u64) -> u64>> = LazyLock::new(|| mcache().wrap(|n| n * n));
    struct Shop {
        prices: Memo<MemStore<String, usize>, Box<dyn Fn(&str) -> usize + Send + Sync>>,
    }
    assert_eq!(SQUARES.call(&9), 81);
    let shop = Shop { prices: mcache().wrap(Box::new(|name: &str| name.len() * 100)) };
    assert_eq!(shop.prices.call("tea"), 300);
    let dynamic: Box<dyn KeyedStore<str, Value = usize>> = Box::new(mcache().open::<String, usize>());
    let memo = Memo::new(dynamic, |name: &str| name.len());
    assert_eq!(memo.call("tea"), 3);
    assert_eq!(memo.peek("tea").unwrap(), Some(3));
}

#[tokio::test]
async fn async_memos_can_be_spawned_with_borrowed_arguments() {
    let memo = Arc::new(mcache().try_wrap_async(async |url: &str| {
        tokio::task::yield_now().await;
        if url.is_empty() { Err("nowhere") } else { Ok(url.len()) }
    }));
    let spawned = memo.clone();
    let task = tokio::spawn(async move {
        let url = String::from("http://localhost/");
        spawned.try_call_async(&url[..]).await
    });
    assert_eq!(task.await.unwrap(), Ok(17));
    assert_eq!(memo.try_call_async("").await, Err("nowhere"));

    let plain = Arc::new(mcache().ttl(Duration::from_secs(1)).wrap_async(async |n: &u64| n * 2));
    assert_eq!(tokio::spawn(async move { plain.call_async(&21).await }).await.unwrap(), 42);
}

#[test]
fn a_weighed_store_takes_one_entry_as_heavy_as_the_limit() {
    let memo = mcache().weigher(1000, |_, v: &Vec<u8>| v.len() as u64).wrap(|n: &usize| vec![0_u8; *n]);
    memo.call(&1000);
    assert!(memo.peek(&1000).unwrap().is_some());
    assert_eq!(memo.store().cache().weight(), 1000);
}

#[test]
fn a_value_over_the_limit_is_returned_and_the_others_stay() {
    let computed = Counter::new();
    let memo = mcache().weigher(1000, |_, v: &Vec<u8>| v.len() as u64).wrap(|n: &usize| {
        computed.count();
        vec![0_u8; *n]
    });
    for n in 100..105 {
        memo.call(&n);
    }
    assert_eq!(memo.call(&1001).len(), 1001);
    assert_eq!(memo.peek(&1001).unwrap(), None);
    for n in 100..105 {
        memo.call(&n);
    }
    assert_eq!(computed.get(), 6);
}

#[test]
fn a_value_that_grew_over_the_limit_does_not_leave_the_old_one_behind() {
    let store = mcache().weigher(10, |_, v: &u64| *v).open::<u64, u64>();
    store.insert(&1, &5).unwrap();
    store.insert(&1, &11).unwrap();
    assert_eq!(store.get(&1).unwrap(), None);
}

#[test]
fn the_limit_on_weight_holds_under_four_threads() {
    let memo = mcache().weigher(10_000, |_, v: &Vec<u8>| v.len() as u64).wrap(|n: &usize| vec![0_u8; n % 500]);
    std::thread::scope(|scope| {
        for part in 0..4 {
            let memo = &memo;
            scope.spawn(move || {
                for n in 0..2000 {
                    assert_eq!(memo.call(&(part * 10_000 + n)).len(), (part * 10_000 + n) % 500);
                }
            });
        }
    });
    let weight = memo.store().cache().weight();
    assert!((5_000..=10_000).contains(&weight), "{weight}");
}

#[test]
fn every_weight_and_limit_is_legal() {
    for limit in [0, 1, 2, u64::MAX / 4, u64::MAX] {
        for weight in [0, 1, u64::MAX / 4, u64::MAX] {
            let memo = mcache().weigher(limit, move |_, _: &u64| weight).wrap(|n: &u64| n + 1);
            for n in 0..100 {
                assert_eq!(memo.call(&n), n + 1);
            }
            // A weight of nothing counts as one.
            let most = limit.min(u64::MAX / 4) / weight.max(1);
            assert!(memo.len().unwrap() as u64 <= most, "limit {limit}, weight {weight}");
        }
    }
    for max_entries in [0, 1, usize::MAX] {
        let memo = mcache().max_entries(max_entries).wrap(|n: &u64| n + 1);
        for n in 0..100 {
            assert_eq!(memo.call(&n), n + 1);
        }
        assert_eq!(memo.len().unwrap(), max_entries.min(100));
    }
}

#[test]
fn a_weigher_that_panics_loses_no_result() {
    let logs = record_logs();
    let memo = mcache().weigher(10, |_: &u64, _: &u64| panic!("weighing is beneath me")).wrap(|n: &u64| n + 1);
    assert_eq!(memo.call(&1), 2);
    assert_eq!(memo.call(&1), 2);
    assert_eq!(memo.len().unwrap(), 0);
    assert_eq!(logs.warnings("cannot weigh an entry").len(), 1);
}

#[test]
fn a_weigher_that_changes_its_mind_does_no_harm() {
    let turn = Counter::new();
    let store = mcache().weigher(100, move |_, _: &u64| turn.count() as u64 % 50).open::<u64, u64>();
    for n in 0..1000 {
        store.insert(&n, &n).unwrap();
        store.remove(&(n / 2)).unwrap();
        assert!(store.cache().weight() <= 100);
    }
    store.clear().unwrap();
    assert_eq!(store.cache().weight(), 0);
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
    within(Duration::from_secs(20), || {
        for _ in 0..10 {
            for weight in 1..5 {
                STORE.insert(&weight, &Arc::new(Talkative)).unwrap();
            }
            // Evicts all of them at once.
            STORE.insert(&10, &Arc::new(Talkative)).unwrap();
        }
    });
}

#[test]
fn small_stores_hold_as_many_as_they_say() {
    for max_entries in [1, 2, 10, 100, 255] {
        let memo = mcache().max_entries(max_entries).wrap(|n: &usize| *n);
        for n in 0..max_entries {
            memo.call(&n);
        }
        assert_eq!(memo.len().unwrap(), max_entries);
    }
}

#[test]
fn large_stores_hold_nearly_as_many_as_they_say() {
    for max_entries in [1024, 5000, 20_000] {
        let memo = mcache().max_entries(max_entries).wrap(|n: &usize| *n);
        for n in 0..max_entries {
            memo.call(&n);
        }
        let kept = memo.len().unwrap();
        assert!(kept > max_entries * 95 / 100, "{kept} of {max_entries}");
    }
}

#[test]
fn the_engine_is_within_reach() {
    let memo = mcache().wrap(|n: &u64| n + 1);
    memo.call(&1);
    let engine = memo.store().cache();
    assert_eq!((engine.len(), engine.weight(), engine.capacity()), (1, 1, 1024));
    let Engine::Bare(shards) = engine else { panic!("nothing here expires or is weighed") };
    let entries: Vec<_> =
        shards.shards().iter().map(|shard| shard.read().iter().map(|(key, n)| (key.0, *n)).next()).collect();
    assert_eq!(entries.into_iter().flatten().collect::<Vec<_>>(), [(1, 2)]);
}

#[test]
fn borrowed_arguments_may_live_shorter_than_the_memo() {
    type Key<'a> = Call<(&'a str, &'a u32)>;
    fn make() -> Memo<MemStore<(String, u32), String>, impl Fn(&Call<(&str, &u32)>) -> String> {
        mcache().wrap(|Call((s, n)): &Call<(&str, &u32)>| format!("{s}{n}"))
    }
    let local = mcache().wrap(|Call((s, n)): &Key<'_>| format!("{s}{n}"));
    let fallible =
        mcache().try_wrap(|Call((s, n)): &Key<'_>| if s.is_empty() { Err(()) } else { Ok(format!("{s}{n}")) });
    let made = make();
    for n in 0..3 {
        let text = format!("text {n} ");
        assert_eq!(local.call(&Call((&text, &n))), format!("text {n} {n}"));
        assert_eq!(fallible.try_call(&Call((&text, &n))), Ok(format!("text {n} {n}")));
        assert_eq!(made.call(&Call((&text, &n))), format!("text {n} {n}"));
    }
}

#[tokio::test]
async fn borrowed_arguments_of_async_functions_may_live_shorter_than_the_memo() {
    let memo = mcache().wrap_async(async |Call((s, n)): &Call<(&str, &u32)>| format!("{s}{n}"));
    let fallible = mcache().try_wrap_async(async |Call((s, n)): &Call<(&str, &u32)>| Ok::<_, ()>(format!("{s}{n}")));
    for n in 0..3 {
        let text = format!("text {n} ");
        assert_eq!(memo.call_async(&Call((&text, &n))).await, format!("text {n} {n}"));
        assert_eq!(fallible.try_call_async(&Call((&text, &n))).await, Ok(format!("text {n} {n}")));
    }
}

#[test]
fn paths_are_told_apart_by_their_bytes() {
    let memo = mcache().wrap(|path: &Path| path.as_os_str().len());
    let spellings = ["a/b", "a//b", "a/b/", "/a/b"].map(Path::new);
    for _ in 0..2 {
        assert_eq!(spellings.map(|path| memo.call(path)), [3, 4, 4, 4]);
    }
    assert_eq!(memo.len().unwrap(), 4, "each has an entry of its own");
    assert!(memo.forget(Path::new("a//b")).unwrap() && memo.peek(Path::new("a/b")).unwrap().is_some());
}
