//! What a caller waits for when many entries are removed: by `clear`, and because of the limit.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use twat_cache_benches::{Effort, Limit, Report, sample};
use twat_cache_file::{FileStore, KeyedStore as _, Store as _, fcache};

use crate::by_hand::{Files, directory};

pub(crate) fn removal(report: &mut Report, effort: Effort) {
    let entries: u64 = if effort.is_touch() { 50 } else { 100_000 };
    let mut rows = Vec::new();
    let mut row = |what: &str, waited: Duration, done: Duration| {
        let [waited, done] = [waited, done].map(|time| format!("{:.2}", time.as_secs_f64() * 1e3));
        rows.push([what.to_owned(), waited, done]);
    };

    let dir = directory();
    let hand = Files::new(dir.path());
    (0..entries).for_each(|key| hand.store(sample::scatter(key), &sample::text(key, 100)));
    let removing = timed(|| fs::remove_dir_all(dir.path()).expect("it is there"));
    row("`remove_dir_all`", removing, removing);

    let dir = directory();
    let store = open(dir.path(), u64::MAX);
    fill(&store, 0..entries);
    let begun = Instant::now();
    let clearing = timed(|| store.clear().expect("it is open"));
    settle(&store);
    row("**`fcache`**, `clear`", clearing, begun.elapsed());

    let dir = directory();
    // Each entry takes a block.
    let store = open(dir.path(), entries * 4096);
    fill(&store, 0..entries);
    let begun = Instant::now();
    let storing = timed(|| fill(&store, entries..entries + 1));
    settle(&store);
    row("**`fcache`**, the store that crosses the limit", storing, begun.elapsed());
    let left = store.len().expect("it is open");
    println!("{left} of {entries} entries are left after that, {} files are removed", entries + 1 - left as u64);

    report.section(&format!("Removing {entries} files"));
    report.table(["removing", "the caller waits, ms", "all is removed, ms"], rows);
    if !effort.is_touch() {
        report.bound("clear, ms", clearing.as_secs_f64() * 1e3, Limit::AtMost(10.0));
        report.bound("the store that crosses the limit, ms", storing.as_secs_f64() * 1e3, Limit::AtMost(10.0));
    }
}

fn open(dir: &Path, max_bytes: u64) -> FileStore<String> {
    fcache("bench").dir(dir).max_bytes(max_bytes).open().expect("it is a directory of ours")
}

fn fill(store: &FileStore<String>, keys: std::ops::Range<u64>) {
    for key in keys {
        store.insert(&key, &sample::text(key, 100)).expect("there is room");
    }
}

fn timed(work: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    work();
    begun.elapsed()
}

/// Waits until no thread removes entries: it has a lock while it does.
fn settle(store: &FileStore<String>) {
    while store.path().join("lock/room").exists() {
        thread::sleep(Duration::from_millis(1));
    }
}
