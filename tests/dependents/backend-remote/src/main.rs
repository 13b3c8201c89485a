//! `twat-cache-remote` alone. It caches values of a type that this program defines, and the second run finds them, if there is a
//! server. Without one, memory serves.

#![forbid(unsafe_code)]
#![deny(warnings, missing_docs, clippy::pedantic)]

use std::env;
use std::error::Error;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_lite::future::block_on;
use twat_cache_remote::{CacheValue, Call, KeyedStore, Store, rcache};

#[derive(CacheValue, Clone, Debug, PartialEq)]
#[cache_value(crate = twat_cache_remote)]
struct Report {
    title: String,
    lines: Vec<Line>,
}

#[derive(CacheValue, Clone, Debug, PartialEq)]
#[cache_value(crate = twat_cache_remote)]
enum Line {
    Empty,
    Text { length: u32 },
}

fn report(title: &str, text: &str) -> Report {
    let line = |line: &str| match u32::try_from(line.len()) {
        Ok(length @ 1..) => Line::Text { length },
        _ => Line::Empty,
    };
    Report { title: title.to_owned(), lines: text.lines().map(line).collect() }
}

fn main() -> Result<(), Box<dyn Error>> {
    let second = env::args().nth(1).as_deref() == Some("second");
    let server = env::var("TWAT_CACHE_SERVER").ok();
    let computed = AtomicUsize::new(0);
    let timeout = Duration::from_secs(20);

    let reports = rcache("reports").version(1).timeout(timeout).wrap(|Call((title, text)): &Call<(&str, &str)>| {
        computed.fetch_add(1, Ordering::Relaxed);
        report(title, text)
    });
    let text = "to be\n\nor not to be";
    for _ in 0..3 {
        assert_eq!(reports.call(&Call(("Hamlet", text))), report("Hamlet", text));
    }

    let numbers = rcache("numbers").ttl(Duration::from_secs(3600)).timeout(timeout);
    let numbers = numbers.max_value_bytes(1 << 20).try_wrap_async(async |text: &str| {
        computed.fetch_add(1, Ordering::Relaxed);
        text.parse::<u64>()
    });
    for _ in 0..3 {
        assert_eq!(block_on(numbers.try_call_async("42")), Ok(42));
    }
    assert_eq!(computed.load(Ordering::Relaxed), if second && server.is_some() { 0 } else { 2 });
    assert!(block_on(numbers.try_call_async("many")).is_err());
    assert_eq!(block_on(numbers.len_async())?, 1);

    // The server serves, not the memory beside it.
    assert_eq!(reports.store().is_away(), server.is_none());
    assert_eq!(reports.store().client().is_some(), server.is_some());

    // The bare store has no memory beside it: a failure is an error.
    let store = rcache("bare").timeout(timeout).open::<u32>();
    assert_eq!(store.is_ok(), server.is_some());
    if let Ok(store) = store {
        assert_eq!(store.get("key")?, second.then_some(7));
        store.insert("key", &7)?;
        assert_eq!(store.len()?, 1);
    }
    Ok(())
}
