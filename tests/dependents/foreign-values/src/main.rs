//! Values whose types are of other crates, by each codec. The run `second` finds what the run `first` has stored.

#![forbid(unsafe_code)]
#![deny(warnings, missing_docs, clippy::pedantic)]

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use twat_cache::rkyv::with::{AsOwned, AsString, AsUnixTime};
use twat_cache::{CacheValue, Call, bcache, fcache, ucache};
use url::Url;
use uuid::Uuid;

static COMPUTED: AtomicUsize = AtomicUsize::new(0);

fn computing<T>(value: T) -> T {
    COMPUTED.fetch_add(1, Ordering::Relaxed);
    value
}

/// By serde, because its types have only that.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Order {
    id: Uuid,
    time: DateTime<Utc>,
    changed: SystemTime,
    price: Decimal,
    page: Url,
    file: PathBuf,
    note: Cow<'static, str>,
    extra: Value,
}

/// By rkyv. Each field says how.
#[derive(Clone, Debug, PartialEq, CacheValue)]
struct Upload {
    #[cache_value(opaque = "uuid 1")]
    id: Uuid,
    #[rkyv(with = AsUnixTime)]
    changed: SystemTime,
    #[rkyv(with = AsString)]
    file: PathBuf,
    #[rkyv(with = AsOwned)]
    note: Cow<'static, str>,
    size: usize,
}

fn order_of(number: u32) -> Order {
    Order {
        id: Uuid::from_u128(u128::from(number)),
        time: DateTime::from_timestamp(i64::from(number), 5).unwrap_or_default(),
        changed: SystemTime::UNIX_EPOCH + Duration::from_nanos(u64::from(number)),
        price: Decimal::new(i64::from(number), 2),
        page: Url::parse("https://example.org/a?b=c").expect("an address"),
        file: PathBuf::from("a//b"),
        note: Cow::Borrowed("a note"),
        extra: json!({ "tags": ["a", null, 1.5], "number": number }),
    }
}

fn upload_of(number: u32) -> Upload {
    let Order { id, changed, file, note, .. } = order_of(number);
    Upload { id, changed, file, note, size: usize::MAX }
}

#[ucache]
fn order(number: u32) -> Order {
    computing(order_of(number))
}

#[bcache]
fn orders(number: u32) -> Result<Vec<Option<Order>>, String> {
    computing(Ok(vec![Some(order_of(number)), None]))
}

#[fcache]
fn upload(number: u32) -> Upload {
    computing(upload_of(number))
}

#[ucache]
fn uploads(number: u32) -> Vec<Upload> {
    computing(vec![upload_of(number); 3])
}

#[ucache]
fn path(text: &str) -> PathBuf {
    computing(text.into())
}

#[fcache]
fn time(seconds: u64) -> SystemTime {
    computing(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
}

#[bcache]
fn date(seconds: i64) -> Option<DateTime<Utc>> {
    computing(DateTime::from_timestamp(seconds, 0))
}

#[ucache]
fn id(number: u128) -> Uuid {
    computing(Uuid::from_u128(number))
}

#[bcache(compress)]
fn document(number: u32) -> Value {
    computing(json!({ "numbers": vec![number; 1000] }))
}

#[ucache]
fn address(text: &str) -> Result<Url, String> {
    computing(Url::parse(text).map_err(|error| error.to_string()))
}

#[ucache]
async fn price(cents: i64) -> Decimal {
    computing(Decimal::new(cents, 2))
}

#[ucache]
fn word(text: &str) -> Cow<'static, str> {
    computing(Cow::Owned(text.to_owned()))
}

fn main() -> Result<(), twat_cache::Error> {
    let second = std::env::args().nth(1).as_deref() == Some("second");
    let builder = bcache("built").serde().compress();
    let built = builder.wrap(|Call((a, b)): &Call<(&str, &u32)>| computing(json!([a, b])));
    for _ in 0..3 {
        assert_eq!(order(7), order_of(7));
        assert_eq!(orders(7), Ok(vec![Some(order_of(7)), None]));
        assert_eq!(upload(7), upload_of(7));
        assert_eq!(upload::view(7).size, usize::MAX as u64);
        assert_eq!(uploads(7), vec![upload_of(7); 3]);
        assert_eq!(path("a//b").as_os_str(), "a//b");
        assert_eq!(time(7), SystemTime::UNIX_EPOCH + Duration::from_secs(7));
        assert_eq!(date(7), DateTime::from_timestamp(7, 0));
        assert_eq!(id(7), Uuid::from_u128(7));
        assert_eq!(document(7), json!({ "numbers": vec![7; 1000] }));
        assert_eq!(address("https://example.org").map(|url| url.to_string()), Ok("https://example.org/".into()));
        assert_eq!(futures_lite::future::block_on(price(150)).to_string(), "1.50");
        assert_eq!(word("seven"), "seven");
        assert_eq!(built.call(&Call(("a", &1))), json!(["a", 1]));
    }
    assert_eq!(COMPUTED.load(Ordering::Relaxed), if second { 0 } else { 13 });
    assert_eq!(order::len()?, 1);
    Ok(())
}
