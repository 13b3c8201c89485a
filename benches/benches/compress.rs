//! Compares `bcache` with and without `compress`, for JSON documents of 2 kB.
//!
//! `cargo bench -p twat-cache-benches --bench compress` prints tables of `BENCHMARKS.md`. With `-- --check`, it fails if a
//! bound does not hold. It writes to `$TWAT_BENCH_DIR`, or else to Cargo's target directory.

#[path = "compress/documents.rs"]
mod documents;

use std::hint::black_box;
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::Value;
use tempfile::TempDir;
use twat_cache_benches::{Effort, Limit, Race, Report, over_windows, sample, usage};
use twat_cache_disk::{DiskStore, KeyedStore, Memo, bcache};

const PLAIN: &str = "`.serde()`";
const COMPRESSED: &str = "**`.serde().compress()`**";

fn main() -> ExitCode {
    let effort = match Effort::from_args() {
        touch if touch.is_touch() => touch,
        full => Effort { setups: 1, rounds: 101, ..full },
    };
    let mut report = Report::new(effort);
    for (kind, make) in documents::KINDS {
        measure(&mut report, effort, kind, make);
    }
    report.finish()
}

fn directory() -> TempDir {
    let parent = std::env::var_os("TWAT_BENCH_DIR").map_or_else(|| env!("CARGO_TARGET_TMPDIR").into(), PathBuf::from);
    std::fs::create_dir_all(&parent).and_then(|()| TempDir::new_in(&parent)).expect("the target directory is writable")
}

fn open(dir: &TempDir, is_compressed: bool) -> DiskStore<Value> {
    let builder = bcache("documents").dir(dir.path()).serde();
    let store = if is_compressed { builder.compress().open() } else { builder.open() };
    store.expect("no other process has it open")
}

fn measure(report: &mut Report, effort: Effort, kind: &str, make: fn(u64) -> Value) {
    let count = if effort.is_touch() { 100 } else { 10_000 };
    let numbers = sample::numbers(count);
    let length = numbers.iter().map(|number| make(*number).to_string().len()).sum::<usize>() / count;
    let dirs = [directory(), directory()];
    // The files of closed databases.
    let sizes = [false, true].map(|is_compressed| {
        let dir = &dirs[usize::from(is_compressed)];
        let store = open(dir, is_compressed);
        for number in &numbers {
            store.insert(number, &make(*number)).expect("there is room");
        }
        drop(store);
        per_entry(dir, count)
    });
    report.section(&format!("{count} JSON documents of {length} B: {kind}"));
    let row = |name: &str, bytes: f64| [name.to_owned(), format!("{bytes:.0}"), format!("{:.2}", bytes / sizes[0])];
    report.table(["", "B an entry on disk", "ratio"], [row(PLAIN, sizes[0]), row(COMPRESSED, sizes[1])]);

    let memos = [false, true].map(|is_compressed| {
        Memo::new(open(&dirs[usize::from(is_compressed)], is_compressed), |number: &u64| make(*number))
    });
    let keys = &sample::shuffled(numbers);
    let mut race = Race::new(100);
    for (name, memo) in [PLAIN, COMPRESSED].into_iter().zip(&memos) {
        race.add(name, || over_windows(keys, 100, |key| _ = black_box(memo.call(key))));
    }
    let outcome = race.run(effort);
    report.race(&outcome);
    if !documents::TEXTS.contains(&kind) {
        report.bound(format!("{kind}, space"), sizes[1] / sizes[0], Limit::AtMost(1.0 / 3.0));
    }
    report.bound(format!("{kind}, hit"), outcome.ratio(COMPRESSED, PLAIN).median, Limit::AtMost(3.0));
}

fn per_entry(dir: &TempDir, entries: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "below 2^52")]
    let bytes = usage::disk(dir.path()) as f64 / entries as f64;
    bytes
}
