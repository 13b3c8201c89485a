//! Functions that can be wrapped without naming types: by value, by reference and async.

#![allow(clippy::type_complexity, reason = "types as users have to write them")]

use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use twat_cache_mem::{Call, Engine, KeyedStore, MemStore, Memo, mcache};

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
fn functions_methods_and_twelve_arguments_can_be_wrapped() {
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
fn a_memo_can_be_in_a_field_in_a_static_and_over_a_dynamic_store() {
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
fn paths_of_different_bytes_are_different_keys() {
    let memo = mcache().wrap(|path: &Path| path.as_os_str().len());
    let spellings = ["a/b", "a//b", "a/b/", "/a/b"].map(Path::new);
    for _ in 0..2 {
        assert_eq!(spellings.map(|path| memo.call(path)), [3, 4, 4, 4]);
    }
    assert_eq!(memo.len().unwrap(), 4, "each has an entry of its own");
    assert!(memo.forget(Path::new("a//b")).unwrap() && memo.peek(Path::new("a/b")).unwrap().is_some());
}

#[test]
fn the_engine_can_be_reached() {
    let memo = mcache().wrap(|n: &u64| n + 1);
    memo.call(&1);
    let engine = memo.store().cache();
    assert_eq!((engine.len(), engine.weight(), engine.capacity()), (1, 1, 1024));
    let Engine::Bare(shards) = engine else { panic!("nothing here expires or is weighed") };
    let entries: Vec<_> =
        shards.shards().iter().map(|shard| shard.read().iter().map(|(key, n)| (key.0, *n)).next()).collect();
    assert_eq!(entries.into_iter().flatten().collect::<Vec<_>>(), [(1, 2)]);
}
