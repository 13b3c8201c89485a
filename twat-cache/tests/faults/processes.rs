//! Scenario 21: two processes at work in one directory.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use twat_cache_core::testing::child::{Child, Task};
use twat_cache_core::testing::{Counter, Random, in_four_threads, record_logs, warnings};
use twat_cache_core::{Error, ErrorKind};

use super::cell::{Amount, Cell, Fault, Rule};
use super::kind_of_child;
use super::session::{Round, Session};
use super::wrappers::{Kind, Limits, Wrapper};

const KEYS: u64 = 20;

pub(crate) fn faults() -> Vec<Fault> {
    let rule = |kind: Kind| match kind {
        // The second process finds the database locked.
        // On a busy machine, a process that shares a database may wait for the other one for too long.
        Kind::Disk | Kind::UnifiedDisk | Kind::Shared | Kind::Unified => Rule::new(Amount::Any, Amount::AtMost(1)),
        _ => Rule::new(Amount::Any, Amount::Exactly(0)),
    };
    let name = "two processes of four threads each";
    vec![Fault { scenario: 21, name, keys: KEYS, run: Box::new(two_processes), rule }]
}

/// Every number of a value contains its key and the number of its computation.
fn is_of(value: &[u64], key: u64) -> bool {
    value.iter().all(|number| number >> 32 == key && Some(number) == value.first())
}

/// Does random operations on a few keys, and returns whether all values were right.
fn act(wrapper: &dyn Wrapper, random: &mut Random) -> bool {
    let key = random.below(20);
    match random.below(60) {
        0..40 => is_of(&wrapper.call(key), key),
        40..46 => is_of(&wrapper.refresh(key), key),
        46..52 => wrapper.peek(key).unwrap().is_none_or(|value| is_of(&value, key)),
        52..59 => is_forgotten(wrapper.forget(key)),
        _ => is_forgotten(wrapper.clear()),
    }
}

/// Entries in a database that another process has locked cannot be removed. Removing them from memory is not enough.
fn is_forgotten<T>(forgotten: Result<T, Error>) -> bool {
    forgotten.map_or_else(|error| matches!(error.kind(), ErrorKind::Locked | ErrorKind::Io), |_| true)
}

#[test]
fn child_at_work() {
    let Some(task) = Task::given() else { return };
    record_logs();
    let (computed, seed) = (Arc::new(Counter::new()), u64::from(std::process::id()));
    let counter = computed.clone();
    let function = move |key: &u64| {
        let count = counter.count() as u64;
        // Up to 64 KB, of another length each time.
        let length = Random(count ^ seed << 32).index(8193);
        vec![key << 32 | count; length]
    };
    // Not all possible entries are stored.
    let wrapper =
        kind_of_child().open(&task.dir, Limits { max_bytes: 400 << 10, ..Limits::default() }, Box::new(function));
    let wrong = AtomicUsize::new(0);
    in_four_threads(seed, 20, |random| {
        wrong.fetch_add(usize::from(!act(&*wrapper, random)), Ordering::Relaxed);
    });
    drop(wrapper);
    Round { wrong: wrong.into_inner(), computed: computed.get(), warnings: warnings(&task.dir) }.tell(&task);
}

fn two_processes(cell: &mut Cell) {
    let dir = cell.dir.clone();
    let children = [0, 1].map(|_| Child::start("processes::child_at_work", &dir));
    for (nth, child) in children.into_iter().enumerate() {
        let seen = Round::told(child.finish()).expect("it tells of what it did");
        cell.check(&format_args!("process {nth}"), &seen);
    }
    cell.expect(!Kind::has_replaced(&dir), &"afterwards", "another process is no damage");
    // Its values are not those of other cells.
    cell.until_it_opens(&dir);
    let session = Session::open(cell.kind, &dir);
    session.wrapper.clear().unwrap();
    session.end();
    cell.recovers(&"afterwards", &dir, 0..KEYS);
}
