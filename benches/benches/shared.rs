//! Compares `scache` with the bare engine, SQLite, and with Python's `diskcache`, in one process and in several.
//!
//! `cargo bench -p twat-cache-benches --bench shared` prints tables of `BENCHMARKS.md`. With `-- --check`, it fails if a
//! bound does not hold. With `-- --long`, it measures a million entries and a million stores, which takes some minutes more.
//! `-- --stores` and similar options choose parts. The bench writes to `$TWAT_BENCH_DIR`, or else to Cargo's target
//! directory. `python3 benches/python/diskcache_workers.py` prepares `diskcache`; without it, nothing is compared with it.

#[path = "shared/bare.rs"]
mod bare;
#[path = "shared/child.rs"]
mod child;
#[path = "shared/diskcache.rs"]
mod diskcache;
#[path = "shared/processes.rs"]
mod processes;
#[path = "shared/saturated.rs"]
mod saturated;

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bare::Bare;
use tempfile::TempDir;
use twat_cache_benches::{Effort, Limit, Race, Report, Turn, asked_for, over_windows, sample};
use twat_cache_shared::{KeyedStore, Memo, SharedBuilder, SharedStore, scache};

const BARE: &str = "`rusqlite`, `SELECT` and `rkyv`";
const BARE_INSERT: &str = "`rusqlite`, `rkyv` and `INSERT`";
const STORE: &str = "**`scache`**, the store";
const SCACHE: &str = "**`scache`**";

/// The option that chooses a part of the bench, and that part.
type Part<'a> = (&'static str, &'a dyn Fn(&mut Report));

fn main() -> ExitCode {
    if let Some(task) = child::Task::given() {
        return match task.role.as_str() {
            "worker" => processes::worker(&task),
            "together" => processes::together(&task),
            "short" => processes::short(&task),
            "steady" => saturated::steady(&task),
            role => panic!("there is no role {role}"),
        };
    }
    // Each database is set up once only, because filling one takes long.
    let effort = match Effort::from_args() {
        touch if touch.is_touch() => touch,
        full => Effort { setups: 1, rounds: 201, ..full },
    };
    let mut report = Report::new(effort);
    let size = |entries: usize| if effort.is_touch() { 100 } else { entries };
    let parts: [Part<'_>; 6] = [
        ("hits", &|report| [100, 10_000].into_iter().for_each(|length| hits(report, effort, size(100_000), length))),
        ("growth", &|report| growth(report, effort)),
        ("workers", &|report| processes::workers(report, size(100_000))),
        ("together", &|report| processes::all_together(report, size(100_000))),
        ("short", &processes::short_lives),
        ("saturated", &|report| saturated::runs(report, effort)),
    ];
    let chosen = |part: &str| asked_for(&format!("--{part}"));
    let all = !parts.iter().any(|(part, _)| chosen(part));
    for (_, run) in parts.iter().filter(|(part, _)| all || chosen(part)) {
        run(&mut report);
    }
    report.finish()
}

/// Makes a directory on the disk that is measured.
fn directory() -> TempDir {
    let parent = std::env::var_os("TWAT_BENCH_DIR").map_or_else(|| env!("CARGO_TARGET_TMPDIR").into(), PathBuf::from);
    std::fs::create_dir_all(&parent).and_then(|()| TempDir::new_in(&parent)).expect("the target directory is writable")
}

/// A cache that is large enough for all entries of a bench.
fn cache(dir: &Path) -> SharedBuilder {
    scache("bench").dir(dir).max_bytes(8 << 30)
}

/// Stores a value as a miss does.
fn insert(store: &SharedStore<String>, key: u64, value: &String) {
    let ticket = store.begin(&key);
    assert!(store.insert_begun(&key, value, None, ticket).expect("it is open"), "it is current");
}

fn filled(dir: &Path, keys: &[u64], length: usize) -> SharedStore<String> {
    let store = cache(dir).open().expect("it is a directory of ours");
    for key in keys {
        insert(&store, *key, &sample::text(*key, length));
    }
    store.with_connection(bare::checkpoint).expect("it is open");
    store
}

/// Hits and stores in one process, among this many entries.
fn hits(report: &mut Report, effort: Effort, entries: usize, length: usize) {
    let stored = sample::numbers(entries);
    let keys = &sample::shuffled(stored.clone());
    // A window takes about one turn. So a turn seldom finds pages that the turn before it has read.
    let window = entries.min(100);
    let dirs = [(); 2].map(|()| directory());
    let bare = Bare::filled(dirs[0].path(), &stored, length);
    let memo = Memo::new(filled(dirs[1].path(), &stored, length), |key: &u64| sample::text(*key, length));
    let python = diskcache::measure(1, entries, length);

    let mut race = Race::new(window);
    race.add(BARE, || over_windows(keys, window, |key| _ = black_box(bare.get(*key).expect("it is stored"))));
    race.add(SCACHE, || over_windows(keys, window, |key| _ = black_box(memo.call(key))));
    let hits = race.run(effort);
    report.section(&format!("`scache`: hits of {length} B among {entries} entries"));
    report.race(&hits);

    let store = memo.store();
    let mut race = Race::new(20);
    race.add(BARE_INSERT, || over_new(length, |key, value| bare.insert(key, value)));
    race.add(STORE, || over_new(length, |key, value| insert(store, key, value)));
    race.add(format!("{STORE}, `insert`"), || {
        over_new(length, |key, value| store.insert(&key, value).expect("it is open"))
    });
    race.add(format!("{SCACHE}, a miss"), || over_new(length, |key, _| _ = black_box(memo.call(&key))));
    let misses = race.run(effort.with_turns(2));
    report.section(&format!("`scache`: stores of {length} B among {entries} entries"));
    report.race(&misses);

    let to_bare = [hits.ratio(SCACHE, BARE).median, misses.ratio(STORE, BARE_INSERT).median];
    let own = [hits.time(SCACHE).median / 1e3, misses.time(STORE).median / 1e3];
    for (what, ratio, limit) in [("hit", to_bare[0], 1.30), ("store", to_bare[1], 1.50)] {
        report.bound(format!("`scache`, {what} of {length} B among {entries}"), ratio, Limit::AtMost(limit));
    }
    if let Some(python) = python {
        python.print(report);
        for (what, own, python) in [("hit", own[0], python.hit.median), ("store", own[1], python.store.median)] {
            let what = format!("`scache`, {what} of {length} B, against `diskcache`");
            report.bound(what, own / python, Limit::AtMost(0.60));
        }
    }
}

/// A turn in which each lap stores some new numbers. Making the values is not timed.
fn over_new<'a>(length: usize, mut visit: impl FnMut(u64, &String) + 'a) -> Turn<'a> {
    // Larger than the keys of all hits. All contestants have different ones: some have a database in common.
    static NEXT: AtomicU64 = AtomicU64::new(1 << 32);
    Box::new(move |laps| {
        let mut time = Duration::ZERO;
        for _ in 0..laps {
            let new = (NEXT.fetch_add(20, Ordering::Relaxed)..).map(sample::scatter).take(20);
            let values: Vec<_> = new.map(|key| (key, sample::text(key, length))).collect();
            let start = Instant::now();
            for (key, value) in &values {
                visit(*key, value);
            }
            time += start.elapsed();
        }
        time
    })
}

/// Shows whether a hit takes longer when there are more entries.
fn growth(report: &mut Report, effort: Effort) {
    let largest = if asked_for("--long") { 6 } else { 5 };
    let largest = if effort.is_touch() { 4 } else { largest };
    let filled: Vec<_> = (3..=largest)
        .map(|power| {
            let stored = sample::numbers(10_usize.pow(power));
            let dirs = [(); 2].map(|()| directory());
            let bare = Bare::filled(dirs[0].path(), &stored, 100);
            let store = filled(dirs[1].path(), &stored, 100);
            (sample::shuffled(stored), bare, Memo::new(store, |key: &u64| sample::text(*key, 100)), dirs)
        })
        .collect();
    let [engine, own] = ["`rusqlite`", SCACHE].map(|who| move |size: usize| format!("{who}, any of {size} entries"));
    let mut race = Race::new(100);
    for (keys, bare, memo, _) in &filled {
        race.add(engine(keys.len()), || over_windows(keys, 100, |key| _ = black_box(bare.get(*key))));
        race.add(own(keys.len()), || over_windows(keys, 100, |key| _ = black_box(memo.call(key))));
    }
    let outcome = race.run(effort);
    report.section("`scache`: hits of 100 B, by the number of entries");
    report.race(&outcome);
    let [few, many] = [0, filled.len() - 1].map(|which| filled[which].0.len());
    let growth = outcome.ratio_of_ratios([&own(many), &own(few)], [&engine(many), &engine(few)]);
    let what = format!("growth of a hit of `scache` from {few} to {many} entries, against the engine's");
    report.bound(what, growth.median, Limit::AtMost(1.10));
}
