//! Two memos of one name in one process: a result that one of them invalidates is not stored by the other if it began to
//! compute it before.

use std::path::Path;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use twat_cache_core::testing::Counted;
use twat_cache_disk::{DiskFallback, KeyedStore as _, Memo, bcache};

type Words = Memo<DiskFallback<String>, Counted<String>>;

fn memo(dir: &Path, name: &str, function: impl Fn(&u64) -> String + Send + Sync + 'static) -> Words {
    bcache(name).dir(dir).wrap(Box::new(function))
}

/// A memo whose function says that it has begun, and then waits for its result.
fn slow(dir: &Path, name: &str) -> (Words, Receiver<()>, Sender<&'static str>) {
    let (begins, begun) = channel();
    let (result, results) = channel::<&str>();
    let ends = Mutex::new((begins, results));
    let function = move |_: &u64| {
        let ends = ends.lock().unwrap();
        ends.0.send(()).unwrap();
        ends.1.recv().unwrap().to_owned()
    };
    (memo(dir, name, function), begun, result)
}

/// The stored value after one memo computes key 1 and, during that, `meanwhile` is done to another memo.
fn after(meanwhile: impl FnOnce(&Words, &Path)) -> Option<String> {
    let dir = tempfile::tempdir().unwrap();
    let (slow, begun, result) = slow(dir.path(), "words");
    let other = memo(dir.path(), "words", |_| "new".into());
    thread::scope(|scope| {
        let called = scope.spawn(|| slow.call(&1));
        begun.recv().unwrap();
        meanwhile(&other, dir.path());
        result.send("old").unwrap();
        assert_eq!(called.join().unwrap(), "old", "the caller gets what it has computed");
    });
    let found = other.peek(&1).unwrap();
    drop((slow, other));
    let reopened = memo(dir.path(), "words", |_| "computed".into());
    assert_eq!(reopened.peek(&1).unwrap(), found);
    found
}

#[test]
fn a_result_that_another_memo_has_invalidated_since_it_began_is_not_stored() {
    assert_eq!(after(|_, _| ()).as_deref(), Some("old"));
    assert_eq!(after(|memo, _| assert!(!memo.forget(&1).unwrap())), None);
    assert_eq!(after(|memo, _| memo.clear().unwrap()), None);
    assert_eq!(after(|memo, _| assert_eq!(memo.refresh(&1), "new")).as_deref(), Some("new"));
}

#[test]
fn a_result_that_another_memo_has_computed_since_stays() {
    let forget_and_call = |memo: &Words, _: &Path| {
        memo.forget(&1).unwrap();
        assert_eq!(memo.call(&1), "new");
    };
    assert_eq!(after(forget_and_call).as_deref(), Some("new"));
}

#[test]
fn clearing_another_name_invalidates_no_computation() {
    let clear_other = |_: &Words, dir: &Path| {
        let other = memo(dir, "other", |_| "other".into());
        other.call(&1);
        other.clear().unwrap();
    };
    assert_eq!(after(clear_other).as_deref(), Some("old"));
}

#[test]
fn of_two_refreshes_the_result_of_the_later_one_stays() {
    let dir = tempfile::tempdir().unwrap();
    let (first, first_begun, first_result) = slow(dir.path(), "words");
    let (second, second_begun, second_result) = slow(dir.path(), "words");
    thread::scope(|scope| {
        let refreshed = scope.spawn(|| first.refresh(&1));
        first_begun.recv().unwrap();
        let again = scope.spawn(|| second.refresh(&1));
        second_begun.recv().unwrap();
        second_result.send("second").unwrap();
        assert_eq!(again.join().unwrap(), "second");
        first_result.send("first").unwrap();
        assert_eq!(refreshed.join().unwrap(), "first");
    });
    assert_eq!(second.peek(&1).unwrap().as_deref(), Some("second"));
    assert_eq!(first.peek(&1).unwrap().as_deref(), Some("second"));
}

/// The order of events is still known after the engine fails and is closed.
#[cfg(target_os = "linux")]
#[test]
fn a_result_that_was_invalidated_before_the_database_was_opened_again_is_not_stored() {
    use twat_cache_core::testing::system::Frozen;
    use twat_cache_core::testing::until;

    let reopen = |memo: &Words, dir: &Path| {
        assert!(!memo.forget(&1).unwrap());
        let store = |key: u64| memo.store().primary().insert(&key, &"x".into());
        let Some(frozen) = Frozen::freeze(&dir.join("bcache")) else { return };
        // The engine gives up, and is closed.
        while store(2).is_ok() {}
        drop(frozen);
        until("the database is opened again", || store(3).is_ok());
    };
    assert_eq!(after(reopen), None);
}
