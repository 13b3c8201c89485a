//! `twat-cache` with its default features: `mcache`, around every kind of function.

#![forbid(unsafe_code)]
#![deny(warnings, missing_docs, clippy::pedantic)]

use std::error::Error;
use std::num::ParseIntError;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_lite::future::block_on;
use twat_cache::{Call, ManualClock, mcache};

fn main() -> Result<(), Box<dyn Error>> {
    one_borrowed_argument();
    several_borrowed_arguments();
    functions_that_fail();
    block_on(async_functions());
    results_that_expire();
    looking_and_forgetting()
}

fn one_borrowed_argument() {
    let computed = AtomicUsize::new(0);
    let depth = mcache().wrap(|path: &Path| {
        computed.fetch_add(1, Ordering::Relaxed);
        path.components().count()
    });
    for _ in 0..3 {
        // The key is borrowed from this scope.
        let path = String::from("a/b/c");
        assert_eq!(depth.call(Path::new(&path)), 3);
    }
    assert_eq!(computed.load(Ordering::Relaxed), 1);
}

fn several_borrowed_arguments() {
    let computed = AtomicUsize::new(0);
    let join = mcache().wrap(|Call((words, separator, times)): &Call<(&[String], &str, &usize)>| {
        computed.fetch_add(1, Ordering::Relaxed);
        words.join(*separator).repeat(**times)
    });
    let words = ["a".to_owned(), "b".to_owned()];
    for _ in 0..3 {
        let separator = String::from("-");
        assert_eq!(join.call(&Call((&words, &separator, &2))), "a-ba-b");
    }
    assert_eq!(join.call(&Call((&words, "-b", &1))), "a-bb");
    assert_eq!(computed.load(Ordering::Relaxed), 2);
}

fn functions_that_fail() {
    let computed = AtomicUsize::new(0);
    let number = mcache().try_wrap(|text: &str| -> Result<i32, ParseIntError> {
        computed.fetch_add(1, Ordering::Relaxed);
        text.parse()
    });
    for _ in 0..3 {
        assert_eq!(number.try_call("42"), Ok(42));
    }
    assert_eq!(computed.load(Ordering::Relaxed), 1);
    for _ in 0..3 {
        // Each call returns the function's own error.
        assert_eq!(
            number.try_call("many").map_err(|error| error.to_string()),
            Err("invalid digit found in string".into())
        );
    }
    assert_eq!(computed.load(Ordering::Relaxed), 4);
}

async fn async_functions() {
    let computed = AtomicUsize::new(0);
    let page = mcache().wrap_async(async |url: &str| {
        computed.fetch_add(1, Ordering::Relaxed);
        futures_lite::future::yield_now().await;
        format!("<p>{url}</p>")
    });
    for _ in 0..3 {
        assert_eq!(page.call_async("/").await, "<p>/</p>");
    }
    assert_eq!(computed.load(Ordering::Relaxed), 1);

    let half = mcache().try_wrap_async(
        async |Call((n, name)): &Call<(&u32, &str)>| {
            if n.is_multiple_of(2) { Ok(*n / 2) } else { Err(format!("{name} is odd")) }
        },
    );
    assert_eq!(half.try_call_async(&Call((&8, "eight"))).await, Ok(4));
    assert_eq!(half.try_call_async(&Call((&7, "seven"))).await, Err("seven is odd".to_owned()));
}

fn results_that_expire() {
    let hand = ManualClock::new();
    let computed = AtomicUsize::new(0);
    let price = mcache()
        .ttl(Duration::from_secs(60))
        .clock(hand.clock())
        .wrap(|_: &str| computed.fetch_add(1, Ordering::Relaxed) + 100);
    assert_eq!(price.call("tea"), 100);
    hand.advance(Duration::from_secs(59));
    assert_eq!(price.call("tea"), 100);
    hand.advance(Duration::from_secs(1));
    assert_eq!(price.call("tea"), 101);
}

fn looking_and_forgetting() -> Result<(), Box<dyn Error>> {
    let square = mcache().max_entries(100).wrap(|n: &u64| n * n);
    assert_eq!(square.peek(&3)?, None);
    assert_eq!(square.call(&3), 9);
    assert_eq!(square.call(&4), 16);
    assert_eq!(square.peek(&3)?, Some(9));
    assert_eq!(square.len()?, 2);
    assert!(square.forget(&3)?);
    assert!(!square.forget(&3)?);
    assert_eq!(square.peek(&3)?, None);
    square.clear()?;
    assert_eq!(square.len()?, 0);
    assert_eq!(square.describe(), "memory");
    Ok(())
}
