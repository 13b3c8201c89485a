//! Copies in memory of what the server has. The server tells of changes.

mod common;

use std::cell::Cell;
use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use common::{LIMIT, LONG, Server};
use twat_cache_core::testing::{Counter, until, within};
use twat_cache_remote::redis::{Value, cmd};
use twat_cache_remote::{InMemory, KeyedStore as _, Memo, NearStore, RemoteBuilder, RemoteStore, Store as _, rcache};

fn near(server: &Server) -> RemoteBuilder<twat_cache_remote::persist::Rkyv, InMemory> {
    server.named("near").near(1000)
}

/// Another process, as far as this one can tell.
fn elsewhere(server: &Server) -> RemoteStore<u64> {
    rcache("near").server(format!("redis://localhost:{}/", server.port())).timeout(LONG).open().unwrap()
}

/// How often the server was asked for entries.
fn lookups(server: &Server) -> u64 {
    let info: String = server.ask(cmd("INFO").arg("commandstats"));
    let line = info.lines().find(|line| line.starts_with("cmdstat_mget:"));
    let calls = line.and_then(|line| line.split(['=', ',']).nth(1));
    calls.map_or(0, |calls| calls.parse().unwrap())
}

/// Calls the memo until it does not ask the server any more.
fn warm<F: Fn(&u64) -> u64>(server: &Server, memo: &Memo<NearStore<u64, u64>, F>, key: u64) {
    until("the result is in memory", || {
        memo.call(&key);
        let before = lookups(server);
        memo.call(&key);
        lookups(server) == before
    });
}

#[test]
fn a_result_that_was_found_once_is_found_in_memory() {
    let Some(server) = server!() else { return };
    let computed = Counter::new();
    let memo = near(&server).wrap(|n: &u64| {
        computed.count();
        n * 2
    });
    warm(&server, &memo, 1);
    // The server may tell of the first store only now.
    until("the server is not asked", || {
        let before = lookups(&server);
        (0..100).for_each(|_| assert_eq!(memo.call(&1), 2));
        lookups(&server) == before
    });
    assert_eq!(computed.get(), 1);
    assert_eq!((memo.len().unwrap(), memo.store().back().client().is_some()), (1, true));
}

#[test]
fn what_another_process_changes_is_not_found_in_memory_any_more() {
    let Some(server) = server!() else { return };
    let world = AtomicU64::new(1);
    let memo = near(&server).wrap(|_: &u64| world.load(Ordering::SeqCst));
    let other = elsewhere(&server);
    warm(&server, &memo, 1);
    other.insert(&1_u64, &10).unwrap();
    until("the new value is found", || memo.call(&1) == 10);
    warm(&server, &memo, 1);
    world.store(2, Ordering::SeqCst);
    assert!(other.remove(&1_u64).unwrap());
    until("it is computed again", || memo.call(&1) == 2);
    warm(&server, &memo, 1);
    world.store(3, Ordering::SeqCst);
    other.clear().unwrap();
    until("it is computed again", || memo.call(&1) == 3);
    warm(&server, &memo, 1);
    world.store(4, Ordering::SeqCst);
    server.ask::<()>(&mut cmd("FLUSHALL"));
    until("it is computed again", || memo.call(&1) == 4);
}

#[test]
fn what_this_process_changes_is_new_at_once_in_all_its_memos() {
    let Some(server) = server!() else { return };
    let world = AtomicU64::new(0);
    let memos = [(); 2].map(|()| near(&server).wrap(|_: &u64| world.load(Ordering::SeqCst)));
    for round in 0..50 {
        assert_eq!(memos.each_ref().map(|memo| memo.call(&1)), [round; 2]);
        let next = world.fetch_add(1, Ordering::SeqCst) + 1;
        match round % 3 {
            0 => assert!(memos[0].forget(&1).unwrap()),
            1 => memos[0].clear().unwrap(),
            _ => assert_eq!(memos[0].refresh(&1), next),
        }
        assert_eq!(memos[1].call(&1), next, "in round {round}");
    }
}

#[test]
fn an_entry_that_expires_is_not_found_in_memory() {
    let Some(server) = server!() else { return };
    let hand = twat_cache_remote::ManualClock::new();
    let computed = Counter::new();
    let memo = near(&server).ttl(Duration::from_secs(60)).clock(hand.clock()).wrap(|n: &u64| {
        computed.count();
        *n
    });
    warm(&server, &memo, 1);
    hand.advance(Duration::from_secs(61));
    assert_eq!((memo.call(&1), computed.get()), (1, 2));
}

#[test]
fn without_the_connection_that_tells_of_changes_memory_is_not_used_until_it_is_back() {
    let Some(server) = server!() else { return };
    let world = AtomicU64::new(1);
    let memo = near(&server).wrap(|_: &u64| world.load(Ordering::SeqCst));
    let other = elsewhere(&server);
    for value in 10..13 {
        warm(&server, &memo, 1);
        let clients: Value = server.ask(cmd("CLIENT").arg("LIST"));
        let Value::BulkString(clients) = clients else { panic!("{clients:?}") };
        let clients = String::from_utf8(clients).unwrap();
        // Its flags have a `B`, for broadcasts.
        let tells = |fields: &HashMap<&str, &str>| fields["flags"].contains('B');
        let fields = clients.lines().map(|line| line.split(' ').filter_map(|field| field.split_once('=')).collect());
        let ids: Vec<String> = fields.filter(tells).map(|fields| fields["id"].to_owned()).collect();
        assert_eq!(ids.len(), 1, "{clients}");
        assert_eq!(server.ask::<u64>(cmd("CLIENT").arg("KILL").arg("ID").arg(&ids[0])), 1);
        other.insert(&1_u64, &value).unwrap();
        until("the new value is found", || memo.call(&1) == value);
    }
    assert!(server.warnings().is_empty(), "{:#?}", server.warnings());
}

#[test]
fn a_server_that_cannot_tell_of_changes_is_asked_each_time() {
    let Some(server) = server!("--rename-command", "CLIENT", "\"\"") else { return };
    let memo = near(&server).wrap(|n: &u64| n * 2);
    memo.call(&1);
    until("that is said", || !server.warnings().is_empty());
    let before = lookups(&server);
    (0..10).for_each(|_| assert_eq!(memo.call(&1), 2));
    assert_eq!(lookups(&server), before + 10);
    server.assert_one_warning("the near cache is not used");
}

thread_local! {
    /// The number of the hash at which the function below is called, from now on.
    static AT: Cell<u32> = const { Cell::new(0) };
}

static CALL: OnceLock<Box<dyn Fn() + Send + Sync>> = OnceLock::new();

#[derive(Clone, PartialEq, Eq)]
struct Calling(u64);

impl Hash for Calling {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        let at = AT.get();
        AT.set(at.saturating_sub(1));
        if at == 1 {
            CALL.get().unwrap()();
        }
        self.0.hash(hasher);
    }
}

#[test]
fn a_hash_that_calls_the_cache_blocks_nobody_although_the_secret_changes_then() {
    let Some(server) = server!() else { return };
    let (server, builder) = (Arc::new(server), || rcache("calling").timeout(LONG));
    let store = Arc::new(builder().server(server.url()).near(100).with_copies::<Calling, u64>());
    let (at, inner) = (server.clone(), store.clone());
    let change_secret = move || {
        at.ask::<()>(cmd("DEL").arg(at.names("tc1:*:g")));
        // One that knows no secret makes a new one.
        let other = builder().server(format!("redis://localhost:{}/", at.port())).build::<u64>();
        other.insert(&Calling(9), &9).unwrap();
        let _ = inner.get(&Calling(5));
    };
    assert!(CALL.set(Box::new(change_secret)).is_ok());
    for at in 1..=12 {
        let store = store.clone();
        store.insert(&Calling(1), &1).unwrap();
        within(LIMIT, move || {
            AT.set(at);
            store.remove(&Calling(1)).unwrap();
            AT.set(0);
            assert_eq!(store.get(&Calling(1)).unwrap(), None);
        });
    }
}

/// Nobody would tell of it if another process forgot such a result.
#[test]
fn a_result_that_the_server_does_not_take_is_not_kept_in_memory() {
    let Some(server) = server!("--maxmemory-policy", "noeviction") else { return };
    let computed = Counter::new();
    let memo = server.named("texts").max_value_bytes(100).near(100).wrap(|length: &u64| {
        computed.count();
        "-".repeat(usize::try_from(*length).unwrap())
    });
    until("the result is in memory", || {
        memo.call(&10);
        memo.store().front().len().unwrap() > 0
    });
    let before = computed.get();
    (0..3).for_each(|_| assert_eq!(memo.call(&200).len(), 200));
    assert_eq!(computed.get(), before + 3, "it is too long");
    server.ask::<()>(cmd("CONFIG").arg("SET").arg("maxmemory").arg(1));
    (0..3).for_each(|_| assert_eq!(memo.call(&20).len(), 20));
    assert_eq!(computed.get(), before + 6, "the server is full");
}

/// An answer and the news of a change may overtake each other. Once a stale value was kept, nobody would tell of it again.
#[test]
fn no_stale_value_stays_in_memory() {
    let Some(server) = server!() else { return };
    let rounds = if std::env::var_os("TWAT_CACHE_TEST_SECONDS").is_some() { 10_000 } else { 500 };
    let memo = near(&server).wrap(|_: &u64| u64::MAX);
    let other = elsewhere(&server);
    // A result that is computed while another one is inserted may come later.
    (0..3).for_each(|key| warm(&server, &memo, key));
    for round in 0..rounds {
        let key = round % 3;
        std::thread::scope(|scope| {
            let reading = scope.spawn(|| (0..3).for_each(|_| _ = memo.call(&key)));
            other.insert(&key, &round).unwrap();
            reading.join().unwrap();
        });
        until("the new value is found", || memo.call(&key) == round);
        assert_eq!(memo.call(&key), round);
    }
}
