//! `#[rcache]` over a real server: which processes find a result, its options, its companions, and what it does without a server.
//! `decorators` has what all attributes have in common.

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::LazyLock;
use std::time::Duration;

use futures_lite::future::block_on;
use serde::{Deserialize, Serialize};
use twat_cache::remote::redis::cmd;
use twat_cache::{CacheValue, Call, mcache, rcache};
use twat_cache_core::testing::child::{Child, Task};
use twat_cache_core::testing::{Counter, PATIENCE, Server, record_logs, until, volatile_dir};

/// The server of this process. It is not there if none is installed.
static SERVER: LazyLock<Option<Server>> = LazyLock::new(Server::start);

fn server() -> String {
    SERVER.as_ref().map(Server::url).unwrap_or_default()
}

/// Skips a test where no server is installed.
macro_rules! need_server {
    () => {
        if SERVER.is_none() {
            let _said = Server::start();
            return;
        }
    };
}

static COMPUTED: [Counter; 12] = [const { Counter::new() }; 12];

/// Functions without the option `server`. They are called by children, which have the variable.
mod by_variable {
    use super::*;

    #[derive(Clone, Debug, PartialEq, CacheValue)]
    pub(super) struct Point {
        pub(super) x: f64,
        pub(super) name: String,
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    pub(super) struct OnlySerde(pub(super) u32, pub(super) PathBuf);

    #[rcache(timeout = PATIENCE)]
    pub(super) fn point(name: &str, x: f64) -> Result<Point, std::io::Error> {
        COMPUTED[0].count();
        Ok(Point { x, name: name.to_owned() })
    }

    #[rcache(timeout = PATIENCE)]
    pub(super) async fn by_serde(n: u32) -> Option<OnlySerde> {
        COMPUTED[0].count();
        Some(OnlySerde(n, "a//b".into()))
    }

    #[rcache(timeout = PATIENCE, serde)]
    pub(super) fn forced(text: String) -> Vec<char> {
        COMPUTED[0].count();
        text.chars().collect()
    }

    #[rcache(timeout = PATIENCE)]
    pub(super) fn parse<T: FromStr>(text: &str) -> Result<T, T::Err> {
        COMPUTED[0].count();
        text.parse()
    }

    #[derive(Clone, Debug, PartialEq, Eq, Hash, CacheValue)]
    pub(super) struct Shop(pub(super) u8);

    impl Shop {
        #[rcache(timeout = PATIENCE)]
        pub(super) fn price(&self, item: &str) -> usize {
            COMPUTED[0].count();
            usize::from(self.0) + item.len()
        }

        #[rcache(timeout = PATIENCE)]
        pub(super) async fn opens(n: u8) -> Self {
            COMPUTED[0].count();
            Self(n)
        }
    }
}

#[test]
fn another_process_finds_every_result() {
    const NAME: &str = "another_process_finds_every_result";
    if let Some(task) = Task::given() {
        use by_variable::{OnlySerde, Point, Shop, by_serde, forced, parse, point};
        for _ in 0..2 {
            assert_eq!(point("here", -0.0).unwrap(), Point { x: -0.0, name: "here".into() });
            assert_eq!(block_on(by_serde(2)), Some(OnlySerde(2, "a//b".into())));
            assert_eq!(forced("ab".into()), ['a', 'b']);
            assert_eq!((parse("7"), parse("7")), (Ok(7_u8), Ok(String::from("7"))));
            assert_eq!((Shop(1).price("tea"), Shop(2).price("tea")), (4, 5));
            assert_eq!(block_on(Shop::opens(3)), Shop(3));
        }
        return task.say(COMPUTED[0].get());
    }
    need_server!();
    let (dir, url) = (volatile_dir(), server());
    let start = || Child::with(NAME, dir.path(), [("TWAT_CACHE_SERVER", &url)]);
    assert_eq!(start().finish(), ["8"]);
    assert_eq!(start().finish(), ["0"]);
}

#[rcache(timeout = PATIENCE)]
fn slow(n: u64) -> u64 {
    std::thread::sleep(Duration::from_millis(300));
    COMPUTED[1].count();
    n * n
}

#[test]
fn of_processes_that_ask_at_once_one_computes() {
    const NAME: &str = "of_processes_that_ask_at_once_one_computes";
    if let Some(mut task) = Task::given() {
        assert_eq!(slow::len().unwrap(), 0);
        task.say("connected");
        task.order();
        assert_eq!(slow(12), 144);
        return task.say(COMPUTED[1].get());
    }
    need_server!();
    let (dir, url) = (volatile_dir(), server());
    let mut children = [(); 3].map(|()| Child::with(NAME, dir.path(), [("TWAT_CACHE_SERVER", &url)]));
    for child in &mut children {
        assert_eq!(child.hear().as_deref(), Some("connected"));
    }
    for child in &mut children {
        child.tell("compute");
    }
    assert_eq!(children.iter_mut().map(Child::hear_number).sum::<u64>(), 1);
    for child in children {
        assert_eq!(child.finish(), [""; 0]);
    }
}

#[rcache(name = "nowhere")]
fn nowhere(n: u32) -> usize {
    let _ = n;
    COMPUTED[2].count()
}

#[test]
fn without_a_server_there_is_one_warning_and_memory() {
    const NAME: &str = "without_a_server_there_is_one_warning_and_memory";
    if let Some(task) = Task::given() {
        let logs = record_logs();
        assert_eq!((nowhere(1), nowhere(1), nowhere(2), nowhere::len().unwrap()), (0, 0, 1, 2));
        assert_eq!((nowhere::refresh(1), nowhere(1), nowhere::peek(2).unwrap()), (2, 2, Some(1)));
        assert!(nowhere::forget(1).unwrap());
        nowhere::clear().unwrap();
        assert_eq!((nowhere(2), nowhere::memo().describe()), (3, "memory".to_owned()));
        assert!(nowhere::store().client().is_none() && nowhere::store().is_away());
        return task.say_all(logs.warnings(""));
    }
    let dir = volatile_dir();
    let child = Child::start_with(NAME, dir.path(), |binary| {
        let mut command = std::process::Command::new(binary);
        command.env_remove("TWAT_CACHE_SERVER");
        command
    });
    let warnings = child.finish();
    let [warning] = &*warnings else { panic!("{warnings:#?}") };
    assert!(warning.contains("\"nowhere\"") && warning.contains("TWAT_CACHE_SERVER"), "{warning}");
}

#[rcache(server = "redis://127.0.0.1:1/", name = "refused")]
fn refused(n: u32) -> Result<u32, String> {
    COMPUTED[3].count();
    if n > 0 { Ok(n) } else { Err("none".into()) }
}

#[test]
fn while_the_server_is_away_memory_serves() {
    let logs = record_logs();
    for _ in 0..2 {
        assert_eq!((refused(1), refused(2), refused(0)), (Ok(1), Ok(2), Err("none".into())));
    }
    assert!(refused::store().is_away());
    assert_eq!(COMPUTED[3].get(), 4, "only errors are computed again");
    assert!(refused::forget(1).is_err(), "the server may have it");
    assert_eq!((refused(1), COMPUTED[3].get()), (Ok(1), 5));
    assert_eq!(logs.warnings("127.0.0.1:1").len(), 1);
}

#[rcache(server = server(), timeout = PATIENCE, near = 100)]
fn nearby(n: u32) -> u32 {
    COMPUTED[11].count();
    n * 2
}

#[test]
fn with_the_option_near_copies_are_in_memory() {
    need_server!();
    until("a copy is in memory", || nearby(1) == 2 && nearby::store().front().cache().len() == 1);
    assert_eq!((nearby(1), COMPUTED[11].get()), (2, 1));
    assert!(nearby::forget(1).unwrap());
    assert_eq!((nearby(1), COMPUTED[11].get(), nearby::len().unwrap()), (2, 2, 1));
}

#[rcache(server = server(), timeout = PATIENCE)]
async fn eventually(n: u32, text: &str) -> Result<String, String> {
    futures_lite::future::yield_now().await;
    COMPUTED[4].count();
    if n > 0 { Ok(text.repeat(n as usize)) } else { Err("none".into()) }
}

#[test]
fn the_companion_of_an_async_function_answers_tasks() {
    need_server!();
    block_on(async {
        assert_eq!(eventually::peek_async(2, "a").await.unwrap(), None);
        assert_eq!((eventually(2, "a").await, eventually(2, "a").await), (Ok("aa".into()), Ok("aa".into())));
        assert_eq!((eventually(0, "a").await, COMPUTED[4].get()), (Err("none".into()), 2));
        assert_eq!(eventually::peek_async(2, "a").await.unwrap().as_deref(), Some("aa"));
        eventually::insert_async(3, "b", "given".into()).await.unwrap();
        assert_eq!((eventually(3, "b").await.as_deref(), eventually::len_async().await.unwrap()), (Ok("given"), 2));
        assert_eq!(
            (eventually::forget_async(3, "b").await.unwrap(), eventually::forget(3, "b").unwrap()),
            (true, false)
        );
        assert_eq!(eventually::refresh(1, "c").await.as_deref(), Ok("c"));
        eventually::clear_async().await.unwrap();
        assert_eq!((eventually::len_async().await.unwrap(), eventually::peek(2, "a").unwrap()), (0, None));
    });
}

#[mcache]
async fn in_memory(n: u32) -> u32 {
    n
}

#[rcache(server = server(), timeout = PATIENCE)]
async fn on_server(text: &str) -> usize {
    text.len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_futures_of_a_companion_can_be_sent() {
    let task = tokio::spawn(async {
        in_memory(1).await;
        in_memory::insert_async(2, 7).await.unwrap();
        let found = (in_memory::peek_async(2).await.unwrap(), in_memory::len_async().await.unwrap());
        assert!(in_memory::forget_async(1).await.unwrap());
        in_memory::clear_async().await.unwrap();
        found
    });
    assert_eq!(task.await.unwrap(), (Some(7), 2));
    if SERVER.is_some() {
        let task = tokio::spawn(async { (on_server("x").await, on_server::peek_async("x").await.unwrap()) });
        assert_eq!(task.await.unwrap(), (1, Some(1)));
    }
}

const HOUR: Duration = Duration::from_secs(3600);

#[rcache(server = server(), timeout = PATIENCE, ttl = Duration::ZERO)]
fn no_time(n: u32) -> usize {
    let _ = n;
    COMPUTED[5].count()
}

#[rcache(server = server(), timeout = PATIENCE, max_value_bytes = 100)]
fn short(n: usize) -> String {
    COMPUTED[6].count();
    "a".repeat(n)
}

#[rcache(
    server = server(),
    timeout = PATIENCE,
    name = "all options",
    version = (1, 'x'),
    depends(short, Vec<u8>),
    ttl = HOUR,
    stale = HOUR,
    ttl_by = |found| if found.len() > 2 { Duration::ZERO } else { HOUR },
    keep_if = |found| !found.is_empty(),
    patience = Duration::from_secs(1),
    skip(quiet),
    companion = options_cache
)]
fn all_options(n: usize, quiet: bool) -> Result<String, String> {
    let _ = quiet;
    COMPUTED[7].count();
    Ok("a".repeat(n))
}

#[rcache(server = server(), timeout = PATIENCE, key = n / 10)]
fn by_key(n: u32) -> usize {
    let _ = n;
    COMPUTED[8].count()
}

#[cfg(feature = "compress")]
#[rcache(server = server(), timeout = PATIENCE, compress, max_value_bytes = 1000)]
fn compressed(n: usize) -> Vec<String> {
    COMPUTED[10].count();
    vec!["to be or not to be".into(); n]
}

#[cfg(feature = "compress")]
#[test]
fn results_may_be_compressed() {
    need_server!();
    for _ in 0..2 {
        assert_eq!(compressed(1000), ["to be or not to be"; 1000]);
    }
    assert_eq!((COMPUTED[10].get(), compressed::len().unwrap()), (1, 1));
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Shop(String);

impl Shop {
    #[rcache(server = server(), timeout = PATIENCE, memo = prices)]
    async fn price(&self, item: &str) -> Result<usize, String> {
        COMPUTED[9].count();
        Ok(self.0.len() + item.len())
    }
}

#[test]
fn options_are_those_of_the_builder() {
    need_server!();
    assert_eq!((no_time(1), no_time(1)), (0, 1));
    assert_eq!((short(200).len(), short(200).len(), short(10).len(), short(10).len()), (200, 200, 10, 10));
    assert_eq!((COMPUTED[6].get(), short::len().unwrap()), (3, 1));
    for n in 0..4 {
        assert_eq!([true, false].map(|quiet| all_options(n, quiet).unwrap().len()), [n; 2]);
    }
    assert_eq!((COMPUTED[7].get(), options_cache::len().unwrap()), (2 + 1 + 1 + 2, 2));
    assert_eq!((by_key(10), by_key(19), by_key(20)), (0, 0, 1));
}

#[test]
fn a_method_has_controls() {
    need_server!();
    let shop = Shop("Riga".into());
    block_on(async {
        assert_eq!((shop.price("tea").await, shop.price("tea").await, COMPUTED[9].get()), (Ok(7), Ok(7), 1));
        assert_eq!(Shop::prices().peek_async(&Call((&shop, "tea"))).await.unwrap(), Some(7));
        assert!(Shop::prices().forget_async(&Call((&shop, "tea"))).await.unwrap());
    });
    assert_eq!(Shop::prices().peek(&Call((&shop, "tea"))).unwrap(), None);
}

#[test]
fn the_engine_can_be_reached() {
    need_server!();
    assert_eq!(by_key(100), by_key(100));
    let mut connection = by_key::store().client().unwrap().get_connection().unwrap();
    let size: u64 = cmd("DBSIZE").query(&mut connection).unwrap();
    assert!(size > 0);
    assert!(by_key::memo().describe().contains(server().trim_end_matches('/')), "{}", by_key::memo().describe());
}
