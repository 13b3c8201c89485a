//! What `Tiered` and `Fallback` do that single stores do not.

use std::time::Duration;

use twat_cache_core::testing::{Counter, Faulty, record_logs};
use twat_cache_core::{Error, ErrorKind, Fallback, Found, KeyedStore, LruStore, ManualClock, Memo, Store, Tiered};

type Memory = LruStore<u64>;

fn memory() -> Memory {
    LruStore::new(100)
}

fn faulty() -> Faulty<Memory> {
    Faulty::new(memory())
}

mod tiered {
    use super::*;

    #[test]
    fn a_hit_in_the_back_fills_the_front() {
        let tiers = Tiered::new(memory(), faulty());
        tiers.back().inner().insert(&1, &10).unwrap();
        assert_eq!(tiers.get(&1).unwrap(), Some(10));
        assert_eq!(tiers.front().get(&1).unwrap(), Some(10));
        let asked = tiers.back().operations();
        assert_eq!(tiers.get(&1).unwrap(), Some(10));
        assert_eq!(tiers.back().operations(), asked, "the front answers");
    }

    #[test]
    fn an_entry_is_copied_to_the_front_with_the_time_it_has_left() {
        let hand = ManualClock::new();
        let (minute, almost) = (Duration::from_secs(60), Duration::from_secs(59));
        let front = memory().ttl(minute).clock(hand.clock());
        let back = memory().ttl(minute).clock(hand.clock());
        let tiers = Tiered::new(front, back);
        tiers.back().insert(&1, &10).unwrap();
        hand.advance(almost);
        assert_eq!(tiers.get(&1).unwrap(), Some(10));
        hand.advance(Duration::from_secs(1));
        assert_eq!(tiers.get(&1).unwrap(), None, "a full TTL in front would have doubled its life");
    }

    #[test]
    fn a_copy_that_expires_before_its_entry_is_not_stale() {
        let hand = ManualClock::new();
        let minute = Duration::from_secs(60);
        let front = memory().ttl(minute).clock(hand.clock());
        let back = memory().ttl(minute * 60).stale(minute * 10).clock(hand.clock());
        let computed = Counter::new();
        let memo = Memo::new(Tiered::new(front, back), |key: &u64| {
            computed.count();
            *key
        });
        // The copy has a minute left, and the entry is fresh for an hour.
        assert_eq!([1, 1, 1].map(|key| memo.call(&key)), [1; 3]);
        assert_eq!(computed.get(), 1);
        hand.advance(minute * 61);
        assert_eq!((memo.call(&1), computed.get()), (1, 2));
    }

    #[test]
    fn when_the_front_fails_the_back_serves() {
        let tiers = Tiered::new(faulty(), memory());
        tiers.front().fail_all(ErrorKind::Io);
        assert_eq!(tiers.get(&1).unwrap_err().kind(), ErrorKind::Io, "nothing in the back: the error is worth a word");
        tiers.back().insert(&1, &10).unwrap();
        assert_eq!(tiers.get(&1).unwrap(), Some(10));
    }

    #[test]
    fn when_the_back_fails_the_front_serves() {
        let tiers = Tiered::new(memory(), faulty());
        tiers.insert(&1, &10).unwrap();
        tiers.back().fail_all(ErrorKind::Io);
        assert_eq!(tiers.get(&1).unwrap(), Some(10));
        assert_eq!(tiers.get(&2).unwrap_err().kind(), ErrorKind::Io);
    }

    #[test]
    fn an_entry_that_was_removed_from_the_back_never_reappears_in_front() {
        // One thread backfills entries into the front, another removes them. No removed entry may come back.
        let tiers = Tiered::new(LruStore::new(1), memory());
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                for turn in 0..200_000_u64 {
                    let _ = tiers.get(&(turn % 2));
                }
            });
            while !reader.is_finished() {
                for key in 0..2 {
                    tiers.insert(&key, &1).unwrap();
                    tiers.remove(&key).unwrap();
                    assert_eq!(tiers.get(&key).unwrap(), None);
                }
            }
        });
    }
}

mod fallback {
    use super::*;

    #[test]
    fn a_lasting_error_switches_to_the_secondary_for_good_with_one_warning() {
        let logs = record_logs();
        let store = Fallback::new(faulty(), memory());
        let name = store.primary().name().to_owned();
        store.primary().fail_all(ErrorKind::Poisoned);
        for key in 0..3_u64 {
            assert_eq!(store.get(&key).unwrap(), None);
            store.insert(&key, &key).unwrap();
            assert_eq!(store.get(&key).unwrap(), Some(key));
        }
        assert!(store.has_switched());
        store.primary().fail_all(None);
        let asked = store.primary().operations();
        store.insert(&3, &3).unwrap();
        assert_eq!((store.get(&3).unwrap(), store.len().unwrap()), (Some(3), 4));
        assert_eq!(store.primary().operations(), asked, "it is not asked again");
        let warnings = logs.warnings(&name);
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].contains("takes no more writes; memory takes over"), "{warnings:?}");
    }

    #[test]
    fn a_value_that_neither_store_can_have_is_an_error_of_the_primary_and_one_warning_of_the_memo() {
        let logs = record_logs();
        let memo = Memo::new(Fallback::new(faulty(), faulty()), |n: &u64| *n);
        let (primary, secondary) = (memo.store().primary(), memo.store().secondary());
        primary.fail_writes(ErrorKind::Codec);
        secondary.fail_writes(ErrorKind::Codec);
        for _ in 0..2 {
            assert_eq!(memo.call(&7), 7);
        }
        let warnings = logs.warnings(primary.name());
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].ends_with("the result is returned but not stored"), "{warnings:?}");
        assert!(logs.warnings(secondary.name()).is_empty());
        // The primary is tried again.
        primary.fail_writes(None);
        assert_eq!((memo.call(&7), primary.inner().get(&7_u64).unwrap()), (7, Some(7)));
    }

    #[test]
    fn an_entry_that_the_primary_cannot_remove_is_hidden_and_an_error_even_after_switching() {
        for kind in [ErrorKind::Io, ErrorKind::Poisoned] {
            let store = Fallback::new(faulty(), memory());
            store.insert(&1_u64, &10).unwrap();
            store.primary().fail_all(kind);
            assert_eq!(store.remove(&1_u64).unwrap_err().kind(), kind);
            assert_eq!(store.clear().unwrap_err().kind(), kind);
            assert_eq!(store.remove(&1_u64).unwrap_err().kind(), kind, "still there");
            store.primary().fail_all(None);
            assert_eq!(store.get(&1_u64).unwrap(), None);
            assert!(store.remove(&1_u64).unwrap());
            assert_eq!(store.primary().inner().get(&1_u64).unwrap(), None);
        }
    }

    #[test]
    fn an_entry_that_becomes_stale_while_the_primary_is_cleared_stays_hidden() {
        /// Runs a hook after it is cleared, before `clear` returns.
        struct Slow(Faulty<LruStore<u64>>, std::sync::Mutex<Option<Box<dyn FnOnce() + Send>>>);
        impl Store for Slow {
            type Value = u64;
            fn len(&self) -> Result<usize, Error> {
                self.0.len()
            }
            fn clear(&self) -> Result<(), Error> {
                let cleared = self.0.clear();
                let meanwhile = self.1.lock().unwrap().take();
                meanwhile.map_or(cleared, |meanwhile| {
                    meanwhile();
                    Ok(())
                })
            }
        }
        impl KeyedStore<u64> for Slow {
            fn get(&self, key: &u64) -> Result<Option<u64>, Error> {
                self.0.get(key)
            }
            fn insert(&self, key: &u64, value: &u64) -> Result<(), Error> {
                self.0.insert(key, value)
            }
            fn remove(&self, key: &u64) -> Result<bool, Error> {
                self.0.remove(key)
            }
        }
        let store = std::sync::Arc::new(Fallback::new(Slow(faulty(), std::sync::Mutex::new(None)), memory()));
        let other = store.clone();
        *store.primary().1.lock().unwrap() = Some(Box::new(move || {
            other.insert(&1, &1).unwrap();
            other.primary().0.fail_all(ErrorKind::Io);
            other.insert(&1, &2).unwrap();
            other.primary().0.fail_all(None);
        }));
        store.clear().unwrap();
        assert_ne!(store.get(&1).unwrap(), Some(1), "the primary could not replace it");
    }

    #[test]
    fn storing_resumes_in_the_primary_when_there_is_room_again() {
        let store = Fallback::new(faulty(), memory());
        store.primary().fail_writes(ErrorKind::Full);
        store.insert(&1, &10).unwrap();
        assert_eq!(store.get(&1).unwrap(), Some(10), "kept in memory meanwhile");
        assert!(!store.has_switched());
        store.primary().fail_writes(None);
        store.insert(&1, &11).unwrap();
        store.insert(&2, &20).unwrap();
        assert_eq!(store.get(&1).unwrap(), Some(11));
        assert_eq!(store.primary().inner().get(&1).unwrap(), Some(11));
        assert_eq!(store.primary().inner().get(&2).unwrap(), Some(20));
        assert_eq!(store.secondary().len().unwrap(), 0, "what the primary has again is not kept twice");
    }

    #[test]
    fn a_stale_value_is_never_returned() {
        // The primary cannot store the new value or remove the old one, and the secondary is too small.
        let store = Fallback::new(faulty(), LruStore::new(1));
        store.insert(&1, &10).unwrap();
        store.primary().fail_writes(ErrorKind::Full);
        store.primary().fail_removals(ErrorKind::Full);
        store.insert(&1, &11).unwrap();
        assert_eq!(store.get(&1).unwrap(), Some(11));
        store.insert(&2, &20).unwrap();
        assert_eq!(store.get(&1).unwrap(), None, "evicted from memory, and the primary's 10 is out of date");
        assert_eq!(store.get_with_ttl(&1).unwrap(), None);
        store.primary().fail_all(None);
        store.insert(&1, &12).unwrap();
        store.insert(&2, &21).unwrap();
        assert_eq!(store.get(&1).unwrap(), Some(12), "trusted again");
    }

    #[test]
    fn an_entry_that_cannot_be_removed_is_an_error_and_hidden() {
        let store = Fallback::new(faulty(), memory());
        store.insert(&1, &10).unwrap();
        store.insert(&2, &20).unwrap();
        store.primary().fail_removals(ErrorKind::Io);
        assert_eq!(store.remove(&1).unwrap_err().kind(), ErrorKind::Io);
        assert_eq!(store.get(&1).unwrap(), None);
        assert_eq!(store.get(&2).unwrap(), Some(20));
        assert_eq!(store.clear().unwrap_err().kind(), ErrorKind::Io);
        assert_eq!(store.get(&2).unwrap(), None);
        store.insert(&2, &21).unwrap();
        assert_eq!(store.get(&2).unwrap(), Some(21));
        assert_eq!(store.get(&1).unwrap(), None);
    }

    #[test]
    fn a_primary_that_refused_thousands_of_writes_is_used_again_without_its_stale_values() {
        let store = Fallback::new(faulty(), LruStore::new(1));
        for key in 0..10_000 {
            store.insert(&key, &1).unwrap();
        }
        store.primary().fail_writes(ErrorKind::Full);
        store.primary().fail_removals(ErrorKind::Full);
        for key in 0..10_000 {
            store.insert(&key, &2).unwrap();
            assert_ne!(store.get(&(key / 2)).unwrap(), Some(1), "an old value came back");
        }
        store.primary().fail_all(None);
        store.insert(&7, &3).unwrap();
        assert!(!store.has_switched());
        assert_eq!(store.primary().inner().get(&7).unwrap(), Some(3));
        for key in 0..10_000 {
            assert_ne!(store.get(&key).unwrap(), Some(1), "an old value came back");
        }
        assert_eq!(store.get(&7).unwrap(), Some(3));
    }

    #[test]
    fn entries_in_the_secondary_expire_as_they_would_in_the_primary() {
        let hand = ManualClock::new();
        let minute = Duration::from_secs(60);
        let primary = Faulty::new(memory().ttl(minute).clock(hand.clock()));
        let store = Fallback::new(primary, memory().clock(hand.clock()));
        store.primary().fail_writes(ErrorKind::Full);
        store.insert(&1, &10).unwrap();
        assert_eq!(store.get(&1).unwrap(), Some(10));
        hand.advance(minute);
        assert_eq!(store.get(&1).unwrap(), None);
    }

    #[test]
    fn an_unreadable_entry_is_a_miss() {
        let logs = record_logs();
        let store = Fallback::new(faulty(), memory());
        store.insert(&1, &10).unwrap();
        store.primary().fail_reads(ErrorKind::Corrupt);
        assert_eq!(store.get(&1).unwrap(), None);
        assert_eq!(store.get_with_ttl(&1).unwrap(), None);
        assert_eq!(store.len().unwrap_err().kind(), ErrorKind::Corrupt);
        assert_eq!(logs.warnings(store.primary().name()).len(), 1);
        store.primary().fail_reads(None);
        assert_eq!(store.get(&1).unwrap(), Some(10));
    }
}

#[test]
fn a_store_without_ttls_stores_nothing_that_expires() {
    use std::collections::HashMap;
    use std::sync::Mutex;
    use twat_cache_core::Error;

    /// Implements only the required methods.
    struct Least(Mutex<HashMap<u64, u64>>);
    impl Store for Least {
        type Value = u64;
        fn len(&self) -> Result<usize, Error> {
            Ok(self.0.lock().unwrap().len())
        }
        fn clear(&self) -> Result<(), Error> {
            self.0.lock().unwrap().clear();
            Ok(())
        }
    }
    impl KeyedStore<u64> for Least {
        fn get(&self, key: &u64) -> Result<Option<u64>, Error> {
            Ok(self.0.lock().unwrap().get(key).copied())
        }
        fn insert(&self, key: &u64, value: &u64) -> Result<(), Error> {
            self.0.lock().unwrap().insert(*key, *value);
            Ok(())
        }
        fn remove(&self, key: &u64) -> Result<bool, Error> {
            Ok(self.0.lock().unwrap().remove(key).is_some())
        }
    }

    let store = Least(Mutex::default());
    store.insert_with_ttl(&1, &10, None).unwrap();
    assert_eq!(store.get_with_ttl(&1).unwrap(), Some(Found { value: 10, ttl: None }));
    store.insert_with_ttl(&1, &11, Some(Duration::from_secs(1))).unwrap();
    assert_eq!(store.get(&1).unwrap(), None);

    // So it can stand in front of anything.
    let hand = ManualClock::new();
    let tiers = Tiered::new(store, memory().ttl(Duration::from_secs(60)).clock(hand.clock()));
    tiers.insert(&2, &20).unwrap();
    assert_eq!(tiers.get(&2).unwrap(), Some(20));
    hand.advance(Duration::from_secs(60));
    assert_eq!(tiers.get(&2).unwrap(), None);
}
