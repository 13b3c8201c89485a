//! `twat-cache-shared` alone. It caches values of a type that this program defines, and the second run finds them.

#![forbid(unsafe_code)]
#![deny(warnings, missing_docs, clippy::pedantic)]

use std::collections::BTreeMap;
use std::env;
use std::error::Error;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use twat_cache_shared::{CacheValue, Call, KeyedStore, Store, scache};

#[derive(CacheValue, Clone, Debug, PartialEq)]
#[cache_value(crate = twat_cache_shared)]
struct Report {
    title: String,
    lines: Vec<Line>,
    words: BTreeMap<String, u32>,
}

#[derive(CacheValue, Clone, Debug, PartialEq)]
#[cache_value(crate = twat_cache_shared)]
enum Line {
    Empty,
    Text { length: u32 },
}

fn report(title: &str, text: &str) -> Report {
    let line = |line: &str| match u32::try_from(line.len()) {
        Ok(length @ 1..) => Line::Text { length },
        _ => Line::Empty,
    };
    let mut words = BTreeMap::new();
    text.split_whitespace().for_each(|word| *words.entry(word.to_owned()).or_default() += 1);
    Report { title: title.to_owned(), lines: text.lines().map(line).collect(), words }
}

fn main() -> Result<(), Box<dyn Error>> {
    let second = env::args().nth(1).as_deref() == Some("second");
    let computed = AtomicUsize::new(0);

    // The cache is in `$TWAT_CACHE_DIR`.
    let reports = scache("reports").version(1).wrap(|Call((title, text)): &Call<(&str, &str)>| {
        computed.fetch_add(1, Ordering::Relaxed);
        report(title, text)
    });
    let text = "to be\n\nor not to be";
    for _ in 0..3 {
        assert_eq!(reports.call(&Call(("Hamlet", text))), report("Hamlet", text));
    }

    let numbers = scache("numbers").ttl(Duration::from_secs(3600)).max_bytes(1 << 20).try_wrap(|text: &str| {
        computed.fetch_add(1, Ordering::Relaxed);
        text.parse::<u64>()
    });
    for _ in 0..3 {
        assert_eq!(numbers.try_call("42"), Ok(42));
    }
    assert_eq!(computed.load(Ordering::Relaxed), if second { 0 } else { 2 });
    assert!(numbers.try_call("many").is_err());

    // The database serves, not its fallback.
    assert!(!reports.store().has_switched());
    assert!(reports.describe().contains(&env::var("TWAT_CACHE_DIR")?));
    assert_eq!(reports.len()?, 1);

    // The bare store has no fallback: a failure is an error.
    let store = scache("bare").open::<u32>()?;
    assert_eq!(store.get("key")?, second.then_some(7));
    store.insert("key", &7)?;
    assert_eq!(store.len()?, 1);
    Ok(())
}
