//! Which directories become cache directories, and how they are marked.
#![cfg(all(unix, feature = "persist"))]

use std::fs;
use std::path::Path;

use tempfile::TempDir;
use twat_cache_core::Trust;
use twat_cache_core::persist::{prepare_below, prepare_root};
use twat_cache_core::testing::obstacles::{EMPTY_DIRECTORY, LINK_TO_ITSELF, PIPE, put};
use twat_cache_core::testing::owners::{mode, set_mode};

const SIGNATURE: &str = "Signature: 8a477f597d28d172789f06886806bc55";

fn with_mode(mode: u32) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    set_mode(dir.path(), mode);
    dir
}

fn prepare(dir: &Path) {
    prepare_root(dir, Trust::Owner).unwrap();
}

fn is_ours(dir: &Path) -> bool {
    let tag = fs::read_to_string(dir.join("CACHEDIR.TAG"));
    mode(dir) == 0o700 && dir.join(".gitignore").exists() && tag.is_ok_and(|tag| tag.contains("twat-cache"))
}

#[test]
fn an_empty_directory_is_taken_over_and_one_below_it_needs_no_marks() {
    let dir = with_mode(0o755);
    prepare(dir.path());
    prepare_below(&dir.path().join("a"), Trust::Owner).unwrap();
    assert!(is_ours(dir.path()));
    assert_eq!(fs::read_dir(dir.path().join("a")).unwrap().count(), 0);
}

#[test]
fn the_cache_directory_of_another_program_stays_as_it_is() {
    for tag in ["", SIGNATURE, "Signature: something else"] {
        let dir = with_mode(0o755);
        fs::write(dir.path().join("theirs"), "").unwrap();
        fs::write(dir.path().join("CACHEDIR.TAG"), tag).unwrap();
        prepare(dir.path());
        assert!(!is_ours(dir.path()));
        assert_eq!(fs::read_to_string(dir.path().join("CACHEDIR.TAG")).unwrap(), tag);
        assert_eq!(mode(dir.path()), 0o755);
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
fn an_obstacle_in_place_of_a_mark_is_no_error() {
    for name in ["CACHEDIR.TAG", ".gitignore"] {
        let dir = with_mode(0o700);
        prepare(dir.path());
        let path = dir.path().join(name);
        for obstacle in [PIPE, LINK_TO_ITSELF, EMPTY_DIRECTORY] {
            put(obstacle, &path);
            prepare(dir.path());
        }
    }
}
