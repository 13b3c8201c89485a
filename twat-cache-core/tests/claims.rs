//! What `Memo` does with a store that other processes also use, and with a store that has views.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use twat_cache_core::testing::{Counter, within};
use twat_cache_core::{Claim, Error, Fallback, KeyedStore, LruStore, Memo, Store, Tiered, ViewStore};

/// Simulates a store on disk. The second handle simulates another process that is computing.
struct Shared {
    results: LruStore<String>,
    is_busy: AtomicBool,
    claims: Counter,
    given_back: mpsc::Sender<()>,
}

struct Right(mpsc::Sender<()>);

impl Drop for Right {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

impl Shared {
    fn new() -> (Arc<Self>, mpsc::Receiver<()>) {
        let (given_back, received) = mpsc::channel();
        let (results, is_busy) = (LruStore::new(100), AtomicBool::new(false));
        (Arc::new(Self { results, is_busy, claims: Counter::new(), given_back }), received)
    }
}

struct Handle(Arc<Shared>);

impl Store for Handle {
    type Value = String;

    fn len(&self) -> Result<usize, Error> {
        self.0.results.len()
    }

    fn clear(&self) -> Result<(), Error> {
        self.0.results.clear()
    }
}

impl KeyedStore<u64> for Handle {
    fn get(&self, key: &u64) -> Result<Option<String>, Error> {
        self.0.results.get(key)
    }

    fn insert(&self, key: &u64, value: &String) -> Result<(), Error> {
        self.0.results.insert(key, value)
    }

    fn remove(&self, key: &u64) -> Result<bool, Error> {
        self.0.results.remove(key)
    }

    fn claim(&self, key: &u64, patience: Duration) -> Claim {
        assert!(patience >= Duration::from_secs(2), "a computation may take a while");
        self.0.claims.count();
        let (shared, key) = (self.0.clone(), *key);
        let mut asked = 0;
        let mut right = move || {
            asked += 1;
            if shared.is_busy.load(Ordering::SeqCst) && asked == 3 {
                // The other process has ended.
                shared.results.insert(&key, &"theirs".to_owned()).unwrap();
                shared.is_busy.store(false, Ordering::SeqCst);
            }
            (!shared.is_busy.load(Ordering::SeqCst)).then(|| Claim::held(Right(shared.given_back.clone())))
        };
        right().unwrap_or_else(|| Claim::waiting(right))
    }
}

/// Its views are copies that report themselves as views.
impl ViewStore<u64> for Handle {
    type View = (String, &'static str);

    fn view(&self, key: &u64) -> Result<Option<Self::View>, Error> {
        Ok(self.get(key)?.map(|value| (value, "lent")))
    }

    fn to_view(&self, value: &String) -> Result<Self::View, Error> {
        Ok((value.clone(), "made"))
    }
}

#[test]
fn a_result_that_another_process_computes_is_waited_for_and_not_computed_here() {
    within(Duration::from_secs(20), || {
        let (shared, given_back) = Shared::new();
        let memo = Memo::new(Handle(shared.clone()), |key: &u64| format!("ours {key}"));
        assert_eq!(memo.call(&1), "ours 1");
        given_back.try_recv().expect("the right is given back with the result");
        shared.is_busy.store(true, Ordering::SeqCst);
        assert_eq!(memo.call(&2), "theirs");
        given_back.try_recv().unwrap();
        assert_eq!(memo.call(&2), "theirs");
        assert_eq!(shared.claims.get(), 2, "a hit asks nobody");

        let memo = Memo::new(memo.store(), async |key: &u64| format!("ours {key}"));
        futures_lite::future::block_on(async {
            assert_eq!(memo.call_async(&3).await, "ours 3");
            shared.is_busy.store(true, Ordering::SeqCst);
            assert_eq!(memo.call_async(&4).await, "theirs");
        });
        assert_eq!(given_back.try_iter().count(), 2);
    });
}

#[test]
fn a_computation_that_fails_or_panics_releases_its_claim() {
    let (shared, given_back) = Shared::new();
    let memo = Memo::new(Handle(shared), |key: &u64| if *key == 1 { Err("no") } else { panic!("as intended") });
    assert_eq!(memo.try_call(&1), Err::<String, _>("no"));
    given_back.try_recv().unwrap();
    let call = std::panic::AssertUnwindSafe(|| memo.try_call(&2));
    assert!(std::panic::catch_unwind(call).is_err());
    given_back.try_recv().unwrap();
}

#[test]
fn combinators_claim_in_the_store_that_other_processes_use() {
    let (shared, _given_back) = Shared::new();
    let tiers = Tiered::new(LruStore::new(10), Handle(shared.clone()));
    assert_eq!(Memo::new(tiers, |key: &u64| key.to_string()).call(&1), "1");
    let fallback = Fallback::new(Handle(shared.clone()), LruStore::new(10));
    assert_eq!(Memo::new(Box::new(fallback), |key: &u64| key.to_string()).call(&2), "2");
    assert_eq!(shared.claims.get(), 2);
}

#[test]
fn a_view_shows_the_entry_or_the_result_if_it_was_not_stored() {
    let (shared, _given_back) = Shared::new();
    let computed = Counter::new();
    let memo = Memo::new(Handle(shared), |key: &u64| {
        computed.count();
        if *key > 0 { Ok(key.to_string()) } else { Err("none") }
    });
    assert_eq!(memo.try_view(&1), Ok(("1".to_owned(), "lent")));
    assert_eq!(memo.try_view(&1), Ok(("1".to_owned(), "lent")));
    assert_eq!(memo.try_view(&0), Err("none"));
    assert_eq!(memo.try_view(&0), Err("none"));
    assert_eq!(computed.get(), 3);

    // The store of this memo does not store what exceeds its limit.
    let nothing = Handle(Arc::new(Shared { results: LruStore::new(0), ..Arc::into_inner(Shared::new().0).unwrap() }));
    let memo = Memo::new(&nothing, |key: &u64| key.to_string());
    assert_eq!(memo.view(&1), ("1".to_owned(), "made"));
    let memo = Memo::new(&nothing, async |key: &u64| key.to_string());
    assert_eq!(futures_lite::future::block_on(memo.view_async(&2)), ("2".to_owned(), "made"));
    let memo = Memo::new(&nothing, async |_: &u64| Err::<String, _>("none"));
    assert_eq!(futures_lite::future::block_on(memo.try_view_async(&2)), Err("none"));
}
