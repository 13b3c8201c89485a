//! `.serde()`, for a type that implements only serde's traits.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde::{Deserialize, Serialize};
use twat_cache::{Error, bcache};

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Person {
    name: String,
    age: Option<u8>,
}

pub(crate) fn check(lasting: usize) -> Result<(), Error> {
    let computed = AtomicUsize::new(0);
    let find = bcache("people").serde().try_wrap(|name: &str| {
        computed.fetch_add(1, Ordering::Relaxed);
        if name.is_empty() { Err("nobody") } else { Ok(Person { name: name.to_owned(), age: Some(42) }) }
    });
    for _ in 0..3 {
        assert_eq!(find.try_call("Ada"), Ok(Person { name: "Ada".to_owned(), age: Some(42) }));
    }
    assert_eq!(computed.load(Ordering::Relaxed), lasting);
    assert_eq!(find.try_call(""), Err("nobody"));
    assert_eq!(find.len()?, 1);
    Ok(())
}
