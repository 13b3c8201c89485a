//! Whose a cache directory is, and what is done to it.
#![cfg(all(unix, feature = "persist"))]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::TempDir;
use twat_cache_core::Trust;
use twat_cache_core::persist::{prepare_below, prepare_root};
use twat_cache_core::testing::system::run;

const SIGNATURE: &str = "Signature: 8a477f597d28d172789f06886806bc55";

fn with_mode(mode: u32) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(mode)).unwrap();
    dir
}

fn prepare(dir: &Path) {
    prepare_root(dir, Trust::Owner).unwrap();
}

fn is_ours(dir: &Path) -> bool {
    let mode = fs::metadata(dir).unwrap().permissions().mode() & 0o777;
    let tag = fs::read_to_string(dir.join("CACHEDIR.TAG"));
    mode == 0o700 && dir.join(".gitignore").exists() && tag.is_ok_and(|tag| tag.contains("twat-cache"))
}

#[test]
fn one_that_is_empty_is_taken_over_and_what_is_in_it_is_covered() {
    let dir = with_mode(0o755);
    prepare(dir.path());
    prepare_below(&dir.path().join("a"), Trust::Owner).unwrap();
    assert!(is_ours(dir.path()));
    assert_eq!(fs::read_dir(dir.path().join("a")).unwrap().count(), 0);
}

#[test]
fn the_cache_of_another_program_stays_as_it_is() {
    for tag in ["", SIGNATURE, "Signature: something else"] {
        let dir = with_mode(0o755);
        fs::write(dir.path().join("theirs"), "").unwrap();
        fs::write(dir.path().join("CACHEDIR.TAG"), tag).unwrap();
        prepare(dir.path());
        assert!(!is_ours(dir.path()));
        assert_eq!(fs::read_to_string(dir.path().join("CACHEDIR.TAG")).unwrap(), tag);
        assert_eq!(fs::metadata(dir.path()).unwrap().permissions().mode() & 0o777, 0o755);
    }
}

#[test]
fn a_mark_that_a_full_disk_has_cut_short_is_completed() {
    for tag in ["", &SIGNATURE[..20], SIGNATURE] {
        let dir = with_mode(0o700);
        fs::write(dir.path().join("an entry"), "").unwrap();
        fs::write(dir.path().join("CACHEDIR.TAG"), tag).unwrap();
        prepare(dir.path());
        assert!(is_ours(dir.path()), "{tag:?}");
    }
}

#[test]
fn what_is_in_the_way_of_a_mark_is_in_nobody_elses_way() {
    for name in ["CACHEDIR.TAG", ".gitignore"] {
        let dir = with_mode(0o700);
        prepare(dir.path());
        let path = dir.path().join(name);
        let pipe = || assert!(run("mkfifo", &[&path]));
        let link = || std::os::unix::fs::symlink(&path, &path).unwrap();
        let directory = || fs::create_dir(&path).unwrap();
        for make in [&pipe as &dyn Fn(), &link, &directory] {
            fs::remove_file(&path).or_else(|_| fs::remove_dir(&path)).unwrap();
            make();
            prepare(dir.path());
        }
    }
}
