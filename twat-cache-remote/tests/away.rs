//! The server is away, or is not a server: calls get the right values within their time, with one warning, and use the server
//! again when it is back.

mod common;

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use common::{LIMIT, Server, free_port, value};
use twat_cache_core::testing::{Counted, Counter, counted, record_logs, until, within};
use twat_cache_remote::redis::cmd;
use twat_cache_remote::{KeyedStore as _, Memo, Standby, Store as _, rcache};

type Texts = Memo<Standby<String>, Counted<String>>;

/// A memo on a server, which is to notice soon that it is away.
fn memo(server: &Server) -> (Texts, Arc<Counter>) {
    let (function, computed) = counted(value);
    (server.named("texts").timeout(Duration::from_secs(1)).wrap(function), computed)
}

fn call_all(memo: &Texts, keys: std::ops::Range<u64>) {
    keys.for_each(|key| assert_eq!(memo.call(&key), value(key)));
}

/// While the server is away, calls are right, and memory has the results. Once it `returns`, they are on the server.
fn serves_while_away(
    memo: &Texts,
    computed: &Counter,
    server: &mut Server,
    part: &str,
    returns: impl FnOnce(&mut Server),
) {
    call_all(memo, 100..101);
    until("the server is away", || memo.store().is_away());
    let before = computed.get();
    let begun = Instant::now();
    for _ in 0..3 {
        call_all(memo, 101..120);
    }
    assert!(begun.elapsed() < Duration::from_secs(1), "calls wait for the server: {:?}", begun.elapsed());
    assert_eq!(computed.get() - before, 19);
    server.assert_one_warning(part);
    assert!(memo.describe().contains("memory"), "{}", memo.describe());
    returns(server);
    until("the server is back", || !memo.store().is_away());
    let before = computed.get();
    call_all(memo, 101..120);
    assert_eq!(computed.get() - before, 19, "a result of the outage is used");
    call_all(memo, 101..120);
    assert_eq!(computed.get() - before, 19, "the server is not used");
    assert!(memo.len().unwrap() >= 19);
    server.assert_one_warning(part);
    let back = format!("{} is back", server.name());
    assert_eq!(record_logs().at(log::Level::Info, &back).len(), 1);
}

#[test]
fn a_server_that_starts_later_is_used_then() {
    let mut server = Server::stopped(&[]);
    let (memo, computed) = memo(&server);
    within(LIMIT, move || {
        if !server.run() {
            return;
        }
        server.kill();
        serves_while_away(&memo, &computed, &mut server, "refused", |server| assert!(server.run()));
    });
}

#[test]
fn a_server_that_is_killed_and_starts_again_empty_is_used_then() {
    let Some(mut server) = server!() else { return };
    let (memo, computed) = memo(&server);
    within(LIMIT, move || {
        call_all(&memo, 0..20);
        server.kill();
        serves_while_away(&memo, &computed, &mut server, "refused", |server| assert!(server.run()));
        call_all(&memo, 0..20);
        assert_eq!(memo.len().unwrap(), 39);
    });
}

#[test]
fn a_server_that_is_stopped_costs_one_wait_and_is_used_when_it_goes_on() {
    let Some(mut server) = server!() else { return };
    let (memo, computed) = memo(&server);
    within(LIMIT, move || {
        call_all(&memo, 0..20);
        server.signal("STOP");
        let begun = Instant::now();
        call_all(&memo, 0..1);
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
        serves_while_away(&memo, &computed, &mut server, "cannot use the server", |server| server.signal("CONT"));
        let before = computed.get();
        call_all(&memo, 0..20);
        assert_eq!(computed.get(), before);
    });
}

#[test]
fn threads_that_connect_to_a_stopped_server_wait_for_their_time_only() {
    let Some(server) = server!() else { return };
    let (memo, _) = memo(&server);
    within(LIMIT, move || {
        server.signal("STOP");
        let begun = Instant::now();
        thread::scope(|scope| {
            for key in 0..20 {
                let memo = &memo;
                scope.spawn(move || call_all(memo, key..key + 1));
            }
        });
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
        server.signal("CONT");
    });
}

#[test]
fn a_wrong_password_is_one_warning_without_the_password() {
    let Some(server) = server!("--requirepass", "right") else { return };
    let (function, computed) = counted(value);
    let url = format!("redis://:wrong-secret@127.0.0.1:{}/", server.port());
    let memo = rcache("texts").server(&url).wrap(function);
    for _ in 0..3 {
        call_all(&memo, 0..10);
    }
    assert_eq!(computed.get(), 10);
    server.assert_one_warning("uthentication");
    assert!(!server.warnings()[0].contains("secret"), "{:?}", server.warnings());
    let error = rcache("texts").server(url).open::<String>().unwrap_err();
    assert!(!format!("{error:?} {}", error.chain()).contains("secret"));
    let right =
        rcache("texts").server(format!("redis://:right@127.0.0.1:{}/", server.port())).open::<String>().unwrap();
    assert_eq!(right.len().unwrap(), 0);
}

#[test]
fn another_protocol_on_the_port_is_one_warning() {
    record_logs();
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 100]);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        }
    });
    let (function, computed) = counted(value);
    let memo = rcache("texts").server(format!("redis://127.0.0.1:{port}/")).wrap(function);
    within(LIMIT, move || {
        for _ in 0..3 {
            call_all(&memo, 0..10);
        }
        assert_eq!(computed.get(), 10);
        let warnings = record_logs().warnings(&format!("127.0.0.1:{port}"));
        assert_eq!(warnings.len(), 1, "{warnings:?}");
    });
}

#[test]
fn without_a_usable_url_there_is_one_warning_and_memory() {
    record_logs();
    for (name, url) in [("no url", ""), ("another url", "gopher://host"), ("half a url", "redis://:hidden@")] {
        let (function, computed) = counted(value);
        let memo = rcache(name).server(url).wrap(function);
        for _ in 0..3 {
            call_all(&memo, 0..10);
        }
        assert_eq!((computed.get(), memo.len().unwrap(), memo.describe()), (10, 10, "memory".to_owned()));
        assert!(memo.forget(&1).unwrap());
        assert_eq!(memo.call(&1), value(1));
        memo.clear().unwrap();
        assert_eq!((computed.get(), memo.len().unwrap()), (11, 0));
        let warnings = record_logs().warnings(&format!("{name:?}"));
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(!warnings[0].contains("hidden"), "{warnings:?}");
        assert!(memo.store().client().is_none());
        assert!(rcache(name).server(url).open::<String>().is_err());
    }
}

#[test]
fn the_bare_store_returns_errors_while_the_server_is_away() {
    let Some(mut server) = server!() else { return };
    let store = server.cache().open::<String>().unwrap();
    store.insert(&1, &value(1)).unwrap();
    server.kill();
    assert!(store.get(&1).is_err() && store.insert(&1, &value(1)).is_err() && store.remove(&1).is_err());
    assert!(store.clear().is_err() && store.len().is_err());
    let error = store.get(&1).unwrap_err();
    assert!(!error.kind().is_lasting() && error.chain().to_string().contains(&server.name()), "{}", error.chain());
    let url = format!("redis://127.0.0.1:{}/", free_port());
    assert!(rcache("name").server(url).open::<String>().is_err());
}

/// The value of a key at present.
fn versioned(version: &Arc<Counter>) -> Counted<String> {
    let version = version.clone();
    Box::new(move |key: &u64| format!("{key} of version {}", version.get()))
}

#[test]
fn what_is_forgotten_while_the_server_is_away_does_not_come_back() {
    let Some(server) = server!() else { return };
    let version = Arc::new(Counter::new());
    let [here, there] = [(); 2].map(|()| {
        // The second one has connections of its own.
        let url = if Arc::strong_count(&version) == 1 { server.url() } else { format!("{}0", server.url()) };
        rcache("texts").server(url).timeout(Duration::from_secs(1)).wrap(versioned(&version))
    });
    within(LIMIT, move || {
        for key in 0..5 {
            assert_eq!(here.call(&key), format!("{key} of version 0"));
        }
        version.count();
        server.signal("STOP");
        assert!(here.forget(&1).is_err());
        assert_eq!(here.refresh(&2), "2 of version 1");
        for _ in 0..2 {
            assert_eq!((here.call(&1), here.call(&2)), ("1 of version 1".to_owned(), "2 of version 1".to_owned()));
        }
        server.signal("CONT");
        until("the server is back", || !here.store().is_away());
        assert_eq!((here.call(&1), here.call(&2)), ("1 of version 1".to_owned(), "2 of version 1".to_owned()));
        until("they are removed on the server", || {
            [1, 2].iter().all(|key| there.peek(key).unwrap().is_none_or(|found| found.ends_with('1')))
        });
        assert_eq!(here.call(&3), "3 of version 0", "nothing else is removed");
        server.signal("STOP");
        assert!(here.clear().is_err());
        assert_eq!(here.call(&3), "3 of version 1");
        server.signal("CONT");
        until("all are removed on the server", || there.peek(&4).is_ok_and(|found| found.is_none()));
        assert_eq!(here.call(&4), "4 of version 1");
    });
}

#[test]
fn when_too_much_is_forgotten_while_the_server_is_away_nothing_from_before_is_used() {
    let Some(server) = server!() else { return };
    let version = Arc::new(Counter::new());
    let memo = server.named("texts").timeout(Duration::from_secs(1)).wrap(versioned(&version));
    let other = server.named("texts").open::<String>().unwrap();
    within(LIMIT, move || {
        for key in 0..3 {
            assert_eq!(memo.call(&key), format!("{key} of version 0"));
        }
        version.count();
        server.signal("STOP");
        // More than are remembered.
        (1000..1000 + (1 << 16)).chain(1..2).for_each(|key| assert!(memo.forget(&key).is_err()));
        server.signal("CONT");
        until("the server is back", || !memo.store().is_away());
        for _ in 0..2 {
            (0..3).for_each(|key| assert_eq!(memo.call(&key), format!("{key} of version 1")));
        }
        assert!(other.get(&0_u64).unwrap().is_some(), "nothing else is removed");
    });
}

#[test]
fn a_connection_that_the_server_has_closed_is_made_again_without_a_warning() {
    let Some(server) = server!() else { return };
    let (memo, computed) = memo(&server);
    call_all(&memo, 0..10);
    server.ask::<()>(cmd("CLIENT").arg("KILL").arg("TYPE").arg("normal").arg("SKIPME").arg("yes"));
    call_all(&memo, 0..10);
    assert_eq!(computed.get(), 10);
    assert_eq!(server.warnings(), [""; 0]);
}
