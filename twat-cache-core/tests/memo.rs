//! What `Memo` guarantees with any store, and the properties of its futures.

use std::sync::{Arc, LazyLock, OnceLock};
use std::time::Duration;

use twat_cache_core::testing::{Counter, Faulty, PATIENCE, record_logs, until, until_waiting, within};
use twat_cache_core::{Call, ErrorKind, LruStore, Memo};

fn faulty() -> Faulty<LruStore<u64>> {
    Faulty::new(LruStore::new(100))
}

#[test]
fn a_store_that_always_fails_costs_one_warning_for_each_kind_of_error_and_nothing_else() {
    let logs = record_logs();
    let computed = Counter::new();
    let store = faulty();
    let name = store.name().to_owned();
    store.fail_all(ErrorKind::Io);
    let memo = Memo::new(store, |n: &u64| {
        computed.count();
        n * 2
    });
    for n in 0..5 {
        assert_eq!(memo.call(&n), n * 2);
        assert_eq!(memo.refresh(&n), n * 2);
    }
    assert_eq!(computed.get(), 10);
    assert_eq!(logs.warnings(&name).len(), 1, "{:?}", logs.warnings(&name));
    assert!(logs.warnings(&name)[0].starts_with("cannot read an entry at faulty store"));
    assert!(logs.at(log::Level::Debug, &name).len() > 5, "the others are there for those who look");

    memo.store().fail_writes(ErrorKind::Full);
    assert_eq!(memo.call(&8), 16);
    assert_eq!(logs.warnings(&name).len(), 1, "still the disk");
    memo.store().fail_writes(ErrorKind::Codec);
    assert_eq!(memo.call(&9), 18);
    assert_eq!(memo.call(&9), 18);
    assert_eq!(logs.warnings(&name).len(), 2, "another kind is news");
    assert!(logs.warnings(&name)[1].contains("the value cannot be encoded"));
    assert!(logs.warnings(&name)[1].ends_with("the result is returned but not stored"));
}

#[test]
fn methods_that_do_not_compute_return_the_error_of_the_store() {
    let memo = Memo::new(faulty(), |n: &u64| *n);
    memo.store().fail_all(ErrorKind::Corrupt);
    assert_eq!(memo.peek(&1).unwrap_err().kind(), ErrorKind::Corrupt);
    assert_eq!(memo.forget(&1).unwrap_err().kind(), ErrorKind::Corrupt);
    assert_eq!(memo.clear().unwrap_err().kind(), ErrorKind::Corrupt);
    assert_eq!(memo.len().unwrap_err().kind(), ErrorKind::Corrupt);
}

#[test]
fn waiters_of_a_leader_whose_result_could_not_be_stored_compute_by_themselves() {
    within(PATIENCE, || {
        let (computed, all_wait) = (Counter::new(), OnceLock::new());
        let memo = Memo::new(faulty(), |n: &u64| {
            if computed.count() == 0 {
                all_wait.wait();
            }
            *n
        });
        memo.store().fail_writes(ErrorKind::Full);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| assert_eq!(memo.call(&1), 1));
            }
            until_waiting(&memo, 3);
            all_wait.set(()).unwrap();
        });
        assert_eq!(computed.get(), 4);
    });
}

#[test]
fn a_refresh_that_cannot_be_stored_removes_the_stale_entry() {
    let world = Counter::new();
    let memo = Memo::new(faulty(), |_: &u64| world.count() as u64);
    assert_eq!(memo.call(&1), 0);
    memo.store().fail_writes(ErrorKind::Full);
    assert_eq!(memo.refresh(&1), 1);
    memo.store().fail_writes(None);
    assert_eq!(memo.peek(&1_u64).unwrap(), None);
    assert_eq!(memo.call(&1), 2);
}

#[test]
fn a_refresh_leaves_nothing_older_although_a_later_result_could_not_be_stored() {
    within(PATIENCE, || {
        let (begun, may_end) = (OnceLock::new(), OnceLock::new());
        let memo = Memo::new(faulty(), |_: &u64| {
            begun.set(()).unwrap();
            may_end.wait();
            1
        });
        memo.insert(&1, &0).unwrap();
        std::thread::scope(|scope| {
            let refresh = scope.spawn(|| memo.refresh(&1));
            begun.wait();
            memo.store().fail_all(ErrorKind::Io);
            assert!(memo.insert(&1, &2).is_err());
            memo.store().fail_all(None);
            may_end.set(()).unwrap();
            assert_eq!(refresh.join().unwrap(), 1);
        });
        assert_ne!(memo.peek(&1_u64).unwrap(), Some(0));
    });
}

#[test]
fn a_refresh_that_fails_keeps_the_result_of_another_refresh() {
    within(PATIENCE, || {
        let (turn, second_begun, second_fails) = (Counter::new(), OnceLock::new(), OnceLock::new());
        let memo = Memo::new(LruStore::<usize>::new(10), |_: &u64| match turn.count() {
            0 => Ok(0),
            1 => {
                second_begun.wait();
                Ok(1)
            }
            _ => {
                second_begun.set(()).unwrap();
                second_fails.wait();
                Err("no")
            }
        });
        memo.try_call(&1).unwrap();
        std::thread::scope(|scope| {
            let first = scope.spawn(|| memo.try_refresh(&1));
            until("the first refresh computes", || turn.get() == 2);
            let second = scope.spawn(|| memo.try_refresh(&1));
            assert_eq!(first.join().unwrap(), Ok(1));
            second_fails.set(()).unwrap();
            assert_eq!(second.join().unwrap(), Err("no"));
        });
        assert_eq!(memo.peek(&1_u64).unwrap(), Some(1));
    });
}

#[test]
fn a_value_whose_clone_panics_or_calls_the_memo_loses_no_result() {
    use std::sync::atomic::{AtomicU8, Ordering};

    type Function = fn(&u64) -> Odd;
    #[derive(Debug)]
    struct Odd;
    static CLONED: AtomicU8 = AtomicU8::new(0);
    static MEMO: LazyLock<Memo<LruStore<Odd>, Function>> = LazyLock::new(|| Memo::new(LruStore::new(10), |_| Odd));
    impl Clone for Odd {
        fn clone(&self) -> Self {
            match CLONED.fetch_add(1, Ordering::SeqCst) {
                0 => panic!("cannot be cloned"),
                // Calls with the same key while the store stores it.
                1 => MEMO.call(&2),
                _ => Self,
            }
        }
    }
    within(PATIENCE, || {
        let logs = record_logs();
        let Odd = MEMO.call(&1);
        assert_eq!(logs.warnings("cannot store a result: a callback panicked").len(), 1);
        let Odd = MEMO.call(&2);
    });
}

#[test]
fn a_wait_for_a_computation_that_needs_the_waiter_ends() {
    within(PATIENCE, || {
        let (callers_lock, led) = (parking_lot::ReentrantMutex::new(()), OnceLock::new());
        let memo = Memo::new(LruStore::new(10), |n: &u64| {
            if *n == 1 {
                led.get_or_init(|| ());
                drop(callers_lock.lock());
            }
            *n
        });
        // One computation has ended, so that the patience is short.
        memo.call(&0);
        std::thread::scope(|scope| {
            let held = callers_lock.lock();
            scope.spawn(|| memo.call(&1));
            led.wait();
            // The other call needs our lock, and we wait for that call. Without a cache, we would not wait.
            assert_eq!(memo.call(&1), 1);
            drop(held);
        });
    });
}

#[test]
fn the_error_type_of_the_function_needs_no_traits() {
    // This type is not `Error`, `Display`, `Clone` or `Send`.
    struct Odd(std::rc::Rc<u64>);
    let memo = Memo::new(LruStore::<u64>::new(10), |n: &u64| Err::<u64, Odd>(Odd(std::rc::Rc::new(7 + n))));
    assert_eq!(memo.try_call(&1).map_err(|Odd(code)| *code), Err(8));
}

#[test]
fn a_function_can_take_several_arguments_by_reference() {
    fn repeat(Call((text, times)): &Call<(&str, &usize)>) -> String {
        text.repeat(**times)
    }
    let computed = Counter::new();
    let closure = Memo::new(LruStore::new(10), |Call((text, times)): &Call<(&str, &usize)>| {
        computed.count();
        text.repeat(**times)
    });
    let named = Memo::new(LruStore::new(10), repeat);
    for _ in 0..2 {
        let text = String::from("ab");
        assert_eq!(closure.call(&Call((&text, &2))), "abab");
        assert_eq!(named.call(&Call((&text, &3))), "ababab");
    }
    assert_eq!(computed.get(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_spawned_tasks_compute_a_cold_key_once() {
    let (computed, all_wait) = (Arc::new(Counter::new()), Arc::new(tokio::sync::Notify::new()));
    let (counter, wait) = (computed.clone(), all_wait.clone());
    let memo = Arc::new(Memo::new(LruStore::new(100), async move |text: &str| {
        counter.count();
        wait.notified().await;
        text.len()
    }));
    let tasks: Vec<_> = (0..100)
        .map(|_| {
            let memo = memo.clone();
            tokio::spawn(async move { memo.call_async("hello").await })
        })
        .collect();
    until_waiting(&memo, 99);
    all_wait.notify_one();
    for task in tasks {
        assert_eq!(task.await.unwrap(), 5);
    }
    assert_eq!(computed.get(), 1);
}

#[tokio::test]
async fn every_async_method_gives_a_future_that_can_be_spawned() {
    let memo = Arc::new(Memo::new(LruStore::new(100), async |Call((text, n)): &Call<(&str, &u32)>| {
        tokio::task::yield_now().await;
        if *text == "fail" { Err("no") } else { Ok(format!("{text}{n}")) }
    }));
    let spawned = memo.clone();
    let task = tokio::spawn(async move {
        let text = String::from("a");
        assert_eq!(spawned.try_refresh_async(&Call((&text, &1))).await.as_deref(), Ok("a1"));
        spawned.try_call_async(&Call((&text, &1))).await
    });
    assert_eq!(task.await.unwrap().as_deref(), Ok("a1"));
    assert_eq!(memo.try_call_async(&Call(("fail", &1))).await, Err("no"));

    // A closure that returns a future will do, too.
    let plain = Arc::new(Memo::new(LruStore::new(100), |n: &u64| {
        let n = *n;
        async move { n + 1 }
    }));
    let task = tokio::spawn(async move { plain.call_async(&1).await + plain.refresh_async(&2).await });
    assert_eq!(task.await.unwrap(), 5);
}

#[tokio::test]
async fn a_call_that_times_out_leaves_nothing_locked() {
    let computed = Counter::new();
    let memo = Memo::new(LruStore::new(100), async |n: &u64| {
        if computed.count() == 0 {
            std::future::pending::<()>().await;
        }
        *n
    });
    assert!(tokio::time::timeout(Duration::from_millis(10), memo.call_async(&1)).await.is_err());
    assert_eq!(memo.call_async(&1).await, 1);
    assert_eq!(computed.get(), 2);
}

#[test]
fn errors_say_what_was_attempted_on_what_and_why() {
    use std::error::Error as _;
    use twat_cache_core::Error;

    let full = Error::from(std::io::Error::from(std::io::ErrorKind::StorageFull)).at("/x/y");
    assert_eq!(full.kind(), ErrorKind::Full);
    assert_eq!(full.to_string(), "cannot use the cache at /x/y: no room left");
    assert!(full.source().is_some());
    assert_eq!(full.chain().to_string(), "cannot use the cache at /x/y: no room left: no storage space");
    assert_eq!(full.path(), Some(std::path::Path::new("/x/y")));

    let own = Error::other("the moon is in the wrong phase");
    assert_eq!(own.to_string(), "cannot use the cache: the moon is in the wrong phase");
    assert_eq!(own.chain().to_string(), own.to_string());
}

#[test]
fn a_waiter_of_an_async_function_does_not_begin_it() {
    let begun = Counter::new();
    let memo = Memo::new(LruStore::new(10), ());
    let compute = || {
        begun.count();
        async {
            futures_lite::future::yield_now().await;
            Ok::<_, ()>(1)
        }
    };
    let both =
        futures_lite::future::zip(memo.try_call_with_async("key", compute), memo.try_call_with_async("key", compute));
    assert_eq!(futures_lite::future::block_on(both), (Ok(1), Ok(1)));
    assert_eq!(begun.get(), 1);
}
