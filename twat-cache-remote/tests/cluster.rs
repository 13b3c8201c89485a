//! A cluster: each cache is on one of its nodes, and stays right while it moves to another one.

mod common;

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::thread;
use std::time::Duration;

use common::{LIMIT, LONG, Server, hits, insert_all, value};
use twat_cache_core::testing::{Counted, Counter, block_on, counted, text, until, within};
use twat_cache_remote::redis::cmd;
use twat_cache_remote::{KeyedStore as _, Memo, RemoteBuilder, Standby, Store as _, rcache};

type Nodes = [Server; 3];
type Texts = Memo<Standby<String>, Counted<String>>;

/// One for the tests after which all nodes are there, and without a warning. Each has caches of its own.
fn shared() -> Option<&'static Nodes> {
    static SHARED: LazyLock<Option<Nodes>> = LazyLock::new(Server::start_cluster);
    // Where no server is installed, that is said for each test.
    SHARED.as_ref().or_else(|| server!().and(None))
}

/// A cache of which only these nodes are known.
fn cache<'a>(name: &str, known: impl IntoIterator<Item = &'a Server>) -> RemoteBuilder {
    let urls: Vec<_> = known.into_iter().map(|node| node.url()).collect();
    rcache(name).server(urls.join(", ")).timeout(LONG)
}

/// Which node has the cache of this name, which has been used.
fn owner(nodes: &Nodes, name: &str) -> usize {
    nodes.iter().position(|node| !node.names(&state(name)).is_empty()).unwrap()
}

/// What matches the name of the cache's state.
fn state(name: &str) -> String {
    format!("tc1:{{{name}:*}}:g")
}

fn warnings(nodes: &Nodes) -> Vec<String> {
    nodes.iter().flat_map(Server::warnings).collect()
}

/// A slot that one node gives to another.
struct Move<'a> {
    from: &'a Server,
    to: &'a Server,
    slot: u64,
}

impl<'a> Move<'a> {
    /// The slot of this cache.
    fn begin(from: &'a Server, to: &'a Server, name: &str) -> Self {
        let slot = from.ask(cmd("CLUSTER").arg("KEYSLOT").arg(from.names(&state(name))));
        let this = Self { from, to, slot };
        this.set(to, &["IMPORTING", &id(from)]);
        this.set(from, &["MIGRATING", &id(to)]);
        this
    }

    fn set(&self, at: &Server, state: &[&str]) {
        at.ask::<()>(cmd("CLUSTER").arg("SETSLOT").arg(self.slot).arg(state));
    }

    fn end(self) {
        loop {
            let names: Vec<String> = self.from.ask(cmd("CLUSTER").arg("GETKEYSINSLOT").arg(self.slot).arg(100));
            if names.is_empty() {
                break;
            }
            let mut migrate = cmd("MIGRATE");
            migrate.arg("127.0.0.1").arg(self.to.port()).arg("").arg(0).arg(10_000).arg("KEYS").arg(names);
            self.from.ask::<()>(&mut migrate);
        }
        for node in [self.to, self.from] {
            self.set(node, &["NODE", &id(self.to)]);
        }
    }
}

fn id(node: &Server) -> String {
    node.ask(cmd("CLUSTER").arg("MYID"))
}

/// A memo that knows all nodes, with some results, and its node and another one.
fn memo(nodes: &Nodes, timeout: Duration) -> (Texts, Arc<Counter>, [usize; 2]) {
    let (function, computed) = counted(value);
    let memo = cache("texts", nodes).timeout(timeout).wrap(function);
    (0..20).for_each(|key| assert_eq!(memo.call(&key), value(key)));
    let owner = owner(nodes, "texts");
    (memo, computed, [owner, (owner + 1) % 3])
}

#[test]
fn each_cache_is_found_through_any_node() {
    let Some(nodes) = shared() else { return };
    for number in 0..30 {
        let name = format!("cache {number}");
        let store = cache(&name, [&nodes[0]]).open::<String>().unwrap();
        insert_all(&store, 0..10);
        assert_eq!((hits(&store, 0..20), store.len().unwrap()), (10, 10));
        let elsewhere = cache(&name, [&nodes[1]]).open::<String>().unwrap();
        assert_eq!(elsewhere.len().unwrap(), 10);
        block_on(async {
            assert_eq!(elsewhere.get_async(&3_u64).await.unwrap(), Some(value(3)));
            assert!(elsewhere.remove_async(&3_u64).await.unwrap());
        });
        assert_eq!(hits(&store, 0..20), 9);
        store.clear().unwrap();
        assert_eq!(hits(&elsewhere, 0..20), 0);
        insert_all(&store, 0..10);
    }
    assert!(nodes.iter().all(|node| node.names("tc1:*").len() > 10));
    assert_eq!(warnings(nodes), [""; 0]);
}

#[test]
fn a_node_that_is_not_there_does_not_hide_the_others() {
    let Some(nodes) = shared() else { return };
    let away = Server::stopped(&[]);
    let memo = cache("beside", [&away, &nodes[0], &nodes[1]]).wrap(|key: &u64| value(*key));
    within(LIMIT, move || {
        assert_eq!(memo.call(&1), value(1));
        until("a node is found", || !memo.store().is_away());
        assert_eq!((memo.call(&1), memo.len().unwrap()), (value(1), 1));
        assert_eq!((warnings(nodes).len(), away.warnings().len()), (0, 1));
    });
}

#[test]
fn a_cache_whose_slot_has_moved_is_found_without_a_warning() {
    let Some(nodes) = shared() else { return };
    let (memo, computed, [from, to]) = memo(nodes, LONG);
    within(LIMIT, move || {
        for (from, to) in [(from, to), (to, from)] {
            Move::begin(&nodes[from], &nodes[to], "texts").end();
            (0..20).for_each(|key| assert_eq!(memo.call(&key), value(key)));
            assert!(memo.describe().contains(&nodes[to].name()), "{}", memo.describe());
        }
        assert_eq!((computed.get(), memo.len().unwrap(), memo.store().suppressed_errors()), (20, 20, 0));
        assert_eq!(warnings(nodes), [""; 0]);
    });
}

/// A long value is stored by several commands.
#[test]
fn a_result_whose_slot_moves_during_the_computation_is_stored() {
    let Some(nodes) = shared() else { return };
    for (name, length) in [("short", 10), ("long", 100_000)] {
        let computed = Counter::new();
        let memo = cache(name, [&nodes[0]]).wrap(|key: &u64| {
            computed.count();
            if *key == 1 {
                let from = owner(nodes, name);
                Move::begin(&nodes[from], &nodes[(from + 1) % 3], name).end();
            }
            text(*key, length)
        });
        for key in [0, 1, 1, 0, 2, 2] {
            assert_eq!(memo.call(&key), text(key, length));
        }
        assert_eq!((computed.get(), memo.len().unwrap()), (3, 3));
    }
    assert_eq!(warnings(nodes), [""; 0]);
}

#[test]
fn while_a_slot_is_being_moved_memory_serves() {
    let Some(nodes) = Server::start_cluster() else { return };
    let (memo, computed, [from, to]) = memo(&nodes, LONG);
    within(LIMIT, move || {
        let moving = Move::begin(&nodes[from], &nodes[to], "texts");
        for _ in 0..3 {
            (100..120).for_each(|key| assert_eq!(memo.call(&key), value(key)));
        }
        assert!(memo.store().is_away());
        // The first one was asked for before that was known.
        assert!(computed.get() <= 41, "{}", computed.get());
        assert!(memo.forget(&5).is_err());
        moving.end();
        until("the cache is found", || !memo.store().is_away());
        let before = computed.get();
        until("what was forgotten is removed", || {
            assert_eq!(memo.call(&5), value(5));
            computed.get() == before + 1 && memo.peek(&5).unwrap().is_some()
        });
        (0..20).for_each(|key| assert_eq!(memo.call(&key), value(key)));
        assert_eq!(computed.get(), before + 1);
        let warnings = warnings(&nodes);
        assert_eq!(warnings.len(), 1, "{warnings:#?}");
    });
}

#[test]
fn a_node_that_is_killed_and_starts_again_is_used_then() {
    let Some(mut nodes) = Server::start_cluster() else { return };
    let (memo, computed, [owner, _]) = memo(&nodes, Duration::from_secs(1));
    within(LIMIT, move || {
        nodes[owner].kill();
        for _ in 0..3 {
            (100..120).for_each(|key| assert_eq!(memo.call(&key), value(key)));
        }
        until("the node is away", || memo.store().is_away());
        assert!(computed.get() <= 42, "{}", computed.get());
        assert!(nodes[owner].run());
        until("the node is back", || {
            memo.call(&0);
            !memo.store().is_away() && memo.peek(&0).unwrap().is_some()
        });
        (0..20).for_each(|key| assert_eq!(memo.call(&key), value(key)));
        assert_eq!(memo.len().unwrap(), 20);
        assert_eq!(nodes[owner].warnings().len(), 1, "{:#?}", nodes[owner].warnings());
    });
}

#[test]
fn when_a_replica_takes_the_place_of_a_node_it_is_used() {
    let Some(mut nodes) = Server::start_cluster() else { return };
    let replica = Server::start_node().unwrap();
    let (memo, computed, [owner, other]) = memo(&nodes, Duration::from_secs(1));
    within(LIMIT, move || {
        let [_, bus]: [String; 2] = nodes[other].ask(cmd("CONFIG").arg("GET").arg("cluster-port"));
        replica.ask::<()>(cmd("CLUSTER").arg("MEET").arg("127.0.0.1").arg(nodes[other].port()).arg(bus));
        let mut replicate = cmd("CLUSTER");
        replicate.arg("REPLICATE").arg(id(&nodes[owner]));
        until("the replica knows the node", || replicate.query::<()>(&mut replica.connection()).is_ok());
        until("the replica has the entries", || replica.ask::<u64>(&mut cmd("DBSIZE")) >= 21);
        nodes[owner].kill();
        memo.call(&100);
        assert!(memo.store().is_away());
        until("the replica is used", || !memo.store().is_away());
        (0..20).for_each(|key| assert_eq!(memo.call(&key), value(key)));
        assert_eq!(computed.get(), 21, "what the replica has is found");
        assert!(memo.describe().contains(&replica.name()), "{}", memo.describe());
        assert_eq!((memo.call(&100), memo.call(&101)), (value(100), value(101)));
        assert_eq!(memo.len().unwrap(), 22);
    });
}

#[test]
fn copies_in_memory_are_outdated_on_the_new_node_of_a_cache() {
    let Some(nodes) = shared() else { return };
    let world = AtomicU64::new(1);
    let memo = cache("near", nodes).near(100).wrap(|_: &u64| world.load(Ordering::SeqCst));
    let is_in_memory = || memo.store().front().len().unwrap() > 0;
    memo.call(&1);
    until("the result is in memory", || memo.call(&1) == 1 && is_in_memory());
    let first = owner(nodes, "near");
    let second = (first + 1) % 3;
    for (value, from, to) in [(10, first, second), (20, second, first)] {
        Move::begin(&nodes[from], &nodes[to], "near").end();
        // It is not told of this by the node that has the cache no more.
        let other = cache("near", [&nodes[to]]).open::<u64>().unwrap();
        for value in value..value + 5 {
            other.insert(&1_u64, &value).unwrap();
            until("the new value is found", || memo.call(&1) == value);
        }
        world.store(value + 5, Ordering::SeqCst);
        assert!(other.remove(&1_u64).unwrap());
        until("it is computed again", || memo.call(&1) == value + 5);
    }
    assert_eq!(warnings(nodes), [""; 0]);
}

/// A node may not have noticed yet that another one is away.
#[test]
fn a_node_that_names_one_that_is_away_is_asked_again_without_more_warnings() {
    let [first, named] = [Server::stopped(&[]), Server::stopped(&[])];
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let node = format!("redis://{}/", listener.local_addr().unwrap());
    let (asked, moved) = (Arc::new(Counter::new()), format!("-MOVED 1 127.0.0.1:{}\r\n", named.port()));
    let count = asked.clone();
    thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let (moved, count) = (moved.clone(), count.clone());
            thread::spawn(move || {
                let mut bytes = [0; 4096];
                while let Ok(length @ 1..) = client.read(&mut bytes) {
                    let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
                    let answer = if text.contains("KEYSLOT") {
                        String::from(":1\r\n")
                    } else if text.contains("EXISTS") {
                        count.count();
                        moved.clone()
                    } else {
                        "+OK\r\n".repeat(text.matches("CLIENT").count())
                    };
                    client.write_all(answer.as_bytes()).unwrap();
                }
            });
        }
    });
    let memo = rcache("texts").server(format!("{},{node}", first.url())).wrap(|key: &u64| value(*key));
    assert_eq!(memo.call(&1), value(1));
    until("it is asked", || asked.get() > 0);
    until("the other one is asked several times", || memo.call(&1) == value(1) && asked.get() >= 4);
    assert_eq!((first.warnings().len(), named.warnings().len()), (1, 1));
}

/// Passes on what a node and its clients say, but not what the first client says after it has asked for a slot.
fn with_a_connection_that_leads_nowhere(node: &Server) -> u16 {
    let (listener, node) = (TcpListener::bind(("127.0.0.1", 0)).unwrap(), node.port());
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for (number, client) in listener.incoming().flatten().enumerate() {
            let server = TcpStream::connect(("127.0.0.1", node)).unwrap();
            let (mut asked, mut asking) = (server.try_clone().unwrap(), client.try_clone().unwrap());
            let (mut answering, mut answered) = (server, client);
            thread::spawn(move || std::io::copy(&mut answering, &mut answered));
            thread::spawn(move || {
                let (mut bytes, mut is_passed_on) = ([0; 4096], true);
                while let Ok(length @ 1..) = asking.read(&mut bytes) {
                    is_passed_on &= number > 0 || !String::from_utf8_lossy(&bytes[..length]).contains("KEYSLOT");
                    if is_passed_on {
                        asked.write_all(&bytes[..length]).unwrap();
                    }
                }
            });
        }
    });
    port
}

#[test]
fn a_node_whose_connection_leads_nowhere_is_connected_to_again() {
    let Some(nodes) = shared() else { return };
    let away = Server::stopped(&[]);
    let port = with_a_connection_that_leads_nowhere(&nodes[0]);
    let memo = rcache("nowhere").server(format!("{},redis://127.0.0.1:{port}/", away.url())).wrap(|key: &u64| *key);
    assert_eq!(memo.call(&1), 1);
    until("the cache is found", || !memo.store().is_away());
    assert_eq!((memo.call(&1), memo.len().unwrap()), (1, 1));
}

#[test]
fn servers_that_are_no_cluster_do_not_take_each_others_place() {
    let Some(mut first) = server!() else { return };
    let Some(second) = server!() else { return };
    let (function, computed) = counted(value);
    let memo = cache("texts", [&first, &second]).timeout(Duration::from_secs(1)).wrap(function);
    within(LIMIT, move || {
        memo.call(&1);
        first.kill();
        memo.call(&1);
        let was_asked = || second.ask::<String>(cmd("INFO").arg("commandstats")).contains("cluster|keyslot");
        until("the other server is asked", was_asked);
        assert!(second.names("*").is_empty() && memo.store().is_away());
        assert!(first.run());
        until("the server is back", || !memo.store().is_away());
        let before = computed.get();
        (0..2).for_each(|_| assert_eq!(memo.call(&1), value(1)));
        assert_eq!((computed.get(), memo.len().unwrap()), (before + 1, 1));
        assert_eq!((first.warnings().len(), second.warnings().len()), (1, 0));
    });
}
