//! A logger is the user's code, and a process has only one.

use std::panic::{AssertUnwindSafe, catch_unwind};

use twat_cache_core::testing::{Faulty, on_warning};
use twat_cache_core::{ErrorKind, LruStore, Memo};

#[test]
fn a_logger_that_panics_loses_no_result() {
    on_warning(|| panic!("as intended"));
    let store = Faulty::new(LruStore::new(10));
    store.fail_all(ErrorKind::Io);
    let memo = Memo::new(store, |n: &u64| n * 2);
    assert_eq!(catch_unwind(AssertUnwindSafe(|| memo.call(&2))).ok(), Some(4));
}
