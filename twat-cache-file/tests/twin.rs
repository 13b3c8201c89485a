//! Scenario 8: random programs get the results of the function, by value and by view, through any number of reopenings, from
//! either of two stores that share a directory.

use std::path::Path;

use twat_cache_core::Trust;
use twat_cache_core::testing::twin::{TTL, Twin};
use twat_cache_core::testing::volatile_dir;
use twat_cache_file::{Access, FileFallback, Memo, Verify, fcache};

type Text = Memo<FileFallback<String>, Box<dyn Fn(&u64) -> String>>;

/// A program's two memos, which do not know of each other, as if in two processes.
fn open(seed: u64, dir: &Path, twin: &Twin, function: &(impl Fn(&u64) -> String + Clone + 'static)) -> [Text; 2] {
    let builder = fcache("twin").dir(dir).trust(Trust::Group).ttl(TTL).clock(twin.clock()).max_bytes(64 << 20);
    let other = match seed % 3 {
        0 => builder.clone(),
        1 => builder.clone().access(Access::Copy),
        _ => builder.clone().verify(Verify::Structure),
    };
    [builder, other].map(|builder| -> Text { builder.wrap(Box::new(function.clone())) })
}

/// With this mode, no file is provably private, so neither entries nor counters are mapped.
#[cfg(unix)]
fn open_to_group(memos: &[Text; 2]) {
    memos[0].peek(&0).unwrap();
    twat_cache_core::testing::owners::set_mode(memos[0].store().path(), 0o770);
}

#[cfg(not(unix))]
fn open_to_group(_: &[Text; 2]) {}

/// The function of a program: small for most keys, which is copied; 200 KB for two, which is mapped.
fn function(twin: &Twin) -> impl Fn(&u64) -> String + Clone + 'static {
    let world = twin.world.clone();
    move |n| {
        let text = world.text(*n);
        if *n < 2 { text.repeat(200_000 / text.len()) } else { text }
    }
}

#[test]
fn a_random_program_that_reopens_the_store_gets_the_results_of_the_function() {
    for seed in 1..=12 {
        let dir = volatile_dir();
        let mut twin = Twin::new(seed);
        let function = function(&twin);
        let mut memos = open(seed, dir.path(), &twin, &function);
        if seed > 8 {
            open_to_group(&memos);
        }
        for _ in 0..300 {
            let memo = &memos[twin.random.index(2)];
            if twin.random.below(2) == 0 {
                twin.step(memo, &function, Memo::call);
            } else {
                twin.step(memo, &function, |memo, key| memo.view(key).to_string());
            }
            if twin.random.below(20) == 0 {
                drop(memos);
                memos = open(seed, dir.path(), &twin, &function);
            }
        }
        assert!(memos.iter().all(|memo| !memo.store().has_switched()));
    }
}

#[test]
fn a_view_never_changes() {
    let dir = volatile_dir();
    let mut twin = Twin::new(1);
    let memos = open(0, dir.path(), &twin, &function(&twin));
    let mut held = Vec::new();
    for _ in 0..200 {
        let memo = &memos[twin.random.index(2)];
        let key = twin.random.below(4);
        match twin.random.below(8) {
            0..4 => {
                let view = memo.view(&key);
                held.push((view.to_value().unwrap(), view));
            }
            4 => drop(memo.forget(&key).unwrap()),
            5 => drop(memo.refresh(&key)),
            6 => twin.world.change(),
            _ => memo.clear().unwrap(),
        }
    }
    drop((memos, dir));
    assert!(held.iter().any(|(_, view)| view.is_mapped()));
    for (shown, view) in &held {
        assert_eq!(***view, **shown);
    }
}
