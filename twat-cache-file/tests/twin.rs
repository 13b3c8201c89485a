//! Scenario 8: random programs see what the function gives, by value and by view, through any number of reopenings, and
//! whichever of two that share a directory they ask.

mod common;

use std::cell::Cell;
use std::path::Path;
use std::time::Duration;

use common::volatile_dir;
use twat_cache_core::Trust;
use twat_cache_core::testing::checks::Random;
use twat_cache_file::{Access, Clock, FileFallback, ManualClock, Memo, Verify, fcache};

type Text = Memo<FileFallback<String>, Box<dyn Fn(&u64) -> String>>;

/// A program's two memos, which do not know of each other, as if in two processes.
fn open(seed: u64, dir: &Path, clock: &Clock, function: &(impl Fn(&u64) -> String + Clone + 'static)) -> [Text; 2] {
    let builder = fcache("twin").dir(dir).trust(Trust::Group).ttl(TTL).clock(clock.clone()).max_bytes(64 << 20);
    let other = match seed % 3 {
        0 => builder.clone(),
        1 => builder.clone().access(Access::Copy),
        _ => builder.clone().verify(Verify::Structure),
    };
    [builder, other].map(|builder| -> Text { builder.wrap(Box::new(function.clone())) })
}

const TTL: Duration = Duration::from_secs(60);

/// Nothing in it is provably private then: neither entries nor counters are mapped.
#[cfg(unix)]
fn open_to_group(memos: &[Text; 2]) {
    use std::os::unix::fs::PermissionsExt;
    memos[0].peek(&0).unwrap();
    std::fs::set_permissions(memos[0].store().path(), std::fs::Permissions::from_mode(0o770)).unwrap();
}

#[cfg(not(unix))]
fn open_to_group(_: &[Text; 2]) {}

thread_local! {
    static WORLD: Cell<u64> = const { Cell::new(0) };
}

/// Small for most, which is copied; 200 KB for two, which is mapped.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "a memo's function takes its key so")]
fn function(n: &u64) -> String {
    let text = format!("{n} in world {}; ", WORLD.get());
    if *n < 2 { text.repeat(200_000 / text.len()) } else { text }
}

#[test]
fn a_random_program_that_reopens_the_store_sees_what_the_function_gives() {
    for seed in 1..=12 {
        let mut random = Random(seed << 32 | 0x9E37_79B9);
        let dir = volatile_dir();
        let hand = ManualClock::new();
        WORLD.set(0);
        let mut memos = open(seed, dir.path(), &hand.clock(), &function);
        if seed > 8 {
            open_to_group(&memos);
        }
        let mut known: [Option<String>; 8] = Default::default();
        for _ in 0..300 {
            let memo = &memos[usize::try_from(random.below(2)).unwrap()];
            let key = random.below(8);
            let slot = usize::try_from(key).unwrap();
            match random.below(22) {
                0..5 => {
                    let expected = known[slot].clone().unwrap_or_else(|| function(&key));
                    assert_eq!(memo.call(&key), expected, "program {seed}");
                    known[slot] = Some(expected);
                }
                5..10 => {
                    let expected = known[slot].clone().unwrap_or_else(|| function(&key));
                    assert_eq!(**memo.view(&key), *expected, "program {seed}");
                    known[slot] = Some(expected);
                }
                10..12 => assert_eq!(memo.peek(&key).unwrap(), known[slot], "program {seed}"),
                12..14 => assert_eq!(memo.forget(&key).unwrap(), known[slot].take().is_some(), "program {seed}"),
                14..16 => {
                    assert_eq!(memo.refresh(&key), function(&key));
                    known[slot] = Some(function(&key));
                }
                16..18 => WORLD.set(WORLD.get() + 1),
                18 => {
                    memo.clear().unwrap();
                    known = Default::default();
                }
                19 => {
                    hand.advance(TTL);
                    known = Default::default();
                }
                20 => {
                    // What has expired may still be counted.
                    assert!(memo.len().unwrap() >= known.iter().flatten().count());
                }
                _ => {
                    drop(memos);
                    memos = open(seed, dir.path(), &hand.clock(), &function);
                }
            }
        }
        assert!(memos.iter().all(|memo| !memo.store().has_switched()));
    }
}

#[test]
fn a_view_shows_for_ever_what_it_showed_first() {
    let dir = volatile_dir();
    let hand = ManualClock::new();
    let mut random = Random(0x9E37_79B9);
    let memos = open(0, dir.path(), &hand.clock(), &function);
    let mut held = Vec::new();
    for _ in 0..200 {
        let memo = &memos[usize::try_from(random.below(2)).unwrap()];
        let key = random.below(4);
        match random.below(8) {
            0..4 => {
                let view = memo.view(&key);
                held.push((view.to_value().unwrap(), view));
            }
            4 => drop(memo.forget(&key).unwrap()),
            5 => drop(memo.refresh(&key)),
            6 => WORLD.set(WORLD.get() + 1),
            _ => memo.clear().unwrap(),
        }
    }
    drop((memos, dir));
    assert!(held.iter().any(|(_, view)| view.is_mapped()));
    for (shown, view) in &held {
        assert_eq!(***view, **shown);
    }
}
