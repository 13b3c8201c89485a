//! Foreign files and directories at paths of the database: no call waits for them, they are moved aside and not
//! changed, and the cache works.
#![cfg(unix)]

mod common;

use std::fs;
use std::path::Path;

use common::{call_all, computed_anew, fill, memo};
use twat_cache_core::testing::files::Files;
use twat_cache_core::testing::obstacles::{OBSTACLES, Others, THEIRS, inode};
use twat_cache_core::testing::{PATIENCE, warnings, warnings_from_now, within};

/// Uses the cache three times; gives how many results were computed each time.
fn runs(cache: &Path) -> [usize; 3] {
    let runs = [(); 3].map(|()| {
        let cache = cache.to_owned();
        within(PATIENCE, move || {
            let (memo, computed) = memo(&cache);
            (0..2).for_each(|_| call_all(&memo, 0..10));
            computed.get()
        })
    });
    assert!(warnings(cache).len() <= 1, "{:#?}", warnings(cache));
    runs
}

#[test]
fn an_obstacle_in_place_of_the_database_or_its_lock_is_moved_aside() {
    for name in ["bcache", "bcache.lock"] {
        for (what, make) in OBSTACLES {
            if (name, what) == ("bcache", "a directory") {
                continue;
            }
            let others = Others::beside();
            let cache = others.path().join("cache");
            fs::create_dir(&cache).unwrap();
            make(&cache.join(name));
            let number = inode(&cache.join(name));
            assert_eq!(runs(&cache), [10, 0, 0], "{what} at {name}");
            assert_eq!(inode(&cache.join(format!("{name}.in-the-way"))), number, "{what} at {name}");
            others.assert_untouched(what);
        }
    }
}

#[test]
fn an_obstacle_in_place_of_a_database_that_was_moved_aside_stays() {
    for (what, make) in OBSTACLES {
        let others = Others::beside();
        let cache = others.path().join("cache");
        runs(&cache);
        fs::write(cache.join("bcache/version"), "damaged").unwrap();
        make(&cache.join("bcache.corrupt"));
        let before = inode(&cache.join("bcache.corrupt"));
        assert_eq!(runs(&cache), [10, 0, 0], "{what}");
        assert_eq!(inode(&cache.join("bcache.corrupt")), before, "{what}");
        assert_eq!(fs::read(cache.join("bcache.corrupt-2/version")).unwrap(), b"damaged");
        if what == "a directory" {
            assert_eq!(fs::read_to_string(cache.join("bcache.corrupt/a/file")).unwrap(), THEIRS);
        }
        others.assert_untouched(what);
    }
}

#[test]
fn a_damaged_database_replaces_only_another_one_that_was_moved_aside() {
    let dir = tempfile::tempdir().unwrap();
    let cache = dir.path();
    let damage = |content: &str| {
        fill(cache, 0..10);
        fs::write(cache.join("bcache/version"), content).unwrap();
        fill(cache, 0..10);
    };
    let version = |aside: &str| fs::read_to_string(cache.join(aside).join("version")).ok();
    damage("first");
    assert_eq!(version("bcache.corrupt").as_deref(), Some("first"));
    damage("second");
    assert_eq!(version("bcache.corrupt").as_deref(), Some("second"));
    fs::write(cache.join("bcache.corrupt/notes"), THEIRS).unwrap();
    damage("third");
    assert_eq!(version("bcache.corrupt").as_deref(), Some("second"));
    assert_eq!(version("bcache.corrupt-2").as_deref(), Some("third"));
}

#[test]
fn an_obstacle_in_place_of_a_file_of_the_database_is_moved_aside_with_it() {
    let others = Others::beside();
    let [whole, cache] = ["whole", "cache"].map(|name| others.path().join(name));
    runs(&whole);
    // The two marks beside the database are for other programs.
    for file in Files::read(&whole).paths().into_iter().filter(|file| file.starts_with("bcache")) {
        for (what, make) in OBSTACLES {
            Files::read(&whole).write(&cache);
            fs::remove_file(cache.join(&file)).unwrap();
            make(&cache.join(&file));
            let warnings = warnings_from_now(&cache);
            fill(&cache, 0..10);
            assert!(warnings().len() <= 1, "{what} at {}", file.display());
            assert_eq!(computed_anew(&cache, 0..10), 0, "{what} at {}", file.display());
            others.assert_untouched(what);
            fs::remove_dir_all(&cache).unwrap();
        }
    }
}

#[test]
fn a_file_in_place_of_the_lock_keeps_its_content() {
    let others = Others::beside();
    fs::write(others.path().join("bcache.lock"), THEIRS).unwrap();
    assert_eq!(runs(others.path()), [10, 0, 0]);
    assert_eq!(fs::read_to_string(others.path().join("bcache.lock.in-the-way")).unwrap(), THEIRS);
    others.assert_untouched("a file");
}
