//! `.serde().compress()`: values come back, take less space, and are apart from uncompressed ones.

#![cfg(feature = "compress")]

use std::collections::HashMap;
use std::fmt::Debug;
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use twat_cache_core::testing::child::{Child, Task};
use twat_cache_core::testing::persistent::Persistent;
use twat_cache_core::testing::{Counted, Counter, Random, assert_one_warning, counted, record_logs, volatile_dir};
use twat_cache_shared::rusqlite::Connection;
use twat_cache_shared::{KeyedStore, Memo, SharedBuilder, SharedFallback, SharedStore, Store, scache};

fn tenths(number: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "it is small")]
    let number = number as f64;
    number / 10.0
}

/// A forecast as an API gives it, of about 2 kB as JSON.
fn forecast(key: u64) -> Value {
    let mut random = Random(key + 1);
    let hours: Vec<_> = (0..18)
        .map(|hour| {
            json!({
                "time": format!("2026-11-26T{hour:02}:00"),
                "temperature": tenths(random.below(300)),
                "humidity": random.below(100),
                "wind": { "speed": random.below(20), "direction": random.choose(&["N", "E", "S", "W"]) },
                "is_day": (7..18).contains(&hour),
            })
        })
        .collect();
    json!({ "city": format!("City {key}"), "units": "metric", "hours": hours, "alerts": [], "source": null })
}

/// Orders of customers, of about 2 kB as JSON. One repeats little of itself, and much of others.
fn orders(key: u64) -> Value {
    let mut random = Random(key + 1);
    let orders: Vec<_> = (0..9)
        .map(|_| {
            json!({
                "id": random.below(9_000_000),
                "created_at": format!("2026-11-{:02}T{:02}:{:02}:00Z", random.below(28), random.below(24), random.below(60)),
                "status": random.choose(&["active", "pending", "closed"]),
                "owner": { "name": random.choose(&["Anna Kowalska", "John Smith", "Wei Zhang"]), "verified": true },
                "price": tenths(random.below(10_000)),
                "tags": [random.choose(&["new", "sale", "used"]), random.choose(&["red", "blue", "green"])],
            })
        })
        .collect();
    json!({ "page": random.below(100), "per_page": 9, "total": random.below(10_000), "items": orders })
}

type Forecasts = Memo<SharedFallback<Value>, Counted<Value>>;

fn memo(dir: &Path) -> (Forecasts, Arc<Counter>) {
    record_logs();
    let (function, computed) = counted(forecast);
    (scache("forecasts").dir(dir).serde().compress().wrap(function), computed)
}

/// The value is found by a second memo, in the database that the first one has closed.
fn again<V>(name: &str, value: V)
where
    V: Serialize + DeserializeOwned + Clone + Send + Sync + PartialEq + Debug + 'static,
{
    let dir = volatile_dir();
    let open = || scache(name).dir(dir.path()).serde().compress().open::<V>().unwrap();
    open().insert(&1, &value).unwrap();
    assert_eq!(open().get(&1).unwrap(), Some(value), "{name}");
}

#[test]
fn values_of_many_types_and_sizes_come_back_as_they_were() {
    again("unit", ());
    again("nothing", String::new());
    again("number", u64::MAX);
    again("text", "ß".repeat(100_000));
    again("zeros", vec![0_u8; 5_000_000]);
    again("map", HashMap::from([("one".to_owned(), vec![1]), ("two".to_owned(), vec![])]));
    again("document", forecast(1));
    let mut random = Random(7);
    again("noise", random.bytes(100_000));
}

#[test]
fn child_that_asks_for_forecasts() {
    let Some(task) = Task::given() else { return };
    let (memo, computed) = memo(&task.dir);
    (0..100).for_each(|key| assert_eq!(memo.call(&key), forecast(key)));
    task.say(computed.get());
}

#[test]
fn another_process_finds_compressed_results() {
    let dir = volatile_dir();
    let run = || Child::start("child_that_asks_for_forecasts", dir.path()).finish();
    assert_eq!(run(), ["100"]);
    assert_eq!(run(), ["0"]);
}

#[test]
fn compressed_and_uncompressed_entries_of_a_name_are_apart() {
    let dir = volatile_dir();
    let plain = scache("name").dir(dir.path()).serde().open::<String>().unwrap();
    let compressed = scache("name").dir(dir.path()).serde().compress().open::<String>().unwrap();
    plain.insert(&1, &"plain".to_owned()).unwrap();
    assert_eq!(compressed.get(&1).unwrap(), None);
    compressed.insert(&1, &"compressed".to_owned()).unwrap();
    assert_eq!(plain.get(&1).unwrap().as_deref(), Some("plain"));
    assert_eq!(compressed.get(&1).unwrap().as_deref(), Some("compressed"));
    assert_eq!((plain.len().unwrap(), compressed.len().unwrap()), (1, 1));
    compressed.clear().unwrap();
    assert_eq!((plain.len().unwrap(), compressed.len().unwrap()), (1, 0));
}

/// What the entries take.
fn size<V>(store: &SharedStore<V>) -> usize {
    let size = |connection: &Connection| {
        connection.query_row("SELECT sum(length(value) + 64) FROM entry", [], |row| row.get::<_, i64>(0)).unwrap()
    };
    usize::try_from(store.with_connection(size).unwrap()).unwrap()
}

#[test]
fn json_documents_take_at_most_a_third_of_the_space() {
    for document in [forecast, orders] {
        let sizes = [false, true].map(|is_compressed| {
            let dir = volatile_dir();
            let builder = scache("documents").dir(dir.path()).serde();
            let store = if is_compressed { builder.compress().open() } else { builder.open() }.unwrap();
            for key in 0..300 {
                store.insert(&key, &document(key)).unwrap();
            }
            (0..300).for_each(|key| assert_eq!(store.get(&key).unwrap(), Some(document(key))));
            size(&store)
        });
        assert!(sizes[0] > 300 * 1000 && sizes[1] * 3 <= sizes[0], "{sizes:?}");
    }
}

fn lose_dictionary(store: &SharedStore<Value>) {
    let lose = "UPDATE name SET dictionary = NULL WHERE dictionary IS NOT NULL";
    assert_eq!(store.with_connection(|connection| connection.execute(lose, []).unwrap()).unwrap(), 1);
}

#[test]
fn without_their_dictionary_entries_are_misses_and_one_warning() {
    let dir = volatile_dir();
    let run = || {
        let (memo, computed) = memo(dir.path());
        (0..100).for_each(|key| assert_eq!(memo.call(&key), forecast(key)));
        assert_eq!(memo.len().unwrap(), 100);
        (memo, computed.get())
    };
    assert_eq!(run().1, 100);
    let (memo, computed) = run();
    assert_eq!(computed, 0);
    lose_dictionary(memo.store().primary());
    drop(memo);
    // The first ones were compressed without.
    let (memo, computed) = run();
    assert!((20..100).contains(&computed), "{computed}");
    assert_one_warning(dir.path(), &["cannot decode a value", "its dictionary is lost"]);
    drop(memo);
    assert_eq!(run().1, 0, "there is a new dictionary");
}

#[test]
fn versions_and_stores_of_a_name_share_the_dictionary() {
    let dir = volatile_dir();
    let open =
        |version: u64| scache("name").dir(dir.path()).version(version).serde().compress().open::<Value>().unwrap();
    let stores: Vec<_> = (0..4).map(open).collect();
    std::thread::scope(|scope| {
        for store in &stores {
            scope.spawn(|| (0..100).for_each(|key| store.insert(&key, &orders(key)).unwrap()));
        }
    });
    for store in stores.iter().chain(&(0..4).map(open).collect::<Vec<_>>()) {
        (0..100).for_each(|key| assert_eq!(store.get(&key).unwrap(), Some(orders(key))));
        assert_eq!(store.len().unwrap(), 100);
    }
    assert!(size(&stores[0]) < 400 * 600);
}

#[test]
fn the_limit_counts_compressed_bytes() {
    let dir = volatile_dir();
    let text = |key: u64| format!("{key} ").repeat(10_000);
    let memo = scache("name").dir(dir.path()).max_bytes(20_000).serde().compress().wrap(|key: &u64| text(*key));
    for key in 0..100 {
        assert_eq!(memo.call(&key), text(key));
    }
    assert_eq!(memo.len().unwrap(), 100);
}

const SHARED: Persistent<SharedStore<String>> =
    Persistent { open: |options| SharedBuilder::from(options).serde().compress().open(), overhead: 68 };

#[test]
fn a_ttl_goes_on_while_no_process_runs() {
    SHARED.a_ttl_goes_on_while_no_process_runs();
}

#[test]
fn caches_of_another_name_or_version_share_nothing() {
    SHARED.caches_of_another_name_or_version_share_nothing();
}
