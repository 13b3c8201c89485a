//! The companion of a function, in the type namespace: what `fib::clear()` and its like do.

use std::path::PathBuf;

use futures_lite::future::block_on;
use twat_cache::store::KeyedStore as _;
use twat_cache::{bcache, fcache, mcache, rcache, scache, ucache};
use twat_cache_core::testing::{Counter, PATIENCE};

fn dir() -> PathBuf {
    crate::dir("companion")
}

macro_rules! companions {
    ($($name:ident: $attribute:meta;)+) => {
        $(
            mod $name {
                use super::*;

                static COMPUTED: Counter = Counter::new();

                #[$attribute]
                pub(crate) fn $name(n: u32, text: &str) -> String {
                    let before = COMPUTED.count();
                    format!("{text} {n} {before}")
                }

                #[test]
                fn the_companion_controls_the_cache() {
                    assert_eq!($name::peek(1, "a").unwrap(), None);
                    assert_eq!(COMPUTED.get(), 0, "a peek never computes");
                    assert_eq!($name(1, "a"), "a 1 0");
                    assert_eq!($name(2, "a"), "a 2 1");
                    assert_eq!($name::peek(1, "a").unwrap().as_deref(), Some("a 1 0"));
                    assert_eq!($name::len().unwrap(), 2);

                    assert_eq!($name::uncached(1, "a"), "a 1 2");
                    assert_eq!($name(1, "a"), "a 1 0", "remembers nothing of that");
                    assert_eq!($name::refresh(1, "a"), "a 1 3");
                    assert_eq!($name(1, "a"), "a 1 3");

                    assert!($name::forget(1, "a").unwrap());
                    assert!(!$name::forget(1, "a").unwrap());
                    assert_eq!(($name(1, "a"), $name(2, "a")), ("a 1 4".into(), "a 2 1".into()));

                    $name::insert(1, "a", "given".into()).unwrap();
                    assert_eq!(($name(1, "a"), $name::peek(1, "a").unwrap()), ("given".into(), Some("given".into())));

                    $name::clear().unwrap();
                    assert_eq!($name::len().unwrap(), 0);
                    assert_eq!($name(2, "a"), "a 2 5");
                }
            }
        )+
    };
}

companions! {
    in_memory: mcache;
    on_disk: bcache(dir = dir());
    shared: scache(dir = dir());
    in_files: fcache(dir = dir());
    remote: rcache(server = crate::server(), timeout = PATIENCE);
    wherever: ucache(dir = dir());
}

#[test]
fn the_companion_is_visible_wherever_its_function_is() {
    // Of other modules, `pub(crate)`.
    in_memory::in_memory::memo();
    let _ = on_disk::on_disk::store();
    assert!(wherever::wherever::peek(1, "none").unwrap().is_none());
}

mod inner {
    pub(super) mod deepest {
        #[twat_cache::mcache]
        pub(in crate::companion) fn restricted(n: u32) -> u32 {
            n
        }

        #[twat_cache::mcache]
        pub(super) fn of_the_parent(n: u32) -> u32 {
            n
        }
    }

    pub(super) fn of_the_parent() -> usize {
        let value = deepest::of_the_parent(1);
        deepest::of_the_parent::len().unwrap() + deepest::of_the_parent::uncached(value) as usize
    }
}

#[test]
fn visibility_may_be_restricted() {
    use inner::deepest::restricted;
    assert_eq!((restricted(1), restricted::refresh(1), restricted::len().unwrap()), (1, 1, 1));
    assert_eq!(inner::of_the_parent(), 2);
}

#[fcache(dir = dir())]
fn large(n: u64) -> Vec<u64> {
    vec![n; 1 << 17]
}

#[fcache(dir = dir())]
fn fallible(n: u64) -> Result<Vec<u64>, String> {
    if n == 0 { Err("none".into()) } else { Ok(vec![n; 10]) }
}

#[fcache(dir = dir())]
async fn large_async(text: &str) -> std::io::Result<String> {
    Ok(text.repeat(10))
}

#[test]
fn the_companion_of_an_fcache_gives_views() {
    let view = large::view(3);
    assert_eq!((view.len(), view[7].to_native()), (1 << 17, 3));
    assert_eq!(large::len().unwrap(), 1);
    assert_eq!(fallible::view(3).unwrap().len(), 10);
    assert_eq!(fallible::view(0).map(|view| view.len()), Err("none".into()));
    assert_eq!(block_on(large_async::view("ab")).unwrap().len(), 20);
}

#[mcache]
async fn eventually(text: &str) -> Result<usize, String> {
    static COMPUTED: Counter = Counter::new();
    futures_lite::future::yield_now().await;
    if text.is_empty() { Err("empty".into()) } else { Ok(COMPUTED.count()) }
}

#[test]
fn the_companion_of_an_async_function_computes_asynchronously() {
    block_on(async {
        assert_eq!(eventually("a").await, Ok(0));
        assert_eq!(eventually::uncached("a").await, Ok(1));
        assert_eq!(eventually::refresh("a").await, Ok(2));
        assert_eq!(eventually("a").await, Ok(2));
        assert_eq!(eventually::refresh("").await, Err("empty".into()));
    });
    // What computes nothing is not async.
    assert_eq!(eventually::peek("a").unwrap(), Some(2));
    assert_eq!((eventually::forget("a").unwrap(), eventually::len().unwrap()), (true, 0));
}

#[mcache]
fn refreshed(n: u32) -> Result<u32, String> {
    static COMPUTED: Counter = Counter::new();
    if COMPUTED.count() == 1 { Err("the second time".into()) } else { Ok(n) }
}

#[test]
fn a_refresh_that_fails_keeps_the_entry() {
    assert_eq!(refreshed(1), Ok(1));
    assert_eq!(refreshed::refresh(1), Err("the second time".into()));
    assert_eq!(refreshed::peek(1).unwrap(), Some(1));
}

/// It can be neither made nor copied where no result is computed.
struct Connection;

#[mcache(skip(connection, buffer))]
fn skipping<'a>(connection: &'a Connection, n: u32, buffer: &mut Vec<u8>) -> Result<usize, String> {
    let _ = (connection, n);
    buffer.push(0);
    Ok(buffer.len())
}

#[mcache(key = (user.0, format!("{page}")))]
fn keyed(connection: Connection, user: &(u32, Connection), page: u8, (first, _): (u8, u8)) -> u8 {
    let (Connection, _) = (connection, user);
    page + first
}

#[mcache(key = first)]
fn keyed_by_a_part(Connection: Connection, (first, rest): (u8, Connection)) -> u8 {
    let Connection = rest;
    first
}

#[test]
fn what_computes_nothing_takes_only_arguments_in_the_key() {
    assert_eq!(skipping(&Connection, 1, &mut Vec::new()), Ok(1));
    assert_eq!(skipping::peek(1).unwrap(), Some(1));
    skipping::insert(1, 7).unwrap();
    assert_eq!(skipping(&Connection, 1, &mut Vec::new()), Ok(7));
    assert!(skipping::forget(1).unwrap());

    let user = (1, Connection);
    assert_eq!(keyed(Connection, &user, 2, (3, 4)), 5);
    assert_eq!(keyed::peek(&user, 2).unwrap(), Some(5));
    keyed::insert(&user, 2, 6).unwrap();
    assert_eq!(keyed(Connection, &user, 2, (0, 0)), 6);
    assert!(keyed::forget(&user, 2).unwrap());

    assert_eq!(keyed_by_a_part(Connection, (1, Connection)), 1);
    assert_eq!(keyed_by_a_part::peek((1, Connection)).unwrap(), Some(1));
}

#[mcache]
fn named_as_our_parameter(value: u32) -> String {
    value.to_string()
}

#[test]
fn an_argument_may_have_any_name() {
    named_as_our_parameter::insert(1, "one".into()).unwrap();
    assert_eq!((named_as_our_parameter(1), named_as_our_parameter(2)), ("one".into(), "2".into()));
}

#[test]
fn the_key_of_one_argument_is_the_argument() {
    assert_eq!(named_as_our_parameter(3), "3");
    assert_eq!(named_as_our_parameter::memo().peek(&3).unwrap().as_deref(), Some("3"));
    assert_eq!(named_as_our_parameter::store().get(&3).unwrap().as_deref(), Some("3"));
}

#[mcache]
fn engine(n: u32, text: &str) -> u32 {
    n + u32::try_from(text.len()).unwrap()
}

#[test]
fn memo_and_store_lead_to_the_engine() {
    assert_eq!(engine(1, "ab"), 3);
    assert_eq!(engine::store().cache().len(), 1);
    assert_eq!(engine::store().get(&(1_u32, String::from("ab"))).unwrap(), Some(3));
    assert_eq!(engine::memo().describe(), "memory");
    assert_eq!(engine::memo().stats().computations, 1);
}

/// This function has the name of a crate. `log::Level` still means the crate.
#[mcache]
fn log(text: &str, or: Option<log::Level>) -> Result<log::Level, log::ParseLevelError> {
    let parse = |text: &str| -> Result<log::Level, _> { text.parse::<log::Level>() };
    if log::len().is_ok_and(|len| len > 1) {
        return Ok(or.unwrap_or(log::Level::Error));
    }
    parse(text)
}

#[test]
fn a_function_may_have_the_name_of_a_crate() {
    assert_eq!(log("warn", None).unwrap(), ::log::Level::Warn);
    assert_eq!(log::peek("warn", None).unwrap(), Some(::log::Level::Warn));
    assert!(log("loud", None).is_err());
}

mod area {
    #[twat_cache::mcache(companion = area_cache)]
    pub(crate) fn area(width: u64, height: u64) -> u64 {
        width * height
    }
}

pub(crate) use area::area;

#[twat_cache::fcache(dir = dir(), companion = text_cache)]
fn str(n: u32) -> String {
    n.to_string()
}

#[test]
fn a_companion_may_have_another_name() {
    assert_eq!((area(3, 4), area::area_cache::peek(3, 4).unwrap()), (12, Some(12)));
    assert_eq!(area::area_cache::refresh(3, 4), 12);
    let text: &str = &str(3);
    assert_eq!((text, text_cache::view(3).as_str(), text_cache::len().unwrap()), ("3", "3", 1));
}
