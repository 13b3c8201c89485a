//! Which directories are used: those that no other user owns or can write to.
#![cfg(all(unix, feature = "persist"))]

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;

use twat_cache_core::persist::{prepare_below, prepare_root};
use twat_cache_core::testing::owners::{give_away, mode, set_mode};
use twat_cache_core::{Error, ErrorKind, Trust};

fn assert_refused<T>(result: Result<T, Error>, dir: &Path, parts: &[&str]) {
    let error = result.err().expect("it is used");
    assert_eq!((error.kind(), error.path()), (ErrorKind::Other, Some(dir)));
    assert!(!error.kind().is_lasting(), "it may be mended while the program runs");
    for part in parts {
        assert!(error.to_string().contains(part), "no {part:?} in: {error}");
    }
}

#[test]
fn a_directory_that_only_this_user_can_change_is_used_under_all_its_names() {
    let dir = tempfile::tempdir().unwrap();
    let (cache, link) = (dir.path().join("a/cache"), dir.path().join("link"));
    let real = fs::canonicalize(dir.path()).unwrap().join("a/cache");
    assert_eq!(prepare_root(&cache, Trust::Owner).unwrap(), real);
    assert_eq!(mode(&cache), 0o700);
    symlink(dir.path().join("a"), &link).unwrap();
    assert_eq!(prepare_root(&link.join("cache"), Trust::Owner).unwrap(), real);
}

#[test]
fn a_directory_that_others_can_write_to_is_refused_and_left_alone() {
    for (bits, trust, parts) in [
        (0o777, Trust::Owner, "others can write to"),
        (0o702, Trust::Group, "`chmod go-w`"),
        (0o1777, Trust::Group, "choose a directory in it"),
        (0o770, Trust::Owner, "`.trust(Trust::Group)`"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        set_mode(dir.path(), bits);
        let path = dir.path().display().to_string();
        assert_refused(prepare_root(dir.path(), trust), dir.path(), &[&path, parts]);
        assert_refused(prepare_below(dir.path(), trust), dir.path(), &[&path, parts]);
        assert_eq!(fs::metadata(dir.path()).unwrap().mode() & 0o7777, bits);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}

#[test]
fn a_directory_that_its_group_can_write_to_is_used_if_the_group_is_trusted() {
    let dir = tempfile::tempdir().unwrap();
    let below = dir.path().join("cache");
    set_mode(dir.path(), 0o770);
    assert_refused(prepare_root(&below, Trust::Owner), &below, &["`.trust(Trust::Group)`"]);
    prepare_root(dir.path(), Trust::Group).unwrap();
    prepare_root(&below, Trust::Group).unwrap();
    assert_eq!(mode(dir.path()), 0o770);
}

#[test]
fn nothing_is_made_in_a_directory_that_others_can_write_to_unless_it_is_sticky() {
    let dir = tempfile::tempdir().unwrap();
    let cache = dir.path().join("a/cache");
    set_mode(dir.path(), 0o777);
    let path = fs::canonicalize(dir.path()).unwrap().display().to_string();
    assert_refused(prepare_root(&cache, Trust::Owner), &cache, &[&path, "others can write to"]);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    set_mode(dir.path(), 0o1777);
    prepare_root(&cache, Trust::Owner).unwrap();
    // An existing directory of this kind is not used either.
    set_mode(dir.path(), 0o777);
    assert_refused(prepare_root(&cache, Trust::Owner), &cache, &[&path, "others can write to"]);
}

#[test]
fn a_directory_of_another_user_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (theirs, below) = (dir.path().join("theirs"), dir.path().join("theirs/cache"));
    fs::create_dir(&theirs).unwrap();
    if !give_away(&theirs) {
        return;
    }
    assert_refused(prepare_root(&theirs, Trust::Group), &theirs, &["belongs to user 12345", "remove it", "`.dir`"]);
    assert_refused(prepare_below(&theirs, Trust::Group), &theirs, &["belongs to user 12345", "remove it", "`.dir`"]);
    assert_refused(prepare_root(&below, Trust::Group), &below, &["theirs belongs to user 12345; choose another"]);
    assert_eq!(fs::read_dir(&theirs).unwrap().count(), 0);
    let link = dir.path().join("link");
    symlink(&theirs, &link).unwrap();
    assert_refused(prepare_root(&link, Trust::Owner), &link, &["theirs belongs to user 12345"]);
}
