//! Compares `bcache` with its bare engine and, with the feature `peers`, with other databases.
//!
//! `cargo bench -p twat-cache-benches --bench disk --features peers` prints tables of `BENCHMARKS.md`. With
//! `-- --check`, it fails if a bound does not hold. With `-- --long`, it also measures a million entries. `-- --stores`
//! and similar options choose parts. The bench writes to `$TWAT_BENCH_DIR`, or else to Cargo's target directory.

#[path = "disk/databases.rs"]
mod databases;
#[cfg(feature = "peers")]
#[path = "disk/peers.rs"]
mod peers;

use std::fs;
use std::hint::black_box;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

use databases::{Bare, ENTRIES, directory, long, short, store, wait_for_compaction};
use tempfile::TempDir;
use twat_cache_benches::{Effort, Latencies, Limit, Race, Report, Turn, Until, asked_for, over_windows, sample, usage};
use twat_cache_disk::{DiskStore, KeyedStore, Memo, bcache};

const BARE: &str = "`fjall`, `get` and `rkyv`";
const BARE_SHORT: &str = "the same, keys of 8 B";
const BARE_INSERT: &str = "`fjall`, `rkyv` and `insert`";
const STORE: &str = "**`bcache`**, the store";
const BCACHE: &str = "**`bcache`**";

/// The option that chooses a part of the bench, and that part.
type Part<'a> = (&'static str, &'a dyn Fn(&mut Report));

fn main() -> ExitCode {
    let effort = effort();
    let mut report = Report::new(effort);
    let size = |entries: usize| if effort.is_touch() { 100 } else { entries };
    if !effort.is_touch() {
        prime();
    }
    let parts: [Part<'_>; 6] = [
        ("burst", &|report| burst(report, effort)),
        ("hits", &|report| [100, 10_000].into_iter().for_each(|length| hits(report, effort, size(ENTRIES), length))),
        ("growth", &|report| growth(report, effort)),
        ("stores", &|report| stores(report, effort)),
        ("space", &|report| space(report, size(10_000))),
        ("opening", &|report| opening(report, size(ENTRIES))),
    ];
    let chosen = |part: &str| asked_for(&format!("--{part}"));
    let all = !parts.iter().any(|(part, _)| chosen(part));
    for (_, run) in parts.iter().filter(|(part, _)| all || chosen(part)) {
        run(&mut report);
    }
    report.finish()
}

/// Each database is set up once only, because filling one takes long.
fn effort() -> Effort {
    match Effort::from_args() {
        touch if touch.is_touch() => touch,
        full => Effort { setups: 1, rounds: 201, ..full },
    }
}

/// Writes some gigabytes before the bench: on a fresh virtual disk, the first ones take longer than all later ones.
fn prime() {
    let dir = directory();
    let chunk = vec![1; 64 << 20];
    for part in 0..32 {
        let path = dir.path().join(part.to_string());
        fs::write(&path, &chunk).and_then(|()| fs::File::open(&path)?.sync_all()).expect("there is room");
    }
}

fn fill(store: &DiskStore<String>, keys: &[u64]) {
    for key in keys {
        store.insert(key, &answer(*key, 100)).expect("it is open");
    }
}

fn answer(number: u64, length: usize) -> String {
    sample::text(number, length)
}

fn hits(report: &mut Report, effort: Effort, entries: usize, length: usize) {
    let stored = sample::numbers(entries);
    let keys = &sample::shuffled(stored.clone());
    // A window takes about one turn. So a turn seldom finds blocks that the turn before it has fetched.
    let window = entries.min(100);
    let [bare_dir, short_dir, dir] = [(); 3].map(|()| directory());
    let bare = Bare::filled(&bare_dir, long, &stored, length);
    let bare_short = Bare::filled(&short_dir, short, &stored, length);
    let memo = Memo::new(store(&dir), |number: &u64| answer(*number, length));
    for key in &stored {
        memo.call(key);
    }
    wait_for_compaction(memo.store());

    #[cfg(feature = "peers")]
    let peers = peers::Peers::filled(&stored, length);
    let mut race = Race::new(window);
    race.add(BARE, || over_windows(keys, window, |key| _ = black_box(bare.get(*key).expect("it is stored"))));
    race.add(BARE_SHORT, || {
        over_windows(keys, window, |key| _ = black_box(bare_short.get(*key).expect("it is stored")))
    });
    race.add(BCACHE, || over_windows(keys, window, |key| _ = black_box(memo.call(key))));
    #[cfg(feature = "peers")]
    peers.enter(&mut race, keys, window);

    let outcome = race.run(effort);
    report.section(&format!("Hits of {length} B among {entries} entries on disk"));
    report.race(&outcome);
    let what = format!("{BCACHE}, hit of {length} B among {entries}");
    report.bound(what, outcome.ratio(BCACHE, BARE).median, Limit::AtMost(1.25));
}

/// How many entries a bench uses repeatedly, if it does not use all.
const HOT: usize = 1000;

/// Shows whether a hit takes longer when there are more entries.
fn growth(report: &mut Report, effort: Effort) {
    let largest = if asked_for("--long") { 6 } else { 5 };
    let largest = if effort.is_touch() { 3 } else { largest };
    let sizes: Vec<usize> = (3..=largest).map(|power| 10_usize.pow(power)).collect();
    let filled: Vec<_> = sizes
        .iter()
        .map(|size| {
            let stored = sample::numbers(*size);
            let dir = directory();
            let store = store(&dir);
            fill(&store, &stored);
            wait_for_compaction(&store);
            (sample::shuffled(stored), store, dir)
        })
        .collect();
    let mut race = Race::new(100);
    for (keys, store, _) in &filled {
        let size = keys.len();
        for (name, keys) in [(any_of(size), &keys[..]), (hot_of(size), &keys[..HOT.min(size)])] {
            race.add(name, || {
                over_windows(keys, 100, |key| _ = black_box(store.get(key).expect("it is open").expect("it is stored")))
            });
        }
    }
    let outcome = race.run(effort);
    report.section("Hits of 100 B, by the number of entries");
    report.race(&outcome);
    let (first, last) = (sizes[0], sizes[sizes.len() - 1]);
    let [first, last] = [first, last].map(any_of);
    let what = format!("{STORE}, hit of 100 B, {last} against {first}");
    report.bound(what, outcome.ratio(&last, &first).median, Limit::AtMost(1.50));
}

fn any_of(size: usize) -> String {
    format!("any of {size} entries")
}

fn hot_of(size: usize) -> String {
    format!("the same {HOT} of {size} entries")
}

/// The cost of storing the result of a miss. All rows store new keys.
fn stores(report: &mut Report, effort: Effort) {
    const BATCH: usize = 100;
    let dirs = [(); 4].map(|()| directory());
    let bare = Bare::filled(&dirs[0], long, &[], 100);
    let bare_short = Bare::filled(&dirs[3], short, &[], 100);
    let store = store(&dirs[1]);
    let memo = bcache("bench").dir(dirs[2].path()).wrap(|number: &u64| answer(*number, 100));
    memo.call(&0);

    #[cfg(feature = "peers")]
    let peers = peers::Peers::filled(&[], 100);
    let mut race = Race::new(BATCH);
    race.add(BARE_INSERT, || over_new(BATCH, |number, value| bare.insert(number, value)));
    race.add(BARE_SHORT, || over_new(BATCH, |number, value| bare_short.insert(number, value)));
    race.add(STORE, || over_new(BATCH, |number, value| store.insert(&number, value).expect("it is open")));
    race.add(format!("{BCACHE}, a miss"), || over_new(BATCH, |number, _| _ = black_box(memo.call(&number))));
    #[cfg(feature = "peers")]
    peers.enter_stores(&mut race, BATCH);

    let outcome = race.run(effort);
    report.section("Stores of 100 B on disk");
    report.race(&outcome);
    let what = format!("{STORE}, store of 100 B");
    report.bound(what, outcome.ratio(STORE, BARE_INSERT).median, Limit::AtMost(1.50));
}

/// A turn in which each lap stores a batch of new numbers. Making the values is not timed.
fn over_new<'a>(batch: usize, mut visit: impl FnMut(u64, &String) + 'a) -> Turn<'a> {
    // Larger than the keys of all hits.
    let mut last = 1 << 32;
    Box::new(move |laps| {
        let mut time = Duration::ZERO;
        for _ in 0..laps {
            let new = (last..).map(sample::scatter).take(batch);
            let values: Vec<_> = new.map(|number| (number, answer(number, 100))).collect();
            last += batch as u64;
            let start = Instant::now();
            for (number, value) in &values {
                visit(*number, value);
            }
            time += start.elapsed();
        }
        time
    })
}

/// The disk space of a small entry: after its process has closed the database, and after the next one has opened it.
fn space(report: &mut Report, entries: usize) {
    let dir = directory();
    fill(&store(&dir), &sample::numbers(entries));
    let closed = per_entry(&dir, entries);
    let again = store(&dir);
    sleep(Duration::from_secs(1));
    let open = per_entry(&dir, entries);
    wait_for_compaction(&again);
    drop(again);
    let compacted = per_entry(&dir, entries);
    report.section(&format!("Disk for {entries} entries of 100 B"));
    let row = |what: &str, bytes: f64| [what.to_owned(), format!("{bytes:.0}")];
    let rows =
        [row("closed", closed), row("opened again", open), row("written to tables as well, and closed", compacted)];
    report.table(["", "B an entry"], rows);
    report.bound("disk of an entry of 100 B, closed, B", closed, Limit::AtMost(200.0));
    report.bound("disk of an entry of 100 B, opened again, B", open, Limit::AtMost(200.0));
}

fn per_entry(dir: &TempDir, entries: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "below 2^52")]
    let bytes = usage::disk(dir.path()) as f64 / entries as f64;
    bytes
}

/// The duration of the first use of a large database.
fn opening(report: &mut Report, entries: usize) {
    let dir = directory();
    fill(&store(&dir), &sample::numbers(entries));
    let mut times = Vec::new();
    for _ in 0..5 {
        let start = Instant::now();
        let store = store(&dir);
        times.push(start.elapsed());
        drop(store);
    }
    times.sort_unstable();
    let elsewhere = directory();
    let start = Instant::now();
    let memo = bcache("bench").dir(elsewhere.path().join("new")).wrap(|number: &u64| answer(*number, 100));
    let wrapped = start.elapsed();
    assert!(!elsewhere.path().join("new").exists(), "`wrap` opens nothing");
    let start = Instant::now();
    memo.call(&1);
    let created = start.elapsed();
    report.section(&format!("Opening, with {entries} entries of 100 B"));
    let row = |what: &str, time: Duration| [what.to_owned(), format!("{:.3}", time.as_secs_f64() * 1e3)];
    let rows = [
        row("`wrap`, which opens nothing", wrapped),
        row("the first call in a new directory", created),
        row("the first use of the database, median of 5", times[2]),
        row("the same, worst of 5", times[4]),
    ];
    report.table(["", "ms"], rows);
    let what = format!("opening with {entries} entries, ms");
    report.bound(what, times[2].as_secs_f64() * 1e3, Limit::AtMost(400.0));
}

/// The latency of calls while many results are computed at once.
fn burst(report: &mut Report, effort: Effort) {
    let (rounds, calls) = if effort.is_touch() { (1, 100) } else { (5, 5000) };
    let mut rows = Vec::new();
    let mut worst = Vec::new();
    for round in 0..rounds {
        let dir = directory();
        let memo = bcache("bench").dir(dir.path()).wrap(|number: &u64| answer(*number, 10_000));
        memo.call(&0);
        let base = (1 << 32) + (round << 20);
        let latencies = Latencies::measure(4, Until::Count(calls), |call| _ = memo.call(&sample::scatter(base + call)));
        let kept = memo.len().map_or(0, |len| len as u64).saturating_sub(1);
        let [p50, p99, p999, longest] = latencies.columns();
        rows.push([format!("{}", round + 1), p50, p99, p999, longest, format!("{}", calls.saturating_sub(kept))]);
        worst.push(latencies.worst().as_secs_f64() * 1e3);
    }
    worst.sort_by(f64::total_cmp);
    report.section(&format!("A burst of {calls} misses of 10,000 B by 4 threads"));
    report.table(["round", "µs, median", "99 %", "99.9 %", "worst", "not stored"], rows);
    report.bound("worst miss of a burst, median of the rounds, ms", worst[worst.len() / 2], Limit::AtMost(50.0));
}
