//! Compares `rcache` with the bare client, redis, on a server of its own.
//!
//! `cargo bench -p twat-cache-benches --features remote --bench remote` prints tables of `BENCHMARKS.md`. With `-- --check`, it
//! fails if a bound does not hold. `-- --hits` and similar options choose parts. It needs `redis-server`.
//! `python3 benches/python/aiocache_hits.py` measures aiocache beside it.

#[path = "remote/away.rs"]
mod away;
#[path = "shared/child.rs"]
#[allow(dead_code, reason = "the bench `shared` uses more of it")]
mod child;
#[path = "remote/peers.rs"]
mod peers;
#[path = "remote/server.rs"]
mod server;

use std::future::{Future, pending};
use std::hint::black_box;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use server::{Server, cache};
use tokio::runtime::{Builder, Runtime};
use twat_cache_benches::{Effort, Limit, Race, Report, Turn, asked_for, sample};
use twat_cache_mem::mcache;
use twat_cache_remote::KeyedStore as _;
use twat_cache_remote::redis::aio::MultiplexedConnection;
use twat_cache_remote::redis::{AsyncConnectionConfig, cmd};

const LENGTHS: [usize; 2] = [100, 10_000];
const RCACHE: &str = "**`rcache`**";

/// The option that chooses a part of the bench, and that part.
type Part<'a> = (&'static str, &'a dyn Fn(&mut Report, &Server));

fn main() -> ExitCode {
    if let Some(task) = child::Task::given() {
        return away::one_of_many(&task);
    }
    let effort = match Effort::from_args() {
        touch if touch.is_touch() => touch,
        full => Effort { setups: 3, rounds: 101, ..full },
    };
    let mut report = Report::new(effort);
    let Some(server) = Server::start() else {
        report.note("Nothing is measured, because `redis-server` is not installed.");
        return ExitCode::SUCCESS;
    };
    let parts: [Part<'_>; 6] = [
        ("hits", &|report, server| {
            for length in LENGTHS {
                hits(report, effort, server, length);
            }
        }),
        ("stores", &|report, server| {
            for length in LENGTHS {
                stores(report, effort, server, length);
            }
        }),
        ("near", &|report, server| near(report, effort, server)),
        ("cold", &away::cold),
        ("stopped", &away::stopped),
        ("timers", &away::timers),
    ];
    let chosen = |part: &str| asked_for(&format!("--{part}"));
    let all = !parts.iter().any(|(part, _)| chosen(part));
    for (_, run) in parts.iter().filter(|(part, _)| all || chosen(part)) {
        run(&mut report, &server);
    }
    report.finish()
}

/// A connection whose runtime is on a thread of its own, as that of `rcache` is.
fn connection_elsewhere(server: &Server) -> MultiplexedConnection {
    let (give, take) = mpsc::channel();
    let client = server.client();
    thread::spawn(move || {
        runtime().block_on(async {
            let config = AsyncConnectionConfig::new().set_response_timeout(None);
            give.send(client.get_multiplexed_async_connection_with_config(&config).await).expect("it is awaited");
            pending::<()>().await;
        });
    });
    take.recv().expect("it is sent").expect("the server runs")
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("there are threads")
}

/// A turn of one operation after the other, by a task.
fn in_task<'a, F: Future>(runtime: &'a Runtime, mut operate: impl FnMut() -> F + 'a) -> Turn<'a> {
    Box::new(move |laps| {
        let start = Instant::now();
        runtime.block_on(async {
            for _ in 0..laps {
                black_box(operate().await);
            }
        });
        start.elapsed()
    })
}

fn in_thread<'a, T>(mut operate: impl FnMut() -> T + 'a) -> Turn<'a> {
    Box::new(move |laps| {
        let start = Instant::now();
        (0..laps).for_each(|_| _ = black_box(operate()));
        start.elapsed()
    })
}

fn hits(report: &mut Report, effort: Effort, server: &Server, length: usize) {
    let value = sample::text(1, length);
    cmd("SET").arg("raw").arg(&value).exec(&mut server.connection()).expect("the server runs");
    let name = format!("hits of {length}");
    let memo = cache(server.port).version(&name).wrap(move |key: &u64| sample::text(*key, length));
    assert_eq!(memo.call(&1), value);
    let [get, here, there] = ["`GET`", "`GET`, a connection of its runtime", "`GET`, a connection of another thread"];

    let mut race = Race::new(1);
    race.add(get, || {
        let mut connection = server.connection();
        in_thread(move || cmd("GET").arg("raw").query::<String>(&mut connection).expect("the server runs"))
    });
    race.add(RCACHE, || in_thread(|| memo.call(&1)));
    #[cfg(feature = "peers")]
    race.add(peers::CACHED, || {
        let cached = peers::cached(server, &value);
        in_thread(move || peers::get(&cached))
    });
    let threads = race.run(effort);
    report.section(&format!("`rcache`: hits of {length} B by a thread"));
    report.race(&threads);

    let runtime = runtime();
    let elsewhere = connection_elsewhere(server);
    let own = runtime.block_on(server.client().get_multiplexed_async_connection()).expect("the server runs");
    let query = |mut connection: MultiplexedConnection| async move {
        cmd("GET").arg("raw").query_async::<String>(&mut connection).await.expect("the server runs")
    };
    let tasks = cache(server.port).version(&name).wrap_async(async |key: &u64| sample::text(*key, length));
    let mut race = Race::new(1);
    race.add(there, || in_task(&runtime, || query(elsewhere.clone())));
    race.add(here, || in_task(&runtime, || query(own.clone())));
    race.add(RCACHE, || in_task(&runtime, || tasks.call_async(&1)));
    let async_hits = race.run(effort);
    report.section(&format!("`rcache`: hits of {length} B by a task"));
    report.race(&async_hits);

    peers::aiocache(report, server, length);

    let what = |what: &str| format!("`rcache`, hit of {length} B by {what}");
    report.bound(what("a thread, against `GET`"), threads.ratio(RCACHE, get).median, Limit::AtMost(1.15));
    for (base, place) in [(there, "another thread's"), (here, "its runtime's")] {
        let ratio = async_hits.ratio(RCACHE, base).median;
        report.bound(what(&format!("a task, against `GET` on {place} connection")), ratio, Limit::AtMost(1.25));
    }
}

/// A turn in which each lap stores some new values.
fn over_new<'a, T>(prepare: impl Fn(u64) -> T + 'a, mut store: impl FnMut(T) + 'a) -> Turn<'a> {
    static NEXT: AtomicU64 = AtomicU64::new(1 << 32);
    Box::new(move |laps| {
        let mut time = Duration::ZERO;
        for _ in 0..laps {
            let first = NEXT.fetch_add(20, Ordering::Relaxed);
            let new: Vec<_> = (first..first + 20).map(&prepare).collect();
            let start = Instant::now();
            new.into_iter().for_each(&mut store);
            time += start.elapsed();
        }
        time
    })
}

/// Storing the result of a computation that has begun. The raw keys are as long as those of `rcache`.
fn stores(report: &mut Report, effort: Effort, server: &Server, length: usize) {
    let value = sample::text(1, length);
    let store = cache(server.port).version(length).open::<String>().expect("the server runs");
    let mut race = Race::new(20);
    race.add("`SET`", || {
        let (mut connection, value) = (server.connection(), &value);
        let set = move |name: String| {
            cmd("SET").arg(name).arg(value).arg("PX").arg(86_400_000).exec(&mut connection).expect("the server runs");
        };
        over_new(|key| format!("tc1:{{bench:0123456789abcdef}}:{key:032x}"), set)
    });
    race.add(RCACHE, || {
        over_new(
            |key| (key, store.begin(&key)),
            |(key, ticket)| {
                assert!(store.insert_begun(&key, &value, None, ticket).expect("the server runs"), "it is current");
            },
        )
    });
    let outcome = race.run(effort);
    report.section(&format!("`rcache`: stores of {length} B"));
    report.race(&outcome);
    let ratio = outcome.ratio(RCACHE, "`SET`").median;
    report.bound(format!("`rcache`, store of {length} B, against `SET`"), ratio, Limit::AtMost(1.25));
}

fn near(report: &mut Report, effort: Effort, server: &Server) {
    const DAY: Duration = Duration::from_hours(24);
    let keys = sample::numbers(1000);
    let [plain, with_ttl] = [mcache().max_entries(10_000), mcache().max_entries(10_000).ttl(DAY)]
        .map(|builder| builder.wrap(|key: &u64| sample::text(*key, 100)));
    let memo = cache(server.port).version("near").near(10_000).wrap(|key: &u64| sample::text(*key, 100));
    // The server needs to be followed before copies are used.
    let until = Instant::now() + Duration::from_secs(1);
    while Instant::now() < until {
        for key in &keys {
            black_box(memo.call(key));
        }
    }
    let [name, name_with_ttl] = ["`mcache`", "`mcache`, with a TTL"];
    let near = "**`rcache`**, near";
    let mut race = Race::new(keys.len());
    race.add(name, || twat_cache_benches::over(&keys, |key| _ = black_box(plain.call(key))));
    race.add(name_with_ttl, || twat_cache_benches::over(&keys, |key| _ = black_box(with_ttl.call(key))));
    race.add(near, || twat_cache_benches::over(&keys, |key| _ = black_box(memo.call(key))));
    let outcome = race.run(effort);
    report.section("`rcache`: hits of 100 B in memory");
    report.race(&outcome);
    for base in [name, name_with_ttl] {
        let ratio = outcome.ratio(near, base).median;
        report.bound(format!("`rcache`, near hit, against {base}"), ratio, Limit::AtMost(1.20));
    }
}
