//! What is on the server: entries with a deadline under names that no other program has.

mod common;

use std::time::Duration;

use common::{hits, insert_all, value};
use twat_cache_core::testing::text;
use twat_cache_remote::redis::cmd;
use twat_cache_remote::{KeyedStore as _, ManualClock, Store as _};

#[test]
fn another_store_finds_what_one_has_stored() {
    let Some(server) = server!() else { return };
    let [one, other] = [(); 2].map(|()| server.named("name").open::<String>().unwrap());
    assert_eq!(one.get(&1).unwrap(), None);
    one.insert(&1, &value(1)).unwrap();
    assert_eq!(other.get(&1).unwrap(), Some(value(1)));
    assert_eq!((other.len().unwrap(), one.remove(&1).unwrap(), one.remove(&1).unwrap()), (1, true, false));
    assert_eq!((other.get(&1).unwrap(), other.len().unwrap()), (None, 0));
}

#[test]
fn after_a_clear_nobody_finds_what_was_there_before() {
    let Some(server) = server!() else { return };
    let [one, other] = [(); 2].map(|()| server.named("name").open().unwrap());
    insert_all(&one, 0..100);
    assert_eq!((hits(&other, 0..100), other.len().unwrap()), (100, 100));
    one.clear().unwrap();
    assert_eq!((hits(&other, 0..100), other.len().unwrap()), (0, 0));
    insert_all(&other, 0..10);
    assert_eq!((hits(&one, 0..100), one.len().unwrap()), (10, 10));
}

#[test]
fn nothing_stays_on_the_server_forever_and_other_programs_are_left_alone() {
    let Some(server) = server!() else { return };
    let theirs = ["tc1:{}", "name", "tc1:{name}:g"];
    for name in theirs {
        server.ask::<()>(cmd("SET").arg(name).arg("theirs"));
    }
    let store = server.named("name").ttl(Duration::from_secs(60)).open().unwrap();
    let endless = server.named("endless").ttl(Duration::MAX).open().unwrap();
    insert_all(&store, 0..10);
    insert_all(&endless, 0..10);
    assert_eq!(hits(&endless, 0..10), 10);
    let _ = store.begin(&20);
    let _claim = store.claim(&21, Duration::ZERO);
    let ours: Vec<_> = server.names("*").into_iter().filter(|name| !theirs.contains(&&**name)).collect();
    assert_eq!(ours.len(), 2 * (10 + 1) + 2, "{ours:?}");
    for name in ours {
        let left: i64 = server.ask(cmd("PTTL").arg(&name));
        assert!(left > 0, "{name} has no deadline: {left}");
        if name.starts_with("tc1:{name:") && !name.ends_with(":g") {
            assert!(left <= 60_000, "{name} stays too long: {left}");
        }
    }
    store.clear().unwrap();
    assert!(store.remove(&1).is_ok());
    for name in theirs {
        assert_eq!(server.ask::<String>(cmd("GET").arg(name)), "theirs");
    }
}

#[test]
fn any_string_is_a_name_and_no_two_share_anything() {
    let Some(server) = server!() else { return };
    let long = ["long".repeat(2500), "long".repeat(2500) + "er"];
    let names = ["", "*", "?", "{", "}", "{}", "a:b", "a b", "a\0b", "ключ 鍵 🔑", "[a]", "g"];
    let names: Vec<_> = names.into_iter().map(str::to_owned).chain(long).collect();
    for round in 0..2 {
        for (n, name) in names.iter().enumerate() {
            let store = server.named(name).open::<String>().unwrap();
            assert_eq!(store.get(&1).unwrap(), (round > 0).then(|| n.to_string()), "{name:.20}");
            store.insert(&1, &n.to_string()).unwrap();
            assert_eq!(store.len().unwrap(), 1);
        }
    }
    server.named("*").open::<String>().unwrap().clear().unwrap();
    assert_eq!(server.named("a:b").open::<String>().unwrap().len().unwrap(), 1);
}

#[test]
fn versions_types_and_names_are_apart() {
    let Some(server) = server!() else { return };
    let texts = server.named("name").open::<String>().unwrap();
    let versioned = server.named("name").version(1).open::<String>().unwrap();
    let numbers = server.named("name").open::<u64>().unwrap();
    texts.insert(&1, &value(1)).unwrap();
    assert_eq!((versioned.get(&1).unwrap(), numbers.get(&1).unwrap()), (None, None));
    numbers.insert(&1, &7).unwrap();
    versioned.clear().unwrap();
    assert_eq!((texts.get(&1).unwrap(), numbers.get(&1).unwrap()), (Some(value(1)), Some(7)));
}

#[test]
fn a_value_that_is_too_long_is_not_kept_and_removes_what_it_would_have_replaced() {
    let Some(server) = server!() else { return };
    // rkyv adds 8 bytes.
    let store = server.named("name").max_value_bytes(1008).open::<String>().unwrap();
    let [longest, longer] = [1000, 1001].map(|length| "x".repeat(length));
    store.insert(&1, &longest).unwrap();
    assert!(store.get(&1).unwrap() == Some(longest));
    store.insert(&1, &longer).unwrap();
    assert_eq!((store.get(&1).unwrap(), store.len().unwrap()), (None, 0));
    let memo = server.named("memo").max_value_bytes(1000).wrap(|key: &u64| text(*key, 200));
    assert_eq!((memo.call(&1), memo.len().unwrap()), (text(1, 200), 0));
    assert_eq!(server.warnings(), [""; 0]);
}

#[test]
fn no_machine_uses_a_result_for_longer_than_its_own_ttl() {
    let Some(server) = server!() else { return };
    let [behind, ahead] = [ManualClock::new(), ManualClock::new()];
    ahead.advance(Duration::from_secs(20));
    let ttl = Duration::from_secs(60);
    let [one, other] =
        [&behind, &ahead].map(|clock| server.named("name").ttl(ttl).clock(clock.clock()).open::<String>().unwrap());
    other.insert(&1, &value(1)).unwrap();
    let found = one.get_with_ttl(&1).unwrap().unwrap();
    assert_eq!(found.ttl, Some(ttl));
    one.insert(&1, &value(1)).unwrap();
    let found = other.get_with_ttl(&1).unwrap().unwrap();
    assert!(found.ttl.unwrap() <= Duration::from_secs(40));
}
