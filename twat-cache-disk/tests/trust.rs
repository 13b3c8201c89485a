//! A directory that others own or can write to is not used: memory serves, with one warning that says why.
#![cfg(unix)]

mod common;

use common::{call_all, computed_anew, fill, memo};
use twat_cache_core::testing::owners::{give_away, set_mode};
use twat_cache_core::testing::{assert_one_warning, warnings_from_now};
use twat_cache_disk::{Trust, bcache};

#[test]
fn a_directory_that_others_can_write_to_is_not_used_unless_they_are_trusted() {
    let dir = tempfile::tempdir().unwrap();
    let cache = dir.path().join("cache");
    fill(&cache, 0..10);
    let database = cache.join("bcache");
    for (path, mode) in [(&cache, 0o777), (&cache, 0o770), (&database, 0o777), (&database, 0o770)] {
        set_mode(path, mode);
        let warnings = warnings_from_now(&cache);
        let (memo, computed) = memo(&cache);
        (0..2).for_each(|_| call_all(&memo, 0..10));
        assert_eq!(computed.get(), 10, "{} of mode {mode:o}", path.display());
        assert!(warnings().len() == 1 && warnings()[0].contains("write to"), "{:#?}", warnings());
        drop(memo);
        let grouped = bcache("numbers").dir(&cache).trust(Trust::Group).open::<Vec<u64>>();
        assert_eq!(grouped.is_ok(), mode == 0o770, "{} of mode {mode:o}", path.display());
        // Also while one that trusts the group has it open.
        if grouped.is_ok() {
            let error = bcache("numbers").dir(&cache).open::<Vec<u64>>().unwrap_err();
            assert!(error.to_string().contains("write to"), "{error}");
        }
        drop(grouped);
        set_mode(path, 0o700);
    }
    assert_eq!(computed_anew(&cache, 0..10), 0);
}

#[test]
fn a_directory_of_another_user_is_not_used() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["", "bcache"] {
        let cache = dir.path().join(format!("cache-{name}"));
        fill(&cache, 0..10);
        if !give_away(&cache.join(name)) {
            return;
        }
        assert_eq!(computed_anew(&cache, 0..10), 10);
        assert_one_warning(&cache, &["belongs to user 12345"]);
    }
}
