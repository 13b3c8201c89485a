//! Several processes use one directory: they see only correct values, and each sees the changes of the others.
#![cfg(unix)]

mod common;

use std::cell::RefCell;
use std::fs;
use std::path::Path;
use std::time::Duration;

use common::text_of;
use futures_lite::future::block_on;
use tempfile::TempDir;
use twat_cache_core::Trust;
use twat_cache_core::testing::child::{Child, Task};
use twat_cache_core::testing::owners::set_mode;
use twat_cache_core::testing::{Counter, Random, in_four_threads, is_text_of, text, volatile_dir, within};
use twat_cache_file::{Access, FileBuilder, FileFallback, Memo, fcache};

/// Four threads do random operations on a few keys until the time is up.
fn work(dir: &Path, seed: u64, max_bytes: u64) {
    let computed = Counter::new();
    let function = |key: &u64| {
        // Of another length each time.
        let mut random = Random(computed.count() as u64 ^ seed << 32);
        let length = random.index(8192);
        text(*key, if random.below(8) == 0 { 25_000 } else { length })
    };
    let memo = fcache("hot").dir(dir).trust(Trust::Group).max_bytes(max_bytes).wrap(function);
    in_four_threads(seed, 60, |random| {
        let key = random.below(20);
        match random.below(60) {
            0..25 => assert!(is_text_of(&memo.call(&key), key), "another key's value"),
            25..45 => assert!(is_text_of(&memo.view(&key), key), "another key's value"),
            45..50 => assert!(is_text_of(&memo.refresh(&key), key), "another key's value"),
            50..55 => assert!(memo.peek(&key).unwrap().is_none_or(|value| is_text_of(&value, key))),
            // On a busy machine, another process may take too long to store something: an error, and no wrong value.
            55..59 => drop(memo.forget(&key)),
            _ => drop(memo.clear()),
        }
    });
}

#[test]
fn child_at_work() {
    let Some(task) = Task::given() else { return };
    let max_bytes = task.value("MAX_BYTES").parse().unwrap();
    work(&task.dir, u64::from(std::process::id()), max_bytes);
}

fn at_work(dir: &TempDir, max_bytes: u64) {
    let children = [(); 2].map(|()| Child::with("child_at_work", dir.path(), [("MAX_BYTES", &max_bytes)]));
    for child in children {
        child.finish();
    }
}

#[test]
fn two_processes_of_four_threads_get_right_values() {
    at_work(&volatile_dir(), 1 << 30);
}

#[test]
fn two_processes_that_evict_each_others_entries_get_right_values() {
    at_work(&volatile_dir(), 400 << 10);
}

/// Counts are lost there, and locks and files are all there is.
#[test]
fn two_processes_in_a_directory_of_a_group_get_right_values() {
    let dir = volatile_dir();
    open_to_group("hot", dir.path());
    at_work(&dir, 400 << 10);
}

/// Makes the directory of a cache one in which nothing may be mapped, not even the counters.
fn open_to_group(name: &str, dir: &Path) {
    let store = fcache(name).dir(dir).open::<String>().unwrap();
    set_mode(store.path(), 0o770);
}

/// A memo whose results say which process has computed them, and how many it has computed before.
type Signed = Memo<FileFallback<String>, Box<dyn Fn(&u64) -> String>>;

fn signed(builder: FileBuilder) -> Signed {
    let computed = RefCell::new(0);
    builder.wrap(Box::new(move |key: &u64| {
        *computed.borrow_mut() += 1;
        format!("{key} by {} as {} ", std::process::id(), computed.borrow()) + &text_of(*key)
    }))
}

/// Follows orders, and reports the signature of the value that it has read.
fn obey(memo: &Signed, order: &str) -> String {
    let (verb, key) = order.split_once(' ').unwrap();
    let key = key.parse().unwrap();
    let signature = |found: &str| {
        let (signature, rest) = found.rsplit_once(' ').unwrap();
        assert!(is_text_of(rest, key) && signature.starts_with(&format!("{key} ")), "another key's value");
        signature.to_owned()
    };
    match verb {
        "call" => signature(&memo.call(&key)),
        "view" => signature(&memo.view(&key)),
        "refresh" => signature(&memo.refresh(&key)),
        "peek" => memo.peek(&key).unwrap().map_or("nothing".to_owned(), |found| signature(&found)),
        "forget" => memo.forget(&key).unwrap().to_string(),
        "clear" => memo.clear().map(|()| "cleared".to_owned()).unwrap(),
        _ => unreachable!("no such order: {verb}"),
    }
}

fn of_kind(kind: &str, dir: &Path) -> FileBuilder {
    fcache("signed").dir(dir).trust(Trust::Group).access(if kind == "copied" { Access::Copy } else { Access::Auto })
}

#[test]
fn child_that_obeys() {
    let Some(mut task) = Task::given() else { return };
    let memo = signed(of_kind(&task.value("KIND"), &task.dir));
    while let Some(order) = task.order() {
        task.say(obey(&memo, &order));
    }
}

/// Sends an order, and returns the answer.
type Orders<'a> = &'a dyn Fn(&str) -> String;

/// Two processes, each of which is asked for things: this one, and another. `before` is run before each that changes
/// something.
fn see_each_other(kind: &'static str, before: impl Fn(&Path) + Send + 'static) {
    let dir = volatile_dir();
    if kind == "a group's" {
        open_to_group("signed", dir.path());
    }
    within(Duration::from_secs(30), move || {
        let child = RefCell::new(Child::with("child_that_obeys", dir.path(), [("KIND", &kind)]));
        let memo = signed(of_kind(kind, dir.path()));
        let path = memo.store().path();
        let here = |order: &str| obey(&memo, order);
        let there = |order: &str| {
            child.borrow_mut().tell(order);
            child.borrow_mut().hear().expect("the child has failed")
        };
        for round in 0..12_u64 {
            let key = round / 4;
            let (one, other): (Orders, Orders) = if round % 2 == 0 { (&here, &there) } else { (&there, &here) };
            let (one, other) =
                (|verb: &str| one(&format!("{verb} {key}")), |verb: &str| other(&format!("{verb} {key}")));
            let first = one("call");
            assert_eq!(other("call"), first);
            // How the other process reads next.
            for next in ["call", "view", "peek"] {
                before(path);
                let second = one("refresh");
                assert_ne!(second, first);
                assert_eq!(other(next), second, "after a refresh, by {next}");
                before(path);
                assert_eq!(one("forget"), "true");
                assert_eq!(other("peek"), "nothing");
                let third = one(if next == "view" { "view" } else { "call" });
                assert_eq!(other(next), third, "after a new computation, by {next}");
                before(path);
                assert_eq!(one("clear"), "cleared");
                let fourth = other(next);
                assert_ne!(fourth, third, "after a clear, by {next}");
                if next == "peek" {
                    assert_eq!(fourth, "nothing");
                } else {
                    assert_eq!(one(next), fourth);
                }
                one("call");
            }
        }
        drop(child.into_inner().finish());
    });
}

#[test]
fn a_change_by_one_process_is_seen_by_the_next_call_of_another() {
    see_each_other("mapped", |_| ());
}

#[test]
fn a_change_by_one_process_is_seen_where_entries_are_copied() {
    see_each_other("copied", |_| ());
}

#[test]
fn a_change_by_one_process_is_seen_in_a_directory_of_a_group() {
    see_each_other("a group's", |_| ());
}

/// The counters tell processes of each other's changes. When they are lost, each has to find the same new ones.
#[test]
fn a_change_by_one_process_is_seen_after_the_counters_were_lost() {
    see_each_other("mapped", |cache| fs::remove_file(cache.join("meta")).unwrap());
}

#[test]
fn a_change_by_one_process_is_seen_after_the_counters_were_damaged() {
    see_each_other("mapped", |cache| {
        fs::write(cache.join("garbage"), "no counters").unwrap();
        fs::rename(cache.join("garbage"), cache.join("meta")).unwrap();
    });
}

/// Reads a large result where it lies, and says how much of it is there, and how much of that is its own.
#[test]
fn child_that_reads_pages() {
    let Some(mut task) = Task::given() else { return };
    let memo = fcache("pages").dir(&task.dir).wrap_async(async |n: &u64| vec![*n; 1 << 20]);
    while task.order().is_some() {
        let view = block_on(memo.view_async(&7));
        assert!(view.is_mapped() && view.iter().all(|n| *n == 7));
        let path = memo.store().path_of(&7_u64).unwrap();
        let maps = fs::read_to_string("/proc/self/smaps").unwrap();
        let of_file = maps.lines().skip_while(|line| !line.ends_with(path.to_str().unwrap())).skip(1);
        let kilobytes = |name: &str| -> u64 {
            let line = of_file.clone().find(|line| line.starts_with(name)).unwrap();
            line.split_whitespace().nth(1).unwrap().parse().unwrap()
        };
        let own = kilobytes("Private_Clean:") + kilobytes("Private_Dirty:");
        task.say(format_args!("{} {own}", kilobytes("Rss:")));
        // The view is held until the next order: so that the pages of both are there at a time.
        task.order();
    }
}

#[test]
#[cfg(target_os = "linux")]
fn two_processes_share_the_pages_of_a_large_result() {
    let dir = volatile_dir();
    let mut children = [0, 1].map(|_| Child::start("child_that_reads_pages", dir.path()));
    for child in &mut children {
        child.tell("read");
        child.hear().unwrap();
    }
    // Now both have read it.
    for child in &mut children {
        child.tell("go on");
        child.tell("read");
        let said = child.hear().unwrap();
        let (there, own) = said.split_once(' ').unwrap();
        assert!(there.parse::<u64>().unwrap() >= 8 << 10, "{there} KB of it are there");
        assert!(own.parse::<u64>().unwrap() < 64, "{own} KB are one's own");
    }
}
