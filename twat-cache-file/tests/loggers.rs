//! A logger that calls the memo whose warnings it gets.

mod common;

use common::{memo, value};
use twat_cache_core::testing;

#[test]
fn a_logger_may_call_the_memo_that_warns() {
    testing::a_logger_may_call_the_memo_that_warns(value, |dir| memo(dir).0, |memo| memo.store().path().join("meta"));
}
