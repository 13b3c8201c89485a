//! Compares `fcache` with the same work by hand and, with the feature `peers`, with another cache of files.
//!
//! `cargo bench -p twat-cache-benches --bench file --features peers` prints tables of `BENCHMARKS.md`. With
//! `-- --check`, it fails if a bound does not hold. `-- --views` and similar options choose parts. The bench writes to
//! `$TWAT_BENCH_DIR`, or else to Cargo's target directory.

#[path = "file/by_hand.rs"]
mod by_hand;
#[cfg(feature = "peers")]
#[path = "file/peers.rs"]
mod peers;
#[path = "file/removal.rs"]
mod removal;

use std::fs;
use std::hint::black_box;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use by_hand::directory;
use tempfile::TempDir;
use twat_cache_benches::{Effort, Limit, Race, Report, Turn, asked_for, over, sample};
use twat_cache_file::persist::CacheValue;
use twat_cache_file::{FileStore, KeyedStore as _, Memo, Verify, ViewStore as _, fcache};
use twat_cache_mem::mcache;

const MIB: u64 = 1 << 20;

/// The option that chooses a part of the bench, and that part.
type Part<'a> = (&'static str, &'a dyn Fn(&mut Report));

fn main() -> ExitCode {
    let effort = match Effort::from_args() {
        touch if touch.is_touch() => touch,
        full => Effort { setups: 3, rounds: 101, ..full },
    };
    let mut report = Report::new(effort);
    if !effort.is_touch() {
        prime();
    }
    let parts: [Part<'_>; 7] = [
        ("views", &|report| views(report, effort)),
        ("first", &|report| first_views(report, effort)),
        ("calls", &|report| calls(report, effort)),
        ("growth", &|report| growth(report, effort)),
        ("small", &|report| small_stores(report, effort)),
        ("large", &|report| large_stores(report, effort)),
        ("removal", &|report| removal::removal(report, effort)),
    ];
    let chosen = |part: &str| asked_for(&format!("--{part}"));
    let all = !parts.iter().any(|(part, _)| chosen(part));
    for (_, run) in parts.iter().filter(|(part, _)| all || chosen(part)) {
        run(&mut report);
    }
    report.finish()
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

fn store<V: CacheValue>(dir: &TempDir) -> FileStore<V> {
    fcache("bench").dir(dir.path()).verify(Verify::Structure).open().expect("it is a directory of ours")
}

/// Numbers that take this many bytes.
fn numbers(bytes: u64) -> Vec<f64> {
    (0..u32::try_from(bytes / 8).expect("below 32 GiB")).map(f64::from).collect()
}

/// Views of entries that the store has already mapped.
fn views(report: &mut Report, effort: Effort) {
    let sizes = if effort.is_touch() { [1, 2, 3] } else { [1, 128, 1024] };
    let dir = directory();
    let memo = Memo::new(store::<Vec<f64>>(&dir), |mib: &u64| numbers(mib * MIB));
    let in_memory = mcache().wrap(|mib: &u64| *mib);
    for mib in sizes {
        assert!(memo.view(&mib).is_mapped(), "or it would not be what is measured");
        in_memory.call(&mib);
    }
    let mut race = Race::new(1);
    race.add("`mcache`, a number", || over(&sizes[..1], |mib| _ = black_box(in_memory.call(mib))));
    for mib in &sizes {
        let keys = std::slice::from_ref(mib);
        race.add(view_of(*mib), || over(keys, |mib| _ = black_box(memo.view(mib)[7])));
    }
    race.add("the same, each 10 µs after the last", || spaced(|| _ = black_box(memo.view(&sizes[2])[7])));
    let outcome = race.run(effort);
    report.section("Views of what is at hand");
    report.race(&outcome);
    let times = sizes.map(|mib| outcome.time(&view_of(mib)).median);
    let [least, most] =
        [times.into_iter().reduce(f64::min), times.into_iter().reduce(f64::max)].map(Option::unwrap_or_default);
    report.bound("a view, ns", most, Limit::AtMost(100.0));
    report.bound("a view, the slowest size against the fastest", most / least, Limit::AtMost(1.20));
}

/// A turn that waits 10 µs before each lap. The measured time includes reading the clock twice.
fn spaced<'a>(mut work: impl FnMut() + 'a) -> Turn<'a> {
    Box::new(move |laps| {
        let mut time = Duration::ZERO;
        for _ in 0..laps {
            let pause = Instant::now();
            while pause.elapsed() < Duration::from_micros(10) {
                std::hint::spin_loop();
            }
            let start = Instant::now();
            work();
            time += start.elapsed();
        }
        time
    })
}

fn view_of(mib: u64) -> String {
    format!("**`fcache`**, `view` of {mib} MiB")
}

/// A turn in which each lap uses a newly opened store, which has no open entries. Opening it is not timed.
fn with_fresh<'a, V: CacheValue>(dir: &'a TempDir, verify: Verify, work: impl Fn(&FileStore<V>) + 'a) -> Turn<'a> {
    Box::new(move |laps| {
        let mut time = Duration::ZERO;
        for _ in 0..laps {
            let store = fcache("bench").dir(dir.path()).verify(verify).open().expect("it is a directory of ours");
            let start = Instant::now();
            work(&store);
            time += start.elapsed();
        }
        time
    })
}

/// The first view of an entry in a process.
fn first_views(report: &mut Report, effort: Effort) {
    let mib = if effort.is_touch() { 1 } else { 128 };
    let dir = directory();
    let bytes = store::<Vec<f64>>(&dir);
    bytes.insert(&mib, &numbers(mib * MIB)).expect("there is room");
    let path = bytes.path_of(&mib).expect("it is open");
    let last = |store: &FileStore<Vec<f64>>| {
        let view = store.view(&mib).expect("it is open").expect("it is stored");
        black_box(view[view.len() - 1]);
    };
    let mut race = Race::new(1);
    race.add(BY_HAND, || over(&[()], |()| _ = black_box(by_hand::last_number(&path))));
    race.add(STRUCTURE, || with_fresh(&dir, Verify::Structure, last));
    race.add("**`fcache`**, the same, and the directory", || over(&[()], |()| last(&store(&dir))));
    race.add("**`fcache`**, `Verify::Once`", || with_fresh(&dir, Verify::Once, last));
    let outcome = race.run(Effort { setups: 1, rounds: effort.rounds.min(41), ..effort });
    report.section(&format!("The first view of {mib} MiB in a process"));
    report.race(&outcome);
    report.bound("the first view, without its checksum", outcome.ratio(STRUCTURE, BY_HAND).median, Limit::AtMost(2.0));
}

const BY_HAND: &str = "open, map and validate by hand";
const STRUCTURE: &str = "**`fcache`**, `Verify::Structure`";

/// Calls of small values.
fn calls(report: &mut Report, effort: Effort) {
    let keys = &sample::numbers(if effort.is_touch() { 10 } else { 1000 });
    let dir = directory();
    let memo = Memo::new(store::<String>(&dir), |key: &u64| sample::text(*key, 100));
    for key in keys {
        memo.call(key);
    }
    let paths: Vec<_> = keys.iter().map(|key| memo.store().path_of(key).expect("it is open")).collect();
    #[cfg(feature = "peers")]
    let peer = peers::filled(keys, 100);

    let mut race = Race::new(keys.len());
    race.add(READ, || over(&paths, |path| _ = black_box(fs::read(path).expect("it is there"))));
    race.add(AT_HAND, || over(keys, |key| _ = black_box(memo.call(key))));
    race.add(NOT_AT_HAND, || with_fresh(&dir, Verify::Once, |store| get_all(store, keys)));
    #[cfg(feature = "peers")]
    race.add(peers::NAME, || over(keys, |key| _ = black_box(peers::get(&peer, *key))));
    let outcome = race.run(effort);
    report.section("Calls of 100 B");
    report.race(&outcome);
    report.bound("a call of 100 B, at hand, ns", outcome.time(AT_HAND).median, Limit::AtMost(150.0));
    let what = "a call of 100 B, not at hand, against `fs::read`";
    report.bound(what, outcome.ratio(NOT_AT_HAND, READ).median, Limit::AtMost(1.50));
}

const READ: &str = "`fs::read`";
const AT_HAND: &str = "**`fcache`**, at hand";
const NOT_AT_HAND: &str = "**`fcache`**, not at hand";

/// Shows whether a hit takes longer when there are more entries.
fn growth(report: &mut Report, effort: Effort) {
    let sizes = if effort.is_touch() { [10, 20] } else { [1000, 100_000] };
    let filled = sizes.map(|size| {
        let (dir, keys) = (directory(), sample::numbers(size));
        let store = store::<String>(&dir);
        for key in &keys {
            store.insert(key, &sample::text(*key, 1000)).expect("there is room");
        }
        (sample::shuffled(keys), dir)
    });
    let some = sizes[0];
    let stores = [0, 1].map(|which| store::<String>(&filled[which].1));
    let mut race = Race::new(some);
    for ((keys, dir), size) in filled.iter().zip(sizes) {
        race.add(format!("{some} of {size} entries, not at hand"), move || {
            with_fresh(dir, Verify::Once, move |store| get_all(store, &keys[..some]))
        });
    }
    for (((keys, _), store), size) in filled.iter().zip(&stores).zip(sizes) {
        race.add(format!("{some} of {size} entries, at hand"), move || {
            over(&keys[..some], |key| _ = black_box(store.get(key).expect("it is open").expect("it is stored")))
        });
    }
    let outcome = race.run(effort);
    report.section("Hits of 1000 B, by the number of entries");
    report.race(&outcome);
    for how in ["not at hand", "at hand"] {
        let [few, many] = sizes.map(|size| format!("{some} of {size} entries, {how}"));
        report.bound(format!("{many}, against {few}"), outcome.ratio(&many, &few).median, Limit::AtMost(1.50));
    }
    let opening = |dir| {
        let mut times: Vec<_> = (0..21)
            .map(|_| {
                let start = Instant::now();
                drop(store::<String>(dir));
                start.elapsed().as_secs_f64() * 1e6
            })
            .collect();
        times.sort_by(f64::total_cmp);
        times[10]
    };
    let [few, many] = [&filled[0].1, &filled[1].1].map(opening);
    report.table(
        ["opening", "µs"],
        [(sizes[0], few), (sizes[1], many)].map(|(size, time)| [format!("{size} entries"), format!("{time:.0}")]),
    );
}

fn get_all(store: &FileStore<String>, keys: &[u64]) {
    for key in keys {
        black_box(store.get(key).expect("it is open").expect("it is stored"));
    }
}

/// Storing small values.
fn small_stores(report: &mut Report, effort: Effort) {
    let [dir, hand_dir] = [(); 2].map(|()| directory());
    let store = store::<String>(&dir);
    let hand = by_hand::Files::new(hand_dir.path());
    #[cfg(feature = "peers")]
    let peer = peers::filled(&[], 100);
    let mut race = Race::new(20);
    race.add(RENAME, || over_new(|key, value| hand.store(key, value)));
    race.add("**`fcache`**, the store", || over_new(|key, value| store.insert(&key, value).expect("there is room")));
    #[cfg(feature = "peers")]
    race.add(peers::NAME, || over_new(|key, value| peers::set(&peer, key, value)));
    let outcome = race.run(Effort { setups: 1, ..effort.with_turns(4) });
    report.section("Stores of 100 B");
    report.race(&outcome);
    let what = "a store of 100 B";
    report.bound(what, outcome.ratio("**`fcache`**, the store", RENAME).median, Limit::AtMost(1.50));
}

const RENAME: &str = "`rkyv`, write and rename by hand";

/// A turn in which each lap stores some new numbers. Making the values is not timed.
fn over_new<'a>(mut visit: impl FnMut(u64, &String) + 'a) -> Turn<'a> {
    let mut last = 1 << 32;
    Box::new(move |laps| {
        let mut time = Duration::ZERO;
        for _ in 0..laps {
            let values: Vec<_> =
                (last..).map(sample::scatter).take(20).map(|key| (key, sample::text(key, 100))).collect();
            last += 20;
            let start = Instant::now();
            for (key, value) in &values {
                visit(*key, value);
            }
            time += start.elapsed();
        }
        time
    })
}

/// Storing a large value.
fn large_stores(report: &mut Report, effort: Effort) {
    let mib = if effort.is_touch() { 1 } else { 128 };
    let value = numbers(mib * MIB);
    let [dir, hand_dir] = [(); 2].map(|()| directory());
    let store = store::<Vec<f64>>(&dir);
    let hand = hand_dir.path().join("by hand");
    let mut race = Race::new(1);
    race.add(WRITE, || timed(|| by_hand::store_whole(&hand, &value), || fs::remove_file(&hand).expect("it is there")));
    race.add("**`fcache`**, the store", || {
        timed(|| store.insert(&1, &value).expect("there is room"), || _ = store.remove(&1).expect("it is there"))
    });
    let outcome = race.run(Effort { setups: 1, rounds: effort.rounds.min(15), ..effort });
    report.section(&format!("Stores of {mib} MiB"));
    report.race(&outcome);
    let what = format!("a store of {mib} MiB");
    report.bound(what, outcome.ratio("**`fcache`**, the store", WRITE).median, Limit::AtMost(1.30));
}

const WRITE: &str = "`rkyv::to_bytes` and `fs::write`";

/// A turn in which each lap does something, timed, and undoes it, untimed.
fn timed<'a>(work: impl Fn() + 'a, undo: impl Fn() + 'a) -> Turn<'a> {
    Box::new(move |laps| {
        let mut time = Duration::ZERO;
        for _ in 0..laps {
            let start = Instant::now();
            work();
            time += start.elapsed();
            undo();
        }
        time
    })
}
