//! A server that is very slow: a call takes as long as its limit at most, and then does without the server.

mod common;

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::{LIMIT, Server, value};
use twat_cache_core::testing::{block_on, record_logs, until, within};
use twat_cache_remote::rcache;

/// What a call may take here. An answer takes more than four seconds when it is slow.
const TIMEOUT: Duration = Duration::from_secs(1);
const SOON: Duration = Duration::from_secs(3);

/// Passes on what a server and its clients say, and lets answers wait. While it is slow, they take 100 ms for each byte.
struct Proxy {
    port: u16,
    is_slow: Arc<AtomicBool>,
}

impl Proxy {
    fn of(server: &Server, is_slow: bool, delay: Duration) -> Self {
        record_logs();
        let (listener, is_slow) = (TcpListener::bind(("127.0.0.1", 0)).unwrap(), Arc::new(AtomicBool::new(is_slow)));
        let proxy = Self { port: listener.local_addr().unwrap().port(), is_slow: is_slow.clone() };
        let port = server.port();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else { return };
                let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                thread::spawn(move || pass_on(from, to, &AtomicBool::new(false), Duration::ZERO));
                let is_slow = is_slow.clone();
                thread::spawn(move || pass_on(server, client, &is_slow, delay));
            }
        });
        proxy
    }

    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    fn warnings(&self) -> usize {
        record_logs().warnings(&format!("127.0.0.1:{}", self.port)).len()
    }
}

fn pass_on(mut from: TcpStream, mut to: TcpStream, is_slow: &AtomicBool, delay: Duration) {
    to.set_nodelay(true).unwrap();
    let mut bytes = [0; 4096];
    while let Ok(length @ 1..) = from.read(&mut bytes) {
        thread::sleep(delay);
        let slow = is_slow.load(Ordering::SeqCst);
        for part in bytes[..length].chunks(if slow { 1 } else { length }) {
            if to.write_all(part).is_err() {
                let _ = from.shutdown(Shutdown::Both);
                return;
            }
            if slow {
                thread::sleep(Duration::from_millis(100));
            }
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}

/// Calls `call` with the server slow from the start, and from when it has a result. It is used again when it is fast.
fn calls_end_in_time(call: impl Fn(&str, u64) -> String + Send + 'static) {
    let Some(server) = server!() else { return };
    within(LIMIT, move || {
        for is_slow_at_first in [true, false] {
            let proxy = Proxy::of(&server, is_slow_at_first, Duration::ZERO);
            if !is_slow_at_first {
                assert_eq!(call(&proxy.url(), 1), value(1));
                proxy.is_slow.store(true, Ordering::SeqCst);
            }
            let begun = Instant::now();
            assert_eq!(call(&proxy.url(), 1), value(1));
            assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
            let begun = Instant::now();
            (0..10).for_each(|key| assert_eq!(call(&proxy.url(), key), value(key)));
            assert!(begun.elapsed() < TIMEOUT / 2, "the server is asked while it is away: {:?}", begun.elapsed());
            assert_eq!(proxy.warnings(), 1);
            proxy.is_slow.store(false, Ordering::SeqCst);
            let probe = rcache("probe").server(proxy.url()).with_memory::<u64>();
            until("the server is back", || !probe.is_away());
            assert_eq!(call(&proxy.url(), 20), value(20));
            assert_eq!(proxy.warnings(), 1);
        }
    });
}

#[test]
fn threads_do_not_wait_longer_than_their_limit() {
    let memos = parking_lot::Mutex::new(std::collections::HashMap::new());
    calls_end_in_time(move |url, key| {
        let mut memos = memos.lock();
        let new = || rcache("slow").server(url).timeout(TIMEOUT).wrap(|key: &u64| value(*key));
        memos.entry(url.to_owned()).or_insert_with(new).call(&key)
    });
}

#[test]
fn tasks_do_not_wait_longer_than_their_limit() {
    let memos = parking_lot::Mutex::new(std::collections::HashMap::new());
    calls_end_in_time(move |url, key| {
        let mut memos = memos.lock();
        let new = || rcache("slow").server(url).timeout(TIMEOUT).wrap_async(async |key: &u64| value(*key));
        block_on(memos.entry(url.to_owned()).or_insert_with(new).call_async(&key))
    });
}

/// An answer is in time, and so is a new connection, but not both together.
#[test]
fn a_server_that_is_far_away_is_used_again_when_it_is_back() {
    let Some(server) = server!() else { return };
    let proxy = Proxy::of(&server, false, Duration::from_millis(600));
    let memo = rcache("far").server(proxy.url()).timeout(Duration::from_secs(4)).wrap(|key: &u64| value(*key));
    within(LIMIT, move || {
        assert_eq!(memo.call(&1), value(1));
        assert!(memo.peek(&1).unwrap().is_some());
        proxy.is_slow.store(true, Ordering::SeqCst);
        assert!(memo.forget(&1).is_err() && memo.store().is_away());
        proxy.is_slow.store(false, Ordering::SeqCst);
        until("the server is back", || !memo.store().is_away());
    });
}
