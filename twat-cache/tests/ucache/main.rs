//! `ucache` works everywhere: alone, beside another process, in a read-only directory, and with any subset of the
//! backends.

#![cfg(feature = "ucache")]

#[cfg(target_os = "linux")]
mod full_disk;
mod options;
#[cfg(target_os = "linux")]
mod processes;
#[cfg(target_os = "linux")]
mod read_only;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use twat_cache::unified::{UnifiedBuilder, UnifiedStore};
use twat_cache::{Backend, Call, ManualClock, Memo, ucache};
use twat_cache_core::testing::{Counted, Counter, counted, record_logs, warnings};

type Numbers = Memo<UnifiedStore<u64, Vec<u64>>, Counted<Vec<u64>>>;

fn value(key: u64) -> Vec<u64> {
    vec![key; 100]
}

/// A memo, and the counter of its computations.
fn numbers(builder: UnifiedBuilder) -> (Numbers, Arc<Counter>) {
    record_logs();
    let (function, computed) = counted(value);
    (builder.wrap(function), computed)
}

fn call_all(memo: &Numbers, keys: std::ops::Range<u64>) {
    keys.for_each(|key| assert_eq!(memo.call(&key), value(key)));
}

fn dir() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// The backend on a normal machine, with the compiled features.
const BEST: Backend = if cfg!(feature = "shared") {
    Backend::Shared
} else if cfg!(feature = "disk") {
    Backend::Disk
} else if cfg!(feature = "file") {
    Backend::File
} else {
    Backend::Memory
};

#[test]
fn on_a_normal_machine_the_best_backend_serves_and_the_next_memo_finds_everything() {
    let dir = dir();
    let (memo, computed) = numbers(ucache("numbers").dir(dir.path()));
    call_all(&memo, 0..20);
    call_all(&memo, 0..20);
    assert_eq!(computed.get(), 20);
    assert_eq!(memo.store().backend(), BEST);
    assert_eq!(memo.len().unwrap(), 20);
    drop(memo);
    let (memo, computed) = numbers(ucache("numbers").dir(dir.path()));
    call_all(&memo, 0..20);
    assert_eq!(computed.get(), if BEST == Backend::Memory { 20 } else { 0 });
    assert!(warnings(dir.path()).is_empty());
}

#[test]
fn describe_says_in_one_line_which_backend_serves() {
    let dir = dir();
    let (memo, _) = numbers(ucache("numbers").dir(dir.path()));
    let described = memo.describe();
    let at = dir.path().display().to_string();
    match BEST {
        Backend::Memory => assert_eq!(described, "memory alone"),
        Backend::File => assert!(described.starts_with(&format!("memory in front of files at {at}")), "{described}"),
        Backend::Shared => assert_eq!(described, format!("memory in front of the shared database at {at}/scache")),
        _ => assert_eq!(described, format!("memory in front of the database at {at}/bcache")),
    }
    let (memo, _) = numbers(ucache("numbers").backend(Backend::Memory));
    assert_eq!(memo.describe(), "memory alone");
}

/// There is no backend that would still have them.
#[test]
fn with_memory_alone_a_change_of_one_result_loses_no_other() {
    let (memo, computed) = numbers(ucache("numbers").backend(Backend::Memory));
    (0..200).for_each(|n| drop(memo.call(&n)));
    for n in 200..400 {
        memo.refresh(&n);
        memo.forget(&n).unwrap();
    }
    (0..200).for_each(|n| drop(memo.call(&n)));
    assert_eq!(computed.get(), 400);
}

#[test]
fn with_memory_alone_nothing_is_written() {
    let dir = dir();
    let (memo, computed) = numbers(ucache("numbers").dir(dir.path().join("none")).backend(Backend::Memory));
    call_all(&memo, 0..20);
    call_all(&memo, 0..20);
    assert_eq!(computed.get(), 20);
    assert_eq!(memo.store().backend(), Backend::Memory);
    assert_eq!((memo.len().unwrap(), memo.forget(&1_u64).unwrap(), memo.forget(&1_u64).unwrap()), (20, true, false));
    memo.clear().unwrap();
    assert_eq!(memo.len().unwrap(), 0);
    assert!(!dir.path().join("none").exists());
    assert!(warnings(dir.path()).is_empty());
}

#[test]
fn every_backend_can_be_chosen_and_one_that_is_not_compiled_in_is_one_warning() {
    let backends = [
        (Backend::Shared, "shared", cfg!(feature = "shared")),
        (Backend::Disk, "disk", cfg!(feature = "disk")),
        (Backend::File, "file", cfg!(feature = "file")),
    ];
    for (asked, feature, is_there) in backends {
        let dir = dir();
        let name = format!("asked for {asked:?} in {}", dir.path().display());
        let (memo, computed) = numbers(ucache(&name).dir(dir.path()).backend(asked));
        call_all(&memo, 0..20);
        call_all(&memo, 0..20);
        assert_eq!(computed.get(), 20);
        assert_eq!(memo.store().backend(), if is_there { asked } else { Backend::Memory });
        let warnings = record_logs().warnings(&format!("without its feature `{feature}`"));
        assert_eq!(warnings.is_empty(), is_there);
        let opened = ucache(&name).dir(dir.path()).backend(asked).open::<u64, Vec<u64>>();
        assert_eq!(opened.is_ok(), is_there, "`open` is strict");
    }
}

#[test]
fn arguments_may_be_borrowed_and_live_shorter_than_the_memo() {
    let dir = dir();
    let repeat = ucache("repeat").dir(dir.path());
    let repeat = repeat.wrap(|Call((text, times)): &Call<(&str, &usize)>| text.repeat(**times));
    for times in 0..3 {
        let text = String::from("ab");
        assert_eq!(repeat.call(&Call((&text, &times))), "ab".repeat(times));
    }
    let parse = ucache("parse").dir(dir.path()).try_wrap(|text: &str| text.parse::<i32>());
    assert_eq!(parse.try_call("42"), Ok(42));
    assert!(parse.try_call("many").is_err());
    let page = ucache("page").dir(dir.path()).wrap_async(async |url: &str| format!("<p>{url}</p>"));
    futures_lite::future::block_on(async { assert_eq!(page.call_async("/").await, "<p>/</p>") });
    let page = ucache("page").dir(dir.path()).try_wrap_async(async |url: &str| url.parse::<u8>());
    futures_lite::future::block_on(async { assert_eq!(page.try_call_async("7").await, Ok(7)) });
}

#[test]
fn with_any_limit_of_zero_every_call_computes() {
    let dir = dir();
    let none = dir.path().join("none");
    let builder = ucache("numbers").dir(&none);
    for builder in [builder.clone().max_entries(0), builder.clone().max_bytes(0), builder.ttl(Duration::ZERO)] {
        let (memo, computed) = numbers(builder);
        (0..3).for_each(|_| call_all(&memo, 0..5));
        assert_eq!(computed.get(), 15);
        assert_eq!(memo.len().unwrap(), 0);
        assert!(!none.exists());
    }
}

#[test]
fn a_value_over_the_limit_is_returned_and_not_stored() {
    for backend in [Backend::Auto, Backend::Disk, Backend::File, Backend::Memory] {
        let dir = dir();
        let (memo, computed) = numbers(ucache("numbers").dir(dir.path()).max_bytes(20_000).backend(backend));
        call_all(&memo, 0..3);
        let big = Arc::new(Counter::new());
        let sized = ucache("sized").dir(dir.path()).max_bytes(20_000).backend(backend);
        let sized = sized.wrap(|len: &usize| {
            big.count();
            vec![1_u8; *len]
        });
        for _ in 0..3 {
            assert_eq!(sized.call(&30_000).len(), 30_000);
            assert_eq!(sized.call(&10).len(), 10);
            assert_eq!(sized.peek(&30_000).unwrap(), None);
        }
        assert_eq!(big.get(), 4, "three times the one, once the other");
        call_all(&memo, 0..3);
        assert_eq!(computed.get(), 3);
    }
}

#[test]
fn a_value_slightly_under_the_limit_is_stored() {
    let dir = dir();
    let computed = Counter::new();
    let sized = ucache("sized").dir(dir.path()).max_bytes(1999).backend(Backend::Memory);
    let sized = sized.wrap(|len: &usize| {
        computed.count();
        vec![1_u8; *len]
    });
    for _ in 0..3 {
        assert_eq!(sized.call(&1500).len(), 1500);
    }
    assert_eq!(computed.get(), 1);
}

#[test]
fn large_results_do_not_fill_memory() {
    let dir = dir();
    let large = ucache("large").dir(dir.path()).max_bytes(100_000).backend(Backend::Memory);
    let large = large.wrap(|key: &u64| vec![*key; 1000]);
    for key in 0..500 {
        assert_eq!(large.call(&key), vec![key; 1000]);
    }
    let held = large.len().unwrap();
    assert!((8..=12).contains(&held), "{held} results of 8 kB where 100 kB may be");
}

#[test]
fn entries_in_memory_expire_when_those_behind_it_do() {
    let dir = dir();
    let hand = ManualClock::new();
    for backend in [Backend::Auto, Backend::Disk, Backend::File, Backend::Memory] {
        let name = format!("{backend:?}");
        let open = || {
            let ttl = Duration::from_secs(60);
            numbers(ucache(&name).dir(dir.path()).ttl(ttl).clock(hand.clock()).backend(backend))
        };
        let (memo, _) = open();
        call_all(&memo, 0..3);
        hand.advance(Duration::from_secs(40));
        // Another memo fills its memory from the backend, for the time that is left.
        drop(memo);
        let (memo, computed) = open();
        call_all(&memo, 0..3);
        let computed_anew = computed.get();
        hand.advance(Duration::from_secs(40));
        call_all(&memo, 0..3);
        let is_persistent = memo.store().backend() != Backend::Memory;
        assert_eq!((computed_anew, computed.get()), if is_persistent { (0, 3) } else { (3, 3) });
    }
}

#[test]
fn caches_of_another_name_version_or_type_share_nothing() {
    let dir = dir();
    let open = |name: &str, version: u32| ucache(name).dir(dir.path()).version(version);
    let [a, b, c] = [("a", 1), ("b", 1), ("a", 2)];
    let [a, b, c] =
        [a, b, c].map(|(name, version)| open(name, version).wrap(move |n: &u64| format!("{name}{version} {n}")));
    for _ in 0..2 {
        assert_eq!([a.call(&1), b.call(&1), c.call(&1)], ["a1 1", "b1 1", "a2 1"]);
    }
    let other = open("a", 1).wrap(|n: &u64| n + 1);
    assert_eq!(other.call(&1), 2);
}

#[test]
fn the_engines_can_be_reached() {
    let dir = dir();
    let (memo, _) = numbers(ucache("numbers").dir(dir.path()));
    call_all(&memo, 0..3);
    assert_eq!(memo.store().memory().cache().len(), 3);
    #[cfg(feature = "shared")]
    {
        use twat_cache::store::KeyedStore as _;
        assert_eq!(memo.store().shared().unwrap().get(&1_u64).unwrap(), Some(value(1)));
    }
    #[cfg(feature = "disk")]
    {
        use twat_cache::store::KeyedStore as _;
        assert_eq!(memo.store().disk().is_some(), BEST == Backend::Disk);
        let (memo, _) = numbers(ucache("in a database").dir(dir.path()).backend(Backend::Disk));
        call_all(&memo, 0..3);
        assert_eq!(memo.store().disk().unwrap().get(&1_u64).unwrap(), Some(value(1)));
    }
    #[cfg(feature = "file")]
    {
        assert_eq!(memo.store().file().is_some(), BEST == Backend::File);
        let (memo, _) = numbers(ucache("in files").dir(dir.path()).backend(Backend::File));
        call_all(&memo, 0..3);
        assert!(memo.store().file().unwrap().path_of(&1_u64).unwrap().is_file());
    }
}

#[cfg(feature = "disk")]
#[test]
fn entries_of_a_bcache_of_the_same_name_are_found() {
    let dir = dir();
    let bcached = twat_cache::bcache("numbers").dir(dir.path()).version(1).wrap(|key: &u64| value(*key));
    bcached.call(&1);
    let (memo, computed) = numbers(ucache("numbers").dir(dir.path()).version(1).backend(Backend::Disk));
    call_all(&memo, 1..2);
    assert_eq!(computed.get(), 0);
}

#[cfg(feature = "shared")]
#[test]
fn entries_of_an_scache_of_the_same_name_are_found() {
    let dir = dir();
    let shared = twat_cache::scache("numbers").dir(dir.path()).version(1).wrap(|key: &u64| value(*key));
    shared.call(&1);
    let (memo, computed) = numbers(ucache("numbers").dir(dir.path()).version(1));
    call_all(&memo, 1..2);
    assert_eq!(computed.get(), 0);
}

/// Each of them has its own memory.
#[test]
fn two_memos_of_a_name_in_one_process_behave_as_one() {
    for backend in [Backend::Shared, Backend::Disk, Backend::File] {
        let dir = dir();
        let now = std::sync::atomic::AtomicU64::new(0);
        let open = || {
            ucache("clock")
                .dir(dir.path())
                .backend(backend)
                .wrap(|_: &u64| now.load(std::sync::atomic::Ordering::SeqCst))
        };
        let (one, other) = (open(), open());
        if one.store().backend() == Backend::Memory {
            continue;
        }
        let later = || now.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1;
        assert_eq!([one.call(&1), other.call(&1), one.call(&1), other.call(&1)], [0; 4], "{backend:?}");
        let then = later();
        assert!(one.forget(&1).unwrap());
        assert_eq!([other.call(&1), one.call(&1), other.call(&1)], [then; 3], "{backend:?}");
        let then = later();
        assert_eq!(other.refresh(&1), then);
        assert_eq!([one.call(&1), other.call(&1)], [then; 2], "{backend:?}");
        let then = later();
        one.clear().unwrap();
        assert_eq!([other.call(&1), one.call(&1)], [then; 2], "{backend:?}");
        later();
        one.insert(&1, &1000).unwrap();
        assert_eq!([other.call(&1), one.call(&1)], [1000; 2], "{backend:?}");
    }
}

#[cfg(feature = "stats")]
#[test]
fn counts_are_exact() {
    let dir = dir();
    let (memo, _) = numbers(ucache("numbers").dir(dir.path()));
    std::thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(|| call_all(&memo, 0..1000)))));
    memo.refresh(&1);
    let stats = memo.stats();
    assert_eq!(stats.hits + stats.misses, 4000);
    assert_eq!((stats.computations, stats.store_errors), (1001, 0));
    // A path below a file cannot exist.
    let file = dir.path().join("file");
    std::fs::write(&file, "somebody's").unwrap();
    let (memo, _) = numbers(ucache("numbers").dir(file.join("cache")));
    call_all(&memo, 0..3);
    assert_eq!(memo.stats().store_errors > 0, BEST != Backend::Memory);
}
