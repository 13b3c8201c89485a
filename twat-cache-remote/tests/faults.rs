//! The server is there, and not as it should be: calls get the right values, with at most one warning, and it is used again.

mod common;

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use common::{LIMIT, Server, hits, insert_all, value};
use twat_cache_core::testing::{Counted, Counter, counted, text, until, within};
use twat_cache_remote::redis::cmd;
use twat_cache_remote::{ErrorKind, KeyedStore as _, Memo, Standby, Store as _};

type Texts = Memo<Standby<String>, Counted<String>>;

fn memo(server: &Server) -> (Texts, Arc<Counter>) {
    let (function, computed) = counted(value);
    (server.named("texts").wrap(function), computed)
}

fn call_all(memo: &Texts, keys: std::ops::Range<u64>) {
    keys.for_each(|key| assert_eq!(memo.call(&key), value(key)));
}

/// Damages what is there. The next calls compute once, with these warnings, and then the server is used as before.
fn heals(damage: impl Fn(&Server), warning: Option<&str>) {
    let Some(server) = server!() else { return };
    let (memo, computed) = memo(&server);
    // Another process has a store of its own.
    let other = server.named("texts").open::<String>().unwrap();
    call_all(&memo, 0..1);
    damage(&server);
    for _ in 0..3 {
        call_all(&memo, 0..1);
    }
    assert_eq!(computed.get(), 2);
    assert_eq!(other.get(&0_u64).unwrap(), Some(value(0)));
    match warning {
        Some(warning) => server.assert_one_warning(warning),
        None => assert_eq!(server.warnings(), [""; 0]),
    }
    for name in server.names("tc1:*") {
        let left: i64 = server.ask(cmd("PTTL").arg(&name));
        assert!(left > 0, "{name} stays forever");
    }
}

#[test]
fn after_flushall_everything_is_computed_again() {
    heals(|server| server.ask(&mut cmd("FLUSHALL")), None);
}

#[test]
fn after_its_scripts_are_lost_a_server_gets_them_again() {
    let Some(server) = server!() else { return };
    let store = server.cache().open().unwrap();
    insert_all(&store, 0..5);
    server.ask::<()>(cmd("SCRIPT").arg("FLUSH"));
    insert_all(&store, 5..10);
    assert_eq!(hits(&store, 0..10), 10);
}

#[test]
fn a_state_that_is_evicted_or_damaged_is_made_again_and_no_old_entry_comes_back() {
    let garbage = [("DEL", ""), ("SET", "garbage"), ("SET", "9999999999999999sixteen bytes 00"), ("LPUSH", "garbage")];
    for (command, garbage) in garbage {
        let damage = |server: &Server| {
            let [state] = <[String; 1]>::try_from(server.names("tc1:*:g")).unwrap();
            server.ask::<()>(cmd("DEL").arg(&state));
            if command != "DEL" {
                server.ask::<()>(cmd(command).arg(state).arg(garbage));
            }
        };
        heals(damage, None);
    }
}

#[test]
fn a_damaged_entry_is_computed_again() {
    let garbage = |entry: &[u8]| {
        let mut damaged = entry.to_vec();
        *damaged.last_mut().unwrap() ^= 1;
        [b"".to_vec(), b"garbage".to_vec(), vec![0xff; 100], entry[..entry.len() - 1].to_vec(), damaged]
    };
    for n in 0..5 {
        let damage = |server: &Server| {
            let name = server.entry();
            let entry: Vec<u8> = server.ask(cmd("GET").arg(&name));
            server.ask::<()>(cmd("SET").arg(&name).arg(&garbage(&entry)[n]));
        };
        heals(damage, Some("damaged"));
    }
}

#[test]
fn an_entry_under_the_name_of_another_is_computed_again() {
    let Some(server) = server!() else { return };
    let (memo, computed) = memo(&server);
    call_all(&memo, 0..1);
    let first = server.entry();
    let entry: Vec<u8> = server.ask(cmd("GET").arg(&first));
    server.ask::<()>(cmd("DEL").arg(&first));
    call_all(&memo, 1..2);
    let second = server.entry();
    server.ask::<()>(cmd("SET").arg(&second).arg(entry));
    call_all(&memo, 1..2);
    assert_eq!(computed.get(), 3);
    server.assert_one_warning("damaged");
}

#[test]
fn an_entry_of_another_type_is_computed_again() {
    let damage = |server: &Server| {
        let name = server.entry();
        server.ask::<()>(cmd("DEL").arg(&name));
        server.ask::<()>(cmd("LPUSH").arg(&name).arg("garbage"));
    };
    heals(damage, None);
}

#[test]
fn another_secret_is_taken_over_by_all() {
    let Some(server) = server!() else { return };
    let stores = [(); 2].map(|()| server.named("texts").open().unwrap());
    insert_all(&stores[0], 0..5);
    let [state] = <[String; 1]>::try_from(server.names("tc1:*:g")).unwrap();
    let number: String = server.ask(cmd("GETRANGE").arg(&state).arg(0).arg(15));
    server.ask::<()>(cmd("SET").arg(&state).arg(format!("{number}another secret.")));
    assert_eq!(number.len() + "another secret.".len(), 31, "that is too short, so it is damaged");
    server.ask::<()>(cmd("SET").arg(&state).arg(format!("{number}another secret..")));
    assert_eq!(hits(&stores[0], 0..5), 0);
    insert_all(&stores[1], 0..5);
    assert_eq!(hits(&stores[0], 0..5), 5);
    assert_eq!(server.warnings(), [""; 0]);
}

#[test]
fn a_server_without_memory_gives_what_it_has_and_takes_the_rest_later() {
    let Some(server) = server!("--maxmemory-policy", "noeviction") else { return };
    let (memo, computed) = memo(&server);
    call_all(&memo, 0..10);
    let set_limit = |bytes: u64| server.ask::<()>(cmd("CONFIG").arg("SET").arg("maxmemory").arg(bytes));
    set_limit(1);
    for _ in 0..2 {
        call_all(&memo, 0..20);
    }
    assert_eq!(computed.get(), 30);
    assert!(!memo.store().is_away());
    server.assert_one_warning("no room left");
    assert_eq!(memo.refresh(&1), value(1));
    assert_eq!(memo.peek(&1).unwrap(), None, "what a refresh could not replace is removed");
    assert!(memo.forget(&2).unwrap());
    let error = memo.store().primary().insert(&1_u64, &value(1)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Full);
    set_limit(0);
    call_all(&memo, 0..20);
    let before = computed.get();
    call_all(&memo, 0..20);
    assert_eq!(computed.get(), before);
}

#[test]
fn a_clear_that_finds_no_memory_is_repeated_when_there_is_room() {
    let Some(server) = server!("--maxmemory-policy", "noeviction") else { return };
    let (memo, computed) = memo(&server);
    call_all(&memo, 0..10);
    let set_limit = |bytes: u64| server.ask::<()>(cmd("CONFIG").arg("SET").arg("maxmemory").arg(bytes));
    set_limit(1);
    assert_eq!(memo.clear().unwrap_err().kind(), ErrorKind::Full);
    assert_eq!(memo.peek(&1).unwrap(), None, "what was cleared is found");
    set_limit(0);
    until("the cache is used", || {
        call_all(&memo, 20..21);
        memo.peek(&20).unwrap().is_some()
    });
    let before = computed.get();
    call_all(&memo, 0..10);
    assert_eq!(computed.get(), before + 10, "what was cleared is found");
    call_all(&memo, 0..10);
    assert_eq!(computed.get(), before + 10);
}

#[test]
fn a_value_that_finds_no_memory_can_be_stored_later() {
    let Some(server) = server!("--maxmemory-policy", "noeviction") else { return };
    let store = server.cache().open::<String>().unwrap();
    let set_limit = |bytes: u64| server.ask::<()>(cmd("CONFIG").arg("SET").arg("maxmemory").arg(bytes));
    for length in [100, 5000] {
        let value = text(1, length);
        let ticket = store.begin(&length);
        set_limit(1);
        let error = store.insert_begun(&length, &value, None, ticket).unwrap_err();
        assert_eq!((error.kind(), store.get(&length).unwrap()), (ErrorKind::Full, None));
        set_limit(0);
        assert!(store.insert_begun(&length, &value, None, ticket).unwrap());
        assert_eq!(store.get(&length).unwrap(), Some(value));
    }
    assert_eq!(server.names("tc1l:*"), [""; 0]);
}

#[test]
fn a_long_value_that_is_outdated_is_not_stored_and_leaves_nothing_behind() {
    let Some(server) = server!() else { return };
    let store = server.cache().open::<String>().unwrap();
    for is_cleared in [false, true] {
        let ticket = store.begin(&1_u64);
        if is_cleared {
            store.clear().unwrap();
        } else {
            assert!(!store.remove(&1_u64).unwrap());
        }
        assert!(!store.insert_begun(&1_u64, &text(1, 5000), None, ticket).unwrap());
        assert_eq!((store.get(&1_u64).unwrap(), store.len().unwrap()), (None, 0));
        assert_eq!(server.names("tc1l:*"), [""; 0]);
    }
}

#[test]
fn a_replica_that_is_read_only_is_one_warning_until_it_is_promoted() {
    let Some(main) = server!("--repl-diskless-sync-delay", "0") else { return };
    let Some(replica) = server!() else { return };
    let (memo, computed) = memo(&main);
    call_all(&memo, 0..10);
    replica.ask::<()>(cmd("REPLICAOF").arg("127.0.0.1").arg(main.port()));
    until("the replica has a copy", || replica.names("tc1:*").len() == main.names("tc1:*").len());
    let (memo, here) = self::memo(&replica);
    within(LIMIT, move || {
        for _ in 0..3 {
            call_all(&memo, 10..20);
        }
        assert_eq!((here.get(), computed.get()), (10, 10));
        replica.assert_one_warning("read only");
        replica.ask::<()>(cmd("REPLICAOF").arg("NO").arg("ONE"));
        until("it is used", || {
            call_all(&memo, 10..11);
            !memo.store().is_away()
        });
        call_all(&memo, 0..20);
        until("entries are stored", || {
            call_all(&memo, 0..20);
            memo.len().is_ok_and(|len| len == 20)
        });
        replica.assert_one_warning("read only");
    });
}

#[test]
fn a_lease_that_is_lost_during_a_computation_costs_its_result_and_nothing_else() {
    let Some(server) = server!() else { return };
    let (memo, computed) = memo(&server);
    let lossy = server.named("texts").wrap(|key: &u64| {
        let leases = server.names("tc1l:*");
        assert_eq!(leases.len(), 1);
        server.ask::<()>(cmd("DEL").arg(leases));
        value(*key)
    });
    assert_eq!(lossy.call(&1), value(1));
    assert_eq!(memo.peek(&1).unwrap(), None);
    call_all(&memo, 1..2);
    assert_eq!((computed.get(), lossy.peek(&1).unwrap()), (1, Some(value(1))));
    assert_eq!(server.warnings(), [""; 0]);
}

#[test]
fn a_lease_is_renewed_while_the_computation_takes_long_and_ends_with_it() {
    let Some(server) = server!() else { return };
    let memo = server.named("texts").try_wrap(|key: &u64| {
        if *key == 0 {
            return Err("it fails");
        }
        // This test needs a time longer than that of a lease.
        thread::sleep(Duration::from_millis(2500));
        assert_eq!(server.names("tc1l:*").len(), 1, "the lease has ended");
        Ok(text(*key, 10))
    });
    assert_eq!(memo.try_call(&1), Ok(text(1, 10)));
    assert_eq!(memo.peek(&1).unwrap(), Some(text(1, 10)));
    assert_eq!(server.names("tc1l:*"), [""; 0]);
    assert_eq!(memo.try_call(&0), Err("it fails"));
    until("the lease is released", || server.names("tc1l:*").is_empty());
}
