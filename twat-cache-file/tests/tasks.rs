//! Tasks and large files: a task's thread neither reads and checks a large file nor writes it.

use std::collections::{HashMap, HashSet};
use std::fs::{self, Permissions};
use std::ops::Range;
use std::path::Path;
use std::sync::{Condvar, LazyLock, Mutex, PoisonError};
use std::task::Poll;
use std::thread::{self, ThreadId};
use std::time::Duration;

use futures_lite::future::zip;
use rkyv::bytecheck::Verify;
use rkyv::rancor::Fallible;
use rkyv::{Archive, Deserialize, Serialize};
use twat_cache_core::testing::{
    PATIENCE, assert_one_warning, block_on, join_all, poll_once, record_logs, until, volatile_dir,
};
use twat_cache_core::{Answer, Ticket};
use twat_cache_file::persist::{CacheValue, Shape};
use twat_cache_file::{FileStore, KeyedStore, ViewStore, fcache};

/// A value whose check waits as long as its gate is closed.
#[derive(Clone, Debug, PartialEq, Archive, Serialize, Deserialize)]
#[rkyv(bytecheck(verify))]
struct Gated {
    gate: u32,
    bytes: Vec<u8>,
}

impl CacheValue for Gated {
    fn describe(shape: &mut Shape) {
        shape.word("Gated");
    }
}

#[derive(Default)]
struct Gates {
    closed: HashSet<u32>,
    /// The threads that have checked values of each gate.
    checked: HashMap<u32, Vec<ThreadId>>,
}

static GATES: LazyLock<(Mutex<Gates>, Condvar)> = LazyLock::new(Default::default);

fn gates<T>(act: impl FnOnce(&mut Gates) -> T) -> T {
    act(&mut GATES.0.lock().unwrap_or_else(PoisonError::into_inner))
}

fn close(of: Range<u32>) {
    gates(|gates| gates.closed.extend(of));
}

fn open(of: Range<u32>) {
    gates(|gates| gates.closed.retain(|gate| !of.contains(gate)));
    GATES.1.notify_all();
}

/// Which threads have begun to check values of this gate.
fn checked(gate: u32) -> Vec<ThreadId> {
    gates(|gates| gates.checked.get(&gate).cloned().unwrap_or_default())
}

#[allow(unsafe_code, reason = "rkyv has no safe way to take part in a check")]
// SAFETY: any gate and any bytes are valid.
unsafe impl<C: Fallible + ?Sized> Verify<C> for ArchivedGated {
    fn verify(&self, _: &mut C) -> Result<(), C::Error> {
        let gate = self.gate.to_native();
        gates(|gates| gates.checked.entry(gate).or_default().push(thread::current().id()));
        let gates = GATES.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = GATES.1.wait_timeout_while(gates, PATIENCE, |gates| gates.closed.contains(&gate));
        assert!(!waited.unwrap().1.timed_out(), "the thread that opens the gate checks the value");
        Ok(())
    }
}

fn value(gate: u32, len: usize) -> Gated {
    Gated { gate, bytes: vec![gate.to_le_bytes()[0]; len] }
}

const LARGE: usize = 2 << 20;
/// Just large enough.
const SHORT: usize = (1 << 20) + 1;

fn store(dir: &Path) -> FileStore<Gated> {
    record_logs();
    fcache("gated").dir(dir).open().unwrap()
}

fn is_later<T>(answer: &Answer<'_, T>) -> bool {
    matches!(answer, Answer::Later(_))
}

fn now<T>(answer: Answer<'_, T>) -> T {
    match answer {
        Answer::Now(result) => result.unwrap(),
        Answer::Later(_) => panic!("it is not there yet"),
    }
}

/// Reads that keep all threads of a store until these gates are opened.
struct Busy<'a> {
    gates: Range<u32>,
    reads: Vec<Answer<'a, Option<Gated>>>,
}

impl<'a> Busy<'a> {
    /// More than there are threads.
    const READS: u32 = 12;

    fn keep(store: &'a FileStore<Gated>, first: u32) -> Self {
        let gates = first..first + Self::READS;
        close(gates.clone());
        gates.clone().for_each(|gate| store.insert(&gate, &value(gate, SHORT)).unwrap());
        let mut reads: Vec<_> = gates.clone().map(|gate| store.get_async(&gate)).collect();
        assert!(reads.iter_mut().all(|read| poll_once(read).is_pending()));
        Self { gates, reads }
    }

    fn end(self) {
        open(self.gates.clone());
        let read = block_on(join_all(self.reads));
        for (gate, read) in self.gates.zip(read) {
            assert!(read.unwrap() == Some(value(gate, SHORT)));
        }
    }
}

fn check_on_other_thread<'a, T: 'a>(gate: u32, answer: Answer<'a, Option<T>>, is_right: impl Fn(&T) -> bool) {
    assert!(is_later(&answer));
    // Another task of this thread opens the gate when the check has begun.
    let opener = std::future::poll_fn(move |cx| {
        if checked(gate).is_empty() {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        open(gate..gate + 1);
        Poll::Ready(())
    });
    let (found, ()) = block_on(zip(answer, opener));
    assert!(is_right(&found.unwrap().unwrap()));
    let threads = checked(gate);
    assert!(!threads.is_empty() && !threads.contains(&thread::current().id()));
}

#[test]
fn a_large_file_is_read_and_checked_while_the_tasks_of_a_thread_go_on() {
    let dir = volatile_dir();
    (1..5_u32).for_each(|gate| store(dir.path()).insert(&gate, &value(gate, LARGE)).unwrap());
    close(1..5);
    let store = store(dir.path());
    check_on_other_thread(1, store.get_async(&1_u32), |found| *found == value(1, LARGE));
    check_on_other_thread(2, store.get_with_ttl_async(&2_u32), |found| found.value == value(2, LARGE));
    check_on_other_thread(3, store.view_async(&3_u32), |found| found.bytes[..] == value(3, LARGE).bytes);
    check_on_other_thread(4, store.view_with_ttl_async(&4_u32), |found| found.value.bytes.len() == LARGE);
    // They were checked, so they are there at once.
    assert_eq!(now(store.view_async(&1_u32)).unwrap().bytes.len(), LARGE);
    assert_eq!(now(store.view_with_ttl_async(&2_u32)).unwrap().ttl, None);
    assert!(now(store.get_async(&3_u32)) == Some(value(3, LARGE)));
    assert_eq!(checked(1).len(), 1);
}

#[test]
fn a_small_file_is_read_and_written_at_once() {
    let dir = volatile_dir();
    let (key, small) = (50_u32, value(50, 100_000));
    let first = store(dir.path());
    assert!(now(first.get_async(&key)).is_none());
    now(first.insert_async(&key, &small));
    assert!(now(first.insert_begun_async(&key, &small, None, first.begin(&key))));
    for way in 0..2 {
        let store = store(dir.path());
        match way {
            0 => assert!(now(store.get_async(&key)) == Some(small.clone())),
            _ => assert_eq!(now(store.view_async(&key)).unwrap().bytes[..], small.bytes),
        }
    }
    assert!(checked(50).iter().all(|checker| *checker == thread::current().id()));
}

#[test]
fn a_large_value_is_written_while_the_tasks_of_a_thread_go_on() {
    let dir = volatile_dir();
    let store = store(dir.path());
    let (begun, plain) = (value(90, LARGE), value(91, LARGE));
    let busy = Busy::keep(&store, 100);
    let mut answer = store.insert_begun_async(&90_u32, &begun, None, store.begin(&90_u32));
    let mut other = store.insert_with_ttl_async(&91_u32, &plain, Some(Duration::from_secs(1000)));
    // No thread is free, and this one does not write.
    assert!(is_later(&answer) && poll_once(&mut answer).is_pending() && poll_once(&mut other).is_pending());
    assert!(store.get(&90_u32).unwrap().is_none() && store.get(&91_u32).unwrap().is_none());
    busy.end();
    assert!(block_on(answer).unwrap());
    block_on(other).unwrap();
    assert!(store.get(&90_u32).unwrap() == Some(begun));
    let found = store.get_with_ttl(&91_u32).unwrap().unwrap();
    assert!(found.value == plain && found.ttl.is_some_and(|ttl| ttl <= Duration::from_secs(1000)));
    assert_eq!(fs::read_dir(store.path().join("tmp")).unwrap().count(), 0);
}

#[test]
fn a_large_value_that_is_forgotten_or_refreshed_while_it_is_written_is_not_stored() {
    let dir = volatile_dir();
    let store = store(dir.path());
    let (old, new) = (value(150, LARGE), value(151, 10));
    let busy = Busy::keep(&store, 200);
    let begin = |key: u32| {
        let mut answer = store.insert_begun_async(&key, &old, None, store.begin(&key));
        assert!(poll_once(&mut answer).is_pending());
        answer
    };
    let (forgotten, refreshed) = (begin(150), begin(151));
    assert!(!store.remove(&150_u32).unwrap());
    let refresh = Ticket { is_refresh: true, ..store.begin(&151_u32) };
    assert!(store.insert_begun(&151_u32, &new, None, refresh).unwrap());
    busy.end();
    assert!(!block_on(forgotten).unwrap() && !block_on(refreshed).unwrap());
    assert!(store.get(&150_u32).unwrap().is_none());
    assert!(store.get(&151_u32).unwrap() == Some(new));
    assert_eq!(fs::read_dir(store.path().join("tmp")).unwrap().count(), 0);
}

#[test]
fn a_result_that_is_forgotten_while_a_memo_writes_it_is_returned_and_not_stored() {
    let dir = volatile_dir();
    record_logs();
    let memo = fcache("gated").dir(dir.path()).wrap_async(async |gate: &u32| value(*gate, LARGE));
    let busy = Busy::keep(memo.store().primary(), 250);
    let mut call = Box::pin(memo.call_async(&249));
    assert!(poll_once(&mut call).is_pending());
    assert!(!memo.forget(&249).unwrap());
    busy.end();
    assert!(block_on(call) == value(249, LARGE));
    assert!(memo.peek(&249).unwrap().is_none());
    assert!(block_on(memo.call_async(&249)) == value(249, LARGE));
    assert!(memo.peek(&249).unwrap() == Some(value(249, LARGE)));
}

#[test]
fn a_large_value_is_not_found_if_the_counters_are_lost_while_it_is_written() {
    let dir = volatile_dir();
    let store = store(dir.path());
    let busy = Busy::keep(&store, 300);
    let mut begun = store.insert_begun_async(&299_u32, &value(299, LARGE), None, store.begin(&299_u32));
    assert!(poll_once(&mut begun).is_pending());
    fs::remove_file(store.path().join("meta")).unwrap();
    assert!(!store.remove(&299_u32).unwrap());
    busy.end();
    assert!(!block_on(begun).unwrap());
    assert!(store.get(&299_u32).unwrap().is_none());
}

#[test]
fn a_task_that_is_dropped_leaves_nothing_that_is_wrong() {
    let dir = volatile_dir();
    let store = store(dir.path());
    let (old, new) = (value(350, LARGE), value(351, 10));
    let busy = Busy::keep(&store, 400);
    store.insert(&352_u32, &old).unwrap();
    let begun = || store.insert_begun_async(&350_u32, &old, None, store.begin(&350_u32));
    let plain = || store.insert_async(&351_u32, &old);
    let read = || store.view_async(&352_u32);
    // Some are dropped before they begin.
    drop((begun(), plain(), read()));
    let (mut begun, mut plain, mut read) = (begun(), plain(), read());
    assert!(
        poll_once(&mut begun).is_pending() && poll_once(&mut plain).is_pending() && poll_once(&mut read).is_pending()
    );
    drop((begun, plain, read));
    store.insert(&351_u32, &new).unwrap();
    busy.end();
    // A computed result is still stored.
    until("the result is there", || store.get(&350_u32).unwrap().is_some());
    assert!(store.get(&350_u32).unwrap().as_ref() == Some(&old));
    until("all is written", || fs::read_dir(store.path().join("tmp")).unwrap().count() == 0);
    assert!(store.get(&351_u32).unwrap() == Some(new), "a value comes back");
    assert!(block_on(store.get_async(&352_u32)).unwrap() == Some(old));
}

#[test]
fn a_large_file_that_many_tasks_ask_for_is_not_checked_for_each_of_them() {
    let dir = volatile_dir();
    store(dir.path()).insert(&450_u32, &value(450, LARGE)).unwrap();
    close(450..451);
    let store = store(dir.path());
    let mut views: Vec<_> = (0..30).map(|_| store.view_async(&450_u32)).collect();
    assert!(views.iter_mut().all(|view| poll_once(view).is_pending()));
    open(450..451);
    for view in block_on(join_all(views)) {
        assert_eq!(view.unwrap().unwrap().bytes.len(), LARGE);
    }
    assert!(checked(450).len() < 12, "{} checks", checked(450).len());
}

#[test]
fn damage_of_a_large_file_is_a_miss_and_one_warning() {
    let dir = volatile_dir();
    record_logs();
    let memo = || fcache("gated").dir(dir.path()).wrap_async(async |gate: &u32| value(*gate, LARGE));
    let first = memo();
    let keys = 500..503_u32;
    keys.clone().for_each(|key| drop(block_on(first.view_async(&key))));
    for key in keys.clone() {
        let path = first.store().path_of(&key).unwrap();
        let mut bytes = fs::read(&path).unwrap();
        bytes[LARGE / 2] ^= 1;
        #[expect(clippy::permissions_set_readonly_false, reason = "it is for the owner")]
        let writable = |mut permissions: Permissions| {
            permissions.set_readonly(false);
            permissions
        };
        let mode = path.metadata().unwrap().permissions();
        fs::remove_file(&path).unwrap();
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(&path, writable(mode)).unwrap();
    }
    let second = memo();
    assert!(is_later(&second.store().primary().get_async(&500_u32)));
    for key in keys.clone() {
        assert_eq!(block_on(second.view_async(&key)).bytes[..], value(key, LARGE).bytes);
    }
    assert_one_warning(dir.path(), &["checksum is wrong"]);
    // They were stored again.
    let third = memo();
    keys.for_each(|key| assert!(block_on(third.store().primary().get_async(&key)).unwrap().is_some()));
}

#[cfg(feature = "serde")]
#[test]
fn large_values_of_serde_are_read_and_written_later() {
    let dir = volatile_dir();
    let open = || fcache("numbers").dir(dir.path()).serde().open::<Vec<u32>>().unwrap();
    let numbers: Vec<u32> = (1 << 30..(1 << 30) + 1_000_000).collect();
    let first = open();
    let written = first.insert_async("key", &numbers);
    assert!(is_later(&written));
    block_on(written).unwrap();
    let second = open();
    let read = second.get_async("key");
    assert!(is_later(&read));
    assert_eq!(block_on(read).unwrap(), Some(numbers));
}
