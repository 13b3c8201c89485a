//! Tasks, on any executor: they do not block its thread, whatever the server does.

mod common;

use std::pin::pin;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use common::{LIMIT, value};
use futures_lite::future;
use twat_cache_core::testing::{Counter, block_on, join_all, until, within};
use twat_cache_remote::redis::cmd;
use twat_cache_remote::{KeyedStore as _, Store as _};

#[test]
fn tasks_find_what_threads_have_stored_and_the_other_way_round() {
    let Some(server) = server!() else { return };
    let store = server.cache().open::<String>().unwrap();
    block_on(async {
        store.insert(&1_u64, &value(1)).unwrap();
        assert_eq!(store.get_async(&1_u64).await.unwrap(), Some(value(1)));
        store.insert_async(&2_u64, &value(2)).await.unwrap();
        assert_eq!((store.get(&2_u64).unwrap(), store.len_async().await.unwrap()), (Some(value(2)), 2));
        assert!(store.remove_async(&1_u64).await.unwrap() && !store.remove(&1_u64).unwrap());
        let ticket = store.begin_async(&3_u64).await.unwrap();
        assert!(store.insert_begun_async(&3_u64, &value(3), None, ticket).await.unwrap());
        store.clear_async().await.unwrap();
        assert_eq!((store.get(&2_u64).unwrap(), store.get_async(&3_u64).await.unwrap()), (None, None));
        let ticket = store.begin_async(&3_u64).await.unwrap();
        store.remove_async(&3_u64).await.unwrap();
        assert!(!store.insert_begun_async(&3_u64, &value(3), None, ticket).await.unwrap());
    });
}

#[test]
fn an_answer_is_not_there_at_once_and_does_not_borrow_the_key() {
    let Some(server) = server!() else { return };
    let store = server.cache().open::<String>().unwrap();
    server.signal("STOP");
    let mut answers = [store.get_async(&String::from("a key")), store.get_async("another")];
    for answer in &mut answers {
        assert!(block_on(future::poll_once(pin!(answer))).is_none());
    }
    server.signal("CONT");
    for answer in answers {
        assert_eq!(block_on(answer).unwrap(), None);
    }
}

#[test]
fn a_server_is_not_away_because_a_task_is_not_polled_for_a_while() {
    let Some(server) = server!() else { return };
    // A request may take half a second.
    let store = server.named("values").timeout(Duration::from_secs(2)).with_memory::<u64>();
    let pause = || thread::sleep(Duration::from_millis(700));
    // It takes several steps to connect, or to send a script that the server has lost.
    for _ in 0..2 {
        server.ask::<()>(cmd("SCRIPT").arg("FLUSH"));
        block_on(async {
            let mut stored = pin!(async { store.insert_async(&1_u64, &1).await });
            for _ in 0..3 {
                if let Some(stored) = future::poll_once(&mut stored).await {
                    return stored.unwrap();
                }
                pause();
            }
            stored.await.unwrap();
        });
    }
    assert!(server.warnings().is_empty() && !store.is_away(), "{:#?}", server.warnings());
}

#[test]
fn tasks_that_are_not_polled_do_not_stop_others() {
    let Some(server) = server!() else { return };
    let store = server.named("values").timeout(Duration::from_secs(4)).open::<u64>().unwrap();
    store.insert(&1_u64, &1).unwrap();
    block_on(async {
        assert_eq!(store.get_async(&1_u64).await.unwrap(), Some(1));
        let mut answers: Vec<_> = (0..1000_u64).map(|key| (key, Some(store.get_async(&key)))).collect();
        for (_, answer) in &mut answers {
            if future::poll_once(pin!(answer.as_mut().unwrap())).await.is_some() {
                *answer = None;
            }
        }
        thread::scope(|scope| {
            scope.spawn(|| {
                (0..10).for_each(|_| assert_eq!(block_on(store.get_async(&1_u64)).unwrap(), Some(1)));
            });
        });
        for (key, answer) in answers {
            if let Some(answer) = answer {
                assert_eq!(answer.await.unwrap(), (key == 1).then_some(1));
            }
        }
    });
}

#[test]
fn while_the_server_is_stopped_other_tasks_of_the_thread_go_on() {
    let Some(server) = server!() else { return };
    let computed = Counter::new();
    let memo = server.named("texts").timeout(Duration::from_secs(2)).wrap_async(async |key: &u64| {
        computed.count();
        value(*key)
    });
    block_on(join_all((0..20).map(|key| {
        let memo = &memo;
        Box::pin(async move { assert_eq!(memo.call_async(&key).await, value(key)) })
    })));
    server.signal("STOP");
    let turns = Counter::new();
    block_on(async {
        let calls = join_all((0..20).map(|key| {
            let memo = &memo;
            Box::pin(async move { memo.call_async(&key).await })
        }));
        // Polled in turn with the calls, on the same thread.
        let others = async {
            loop {
                turns.count();
                future::yield_now().await;
            }
        };
        let begun = Instant::now();
        let results = future::or(calls, others).await;
        assert!(results.iter().zip(0..).all(|(result, key)| *result == value(key)));
        assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    });
    assert!(turns.get() > 100, "other tasks had {} turns only", turns.get());
    server.signal("CONT");
    until("the server is back", || !memo.store().is_away());
    let before = computed.get();
    assert_eq!(block_on(memo.call_async(&1)), value(1));
    assert_eq!(computed.get(), before);
}

#[test]
fn a_task_that_is_cancelled_at_any_point_blocks_nobody() {
    let Some(server) = server!() else { return };
    let memo = server.named("texts").wrap_async(async |key: &u64| {
        future::yield_now().await;
        value(*key)
    });
    within(LIMIT, move || {
        for polls in 0..20 {
            let mut call = Box::pin(memo.call_async(&polls));
            for _ in 0..polls {
                if block_on(future::poll_once(&mut call)).is_some() {
                    break;
                }
                thread::sleep(Duration::from_micros(200));
            }
            drop(call);
            assert_eq!(block_on(memo.call_async(&polls)), value(polls));
        }
        until("no lease has a holder", || {
            let lease = |name: &String| server.ask::<Option<String>>(cmd("GET").arg(name));
            server.names("tc1l:*").iter().filter_map(lease).all(|lease| lease.ends_with(&"0".repeat(16)))
        });
    });
}

#[test]
fn a_claim_that_is_cancelled_on_its_way_is_released() {
    let Some(server) = server!() else { return };
    let store = server.cache().open::<String>().unwrap();
    let scripts = || -> u64 {
        let info: String = server.ask(cmd("INFO").arg("commandstats"));
        let line = info.lines().find(|line| line.starts_with("cmdstat_evalsha:"));
        line.map_or(0, |line| line.split(['=', ',']).nth(1).unwrap().parse().unwrap())
    };
    block_on(store.get_async(&0_u64)).unwrap();
    drop(block_on(store.claim_async(&0_u64, LIMIT)));
    until("the lease is released", || server.names("tc1l:*").is_empty());
    let before = scripts();
    server.signal("STOP");
    let mut claim = store.claim_async(&1_u64, LIMIT);
    assert!(block_on(future::poll_once(pin!(&mut claim))).is_none());
    thread::sleep(Duration::from_millis(100));
    drop(claim);
    server.signal("CONT");
    until("it is claimed and released", || scripts() == before + 2);
    assert!(server.names("tc1l:*").is_empty());
}

#[test]
fn while_the_server_is_stopped_timers_on_the_same_threads_are_not_late() {
    let Some(server) = server!() else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
    let memo = server.named("texts").timeout(Duration::from_secs(2));
    let memo = Arc::new(memo.wrap_async(async |key: &u64| value(*key)));
    assert_eq!(block_on(memo.call_async(&100)), value(100));
    server.signal("STOP");
    let calls: Vec<_> = (0..64)
        .map(|key| {
            let memo = memo.clone();
            runtime.spawn(async move { memo.call_async(&key).await })
        })
        .collect();
    let ticks = runtime.spawn(async {
        let mut late = Duration::ZERO;
        for _ in 0..50 {
            let begun = Instant::now();
            tokio::time::sleep(Duration::from_millis(1)).await;
            late = late.max(begun.elapsed());
        }
        late
    });
    let late = runtime.block_on(ticks).unwrap();
    // A call waits for a second.
    assert!(late < Duration::from_millis(700), "a timer of 1 ms took {late:?}");
    for (key, call) in (0..).zip(calls) {
        assert_eq!(runtime.block_on(call).unwrap(), value(key));
    }
    server.signal("CONT");
}
