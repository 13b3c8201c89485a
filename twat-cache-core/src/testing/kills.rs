//! Processes that are killed at any time while they use a cache: the next one must find it usable, and whatever is in it right.

use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use super::child::{Child, Task};
use super::dirs::volatile_dir;
use super::random::Random;
use super::time::{PATIENCE, within};

/// How many keys a child stores, if it comes that far.
pub const BATCH: u64 = 200;

/// In the child: does something with each key of a batch, and says the key now and then, until this process is killed.
pub fn until_killed(task: &mut Task, start: u64, mut act: impl FnMut(u64, &mut Random)) {
    let mut random = Random(u64::from(std::process::id()));
    for key in start..start + BATCH {
        act(key, &mut random);
        if key % 16 == 0 {
            task.say(key);
        }
    }
    // To be killed while nothing happens is an end like any other.
    task.order();
}

/// In the parent: kills thirty children that store, in this directory; the test of this name says "begun" and is told where its
/// batch begins. After each, what is there of the keys is inspected.
pub fn kill_while_it_stores(test: &str, dir: &Path, inspect: fn(&Path, Range<u64>)) {
    const FIRST: u64 = 1000;
    let mut random = Random(1);
    for start in (FIRST..).step_by(usize::try_from(BATCH).unwrap()).take(30) {
        let mut child = Child::start(test, dir);
        child.tell(start);
        (0..=random.below(13)).for_each(|_| drop(child.hear()));
        child.kill_in(Duration::from_micros(random.below(2000)));
        let dir = dir.to_owned();
        within(PATIENCE, move || inspect(&dir, FIRST - 50..start + BATCH));
    }
}

/// In the parent: kills thirty children within this time after they say "begun", each in a new directory, which is inspected
/// then.
pub fn kill_while_it_is_created(test: &str, longest: Duration, inspect: fn(&Path)) {
    let mut random = Random(2);
    let micros = u64::try_from(longest.as_micros()).unwrap();
    for _ in 0..30 {
        let dir = volatile_dir();
        let mut child = Child::start(test, dir.path());
        assert_eq!(child.hear().as_deref(), Some("begun"));
        // It has nothing more to say: the time of the kill is what is random here.
        child.kill_in(Duration::from_micros(random.below(micros)));
        within(PATIENCE, move || inspect(dir.path()));
    }
}
