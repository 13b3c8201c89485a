//! Code of the user that a store runs may panic, fail, and use the same cache.

mod common;

use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use common::numbers::{Numbers, call_all, memo, value};
use twat_cache_core::testing::{PATIENCE, record_logs, volatile_dir, warnings, within};
use twat_cache_shared::scache;

#[cfg(feature = "serde")]
mod of_serde {
    use super::*;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    static MEMO: OnceLock<Numbers> = OnceLock::new();
    static PANICS: AtomicBool = AtomicBool::new(false);

    /// Calls a memo of the same database while it is encoded and decoded.
    #[derive(Clone, Debug, PartialEq)]
    struct Calling(u64);

    fn use_cache(key: u64) {
        let memo = MEMO.get().unwrap();
        assert_eq!(memo.call(&key), value(key));
        assert_eq!(memo.refresh(&key), value(key));
        memo.forget(&key).unwrap();
        memo.clear().unwrap();
        assert!(!PANICS.load(Ordering::SeqCst), "as intended");
    }

    impl Serialize for Calling {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            use_cache(self.0);
            self.0.serialize(serializer)
        }
    }

    impl<'de> Deserialize<'de> for Calling {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let number = u64::deserialize(deserializer)?;
            use_cache(number);
            Ok(Self(number))
        }
    }

    #[test]
    fn the_code_of_a_value_may_use_the_cache_or_panic() {
        record_logs();
        let dir = volatile_dir();
        let path = dir.path().to_owned();
        within(PATIENCE, move || {
            MEMO.get_or_init(|| memo(&path).0);
            let calling = || scache("calling").dir(&path).serde().wrap(|n: &u64| Calling(*n));
            for _ in 0..2 {
                let memo = calling();
                (0..10).for_each(|n| assert_eq!(memo.call(&n), Calling(n)));
                assert_eq!(memo.len().unwrap(), 10);
            }
            PANICS.store(true, Ordering::SeqCst);
            (0..20).for_each(|n| assert_eq!(calling().call(&n), Calling(n)));
            PANICS.store(false, Ordering::SeqCst);
            (0..20).for_each(|n| assert_eq!(calling().call(&n), Calling(n)));
            assert_eq!(calling().len().unwrap(), 20);
        });
    }
}

/// An argument whose hash uses the cache, or panics.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Key(u64);

static BEHIND_KEYS: OnceLock<Numbers> = OnceLock::new();
static KEYS_PANIC: AtomicBool = AtomicBool::new(false);

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let memo = BEHIND_KEYS.get().unwrap();
        assert_eq!(memo.call(&self.0), value(self.0));
        memo.forget(&self.0).unwrap();
        assert!(!KEYS_PANIC.load(Ordering::SeqCst), "as intended");
        self.0.hash(state);
    }
}

#[test]
fn the_code_of_an_argument_may_use_the_cache_or_panic() {
    record_logs();
    let dir = volatile_dir();
    let path = dir.path().to_owned();
    within(PATIENCE, move || {
        BEHIND_KEYS.get_or_init(|| memo(&path).0);
        let memo = scache("keys").dir(&path).wrap(|key: &Key| key.0 * 2);
        (0..10).chain(0..10).for_each(|n| assert_eq!(memo.call(&Key(n)), n * 2));
        KEYS_PANIC.store(true, Ordering::SeqCst);
        let _ = catch_unwind(AssertUnwindSafe(|| memo.call(&Key(1))));
        KEYS_PANIC.store(false, Ordering::SeqCst);
        (0..20).for_each(|n| assert_eq!(memo.call(&Key(n)), n * 2));
        assert_eq!(memo.len().unwrap(), 20);
    });
    assert_eq!(warnings(dir.path()), [""; 0]);
}

#[test]
fn a_function_may_use_its_own_database() {
    let dir = volatile_dir();
    let path = dir.path().to_owned();
    record_logs();
    within(PATIENCE, move || {
        let numbers = memo(&path).0;
        let sums = scache("sums").dir(&path).wrap(|n: &u64| {
            call_all(&numbers, 0..*n);
            numbers.clear().unwrap();
            numbers
                .store()
                .with_connection(|connection| {
                    connection.query_row("SELECT count(*) FROM entry", [], |row| row.get::<_, i64>(0)).unwrap()
                })
                .unwrap()
                >= 0
        });
        (0..10).chain(0..10).for_each(|n| assert!(sums.call(&n)));
        assert_eq!(sums.len().unwrap(), 10);
    });
    assert_eq!(warnings(dir.path()), [""; 0]);
}
