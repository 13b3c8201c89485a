//! Tasks, on any executor: they do not block its thread, whatever the server does.

mod common;

use std::pin::pin;
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
