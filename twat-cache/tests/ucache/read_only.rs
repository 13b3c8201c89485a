//! A directory in which nothing can be written: memory serves, one warning says so, and the entries there stay.

use std::fs;

use twat_cache_core::testing::system::Frozen;
use twat_cache_core::testing::{assert_one_warning, persistent, until};

use super::*;

fn serves_from_memory(dir: &Path) {
    let (memo, computed) = numbers(ucache("numbers").dir(dir));
    call_all(&memo, 0..20);
    call_all(&memo, 0..20);
    assert_eq!(computed.get(), 20);
    assert_eq!(memo.store().backend(), Backend::Memory);
    assert_eq!(memo.len().is_err(), BEST != Backend::Memory);
    // The next process may find these entries, if it can open the directory.
    assert_eq!(memo.forget(&1).is_err(), BEST != Backend::Memory);
    call_all(&memo, 0..2);
    assert_eq!(computed.get(), 21, "in memory it is forgotten");
    assert_eq!(memo.clear().is_err(), BEST != Backend::Memory);
    call_all(&memo, 0..2);
    assert_eq!(computed.get(), 23, "in memory it is cleared");
    if BEST != Backend::Memory {
        assert_one_warning(dir, &["going on without it, in memory"]);
        assert!(ucache("numbers").dir(dir).open::<u64, Vec<u64>>().is_err(), "`open` is strict");
    }
}

#[test]
fn in_a_read_only_directory_memory_serves_and_the_entries_stay() {
    let dir = dir();
    let [used, new] = ["used", "new"].map(|name| dir.path().join(name));
    fs::create_dir(&new).unwrap();
    let (memo, _) = numbers(ucache("numbers").dir(&used));
    call_all(&memo, 0..20);
    drop(memo);
    {
        let Some(_frozen) = Frozen::freeze(dir.path()) else { return };
        serves_from_memory(&new);
        if BEST == Backend::Disk {
            serves_from_memory(&used);
        } else if BEST != Backend::Memory {
            let (memo, computed) = numbers(ucache("numbers").dir(&used));
            (0..2).for_each(|_| call_all(&memo, 0..30));
            assert_eq!((memo.store().backend(), computed.get()), (BEST, 10), "what is there is found");
        }
    }
    let (memo, computed) = numbers(ucache("numbers").dir(&used));
    call_all(&memo, 0..20);
    assert_eq!(computed.get(), if BEST == Backend::Memory { 20 } else { 0 });
}

#[test]
fn when_the_directory_cannot_be_made_memory_serves() {
    persistent::when_the_directory_cannot_be_made_memory_serves(|dir, _| serves_from_memory(dir));
}

#[cfg(all(feature = "disk", feature = "file"))]
#[test]
fn after_an_error_that_may_pass_memory_serves_and_files_are_not_used_instead() {
    use twat_cache_core::testing::owners::set_mode;

    let dir = dir();
    set_mode(dir.path(), 0o777);
    serves_from_memory(dir.path());
    set_mode(dir.path(), 0o700);
    let (memo, computed) = numbers(ucache("in files").dir(dir.path()).backend(Backend::File));
    call_all(&memo, 0..3);
    drop(memo);
    let (memo, _) = numbers(ucache("in files").dir(dir.path()).backend(Backend::File));
    call_all(&memo, 0..3);
    assert_eq!(memo.store().backend(), Backend::File);
    assert_eq!(computed.get(), 3);
}

#[test]
fn an_entry_that_was_forgotten_while_nothing_could_be_opened_stays_forgotten() {
    let dir = dir();
    let (memo, _) = numbers(ucache("numbers").dir(dir.path()));
    call_all(&memo, 0..3);
    drop(memo);
    let (memo, computed) = numbers(ucache("numbers").dir(dir.path()));
    {
        let Some(_frozen) = Frozen::freeze(dir.path()) else { return };
        assert_eq!(memo.forget(&1).is_err(), BEST != Backend::Memory);
    }
    until("the backend is opened", || memo.store().backend() == BEST);
    assert_eq!(memo.peek(&1).unwrap(), None);
    call_all(&memo, 0..3);
    assert_eq!(computed.get(), if BEST == Backend::Memory { 3 } else { 1 });
}
