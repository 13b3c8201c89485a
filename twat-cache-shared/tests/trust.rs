//! A directory that others own or can write to is not used: memory serves, with one warning that says why.
#![cfg(unix)]

mod common;

use common::numbers::{call_all, computed_anew, fill, memo, numbered};
use twat_cache_core::testing::owners::{give_away, set_mode};
use twat_cache_core::testing::{assert_one_warning, warnings, warnings_from_now};
use twat_cache_shared::{Store as _, Trust, scache};

#[test]
fn a_directory_that_others_can_write_to_is_not_used_unless_they_are_trusted() {
    let dir = tempfile::tempdir().unwrap();
    let cache = dir.path().join("cache");
    fill(&cache, 0..10);
    let below = cache.join("scache");
    for (path, mode) in [(&cache, 0o777), (&cache, 0o770), (&below, 0o777), (&below, 0o770)] {
        set_mode(path, mode);
        let warnings = warnings_from_now(&cache);
        let (memo, computed) = memo(&cache);
        (0..2).for_each(|_| call_all(&memo, 0..10));
        assert_eq!(computed.get(), 10, "{} of mode {mode:o}", path.display());
        assert!(warnings().len() == 1 && warnings()[0].contains("write to"), "{:#?}", warnings());
        // Also beside a store that refuses it.
        let grouped = scache("numbers").dir(&cache).trust(Trust::Group).open::<Vec<u64>>();
        assert_eq!(grouped.is_ok(), mode == 0o770, "{} of mode {mode:o}", path.display());
        // Also while one that trusts the group has it open.
        if let Ok(grouped) = &grouped {
            assert_eq!(grouped.len().unwrap(), 10);
            let owners = scache("numbers").dir(&cache);
            let error = owners.clone().open::<Vec<u64>>().unwrap_err();
            assert!(error.to_string().contains("write to"), "{error}");
            assert!(owners.clone().build::<u64>().len().is_err() && owners.clone().build::<u64>().clear().is_err());
            assert!(owners.build::<u64>().with_connection(|_| ()).is_err());
        }
        drop((grouped, memo));
        set_mode(path, 0o700);
    }
    assert_eq!(computed_anew(&cache, 0..10), 0);
}

#[test]
fn a_directory_of_another_user_is_not_used() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["", "scache"] {
        let cache = dir.path().join(format!("cache-{name}"));
        fill(&cache, 0..10);
        if !give_away(&cache.join(name)) {
            return;
        }
        assert_eq!(computed_anew(&cache, 0..10), 10);
        assert_one_warning(&cache, &["belongs to user 12345"]);
    }
}

#[test]
fn a_file_of_another_user_is_moved_aside() {
    for name in ["1", "1/entries-1.db", "meta-1"] {
        let dir = tempfile::tempdir().unwrap();
        fill(dir.path(), 0..10);
        let path = dir.path().join("scache").join(name);
        if !give_away(&path) {
            return;
        }
        assert_eq!(computed_anew(dir.path(), 0..10), 10, "{name}");
        assert!(path.with_file_name(format!("{}.in-the-way", path.file_name().unwrap().to_str().unwrap())).exists());
        assert_eq!(computed_anew(dir.path(), 0..10), 0, "{name}");
        assert!(warnings(dir.path()).len() <= 1, "{:#?}", warnings(dir.path()));
        assert!(!numbered(dir.path(), 3).exists());
    }
}
