//! Foreign files and directories at paths of the cache: they are moved aside and not changed.
#![cfg(all(unix, feature = "persist"))]

use std::fs;
use std::io::Write;

use twat_cache_core::Trust;
use twat_cache_core::persist::prepare_below;
use twat_cache_core::persist::trust::{is_own, make_dir, move_aside, open_or_create};
use twat_cache_core::testing::obstacles::{FILE, OBSTACLES, Others, THEIRS, inode};
use twat_cache_core::testing::owners::{ANOTHER_USER, give_away, owner};
use twat_cache_core::testing::{PATIENCE, within};

#[test]
fn an_obstacle_in_place_of_a_directory_or_a_file_is_moved_aside() {
    for obstacle in OBSTACLES {
        within(PATIENCE, move || {
            let (what, make) = obstacle;
            let others = Others::beside();
            let [below, directory, file] = ["below", "directory", "file"].map(|name| others.path().join(name));
            let before = [&below, &directory, &file].map(|path| {
                make(path);
                inode(path)
            });
            prepare_below(&below, Trust::Owner).unwrap();
            make_dir(&directory, |_| true).unwrap();
            open_or_create(&file, 0o600).unwrap().write_all(b"ours").unwrap();
            assert!(!below.is_symlink() && below.is_dir() && !directory.is_symlink() && directory.is_dir(), "{what}");
            assert!(!file.is_symlink() && file.is_file(), "{what}");
            for (path, before) in [&below, &directory, &file].into_iter().zip(before) {
                // A directory may be used, and a file of this user is the cache's own.
                let is_used = what == if *path == file { "a file" } else { "a directory" };
                let aside = if is_used { path.clone() } else { path.with_extension("in-the-way") };
                assert_eq!(inode(&aside), before, "{what}");
            }
            if what == "a file" {
                assert_eq!(fs::read_to_string(below.with_extension("in-the-way")).unwrap(), THEIRS);
            }
            others.assert_untouched(what);
        });
    }
}

#[test]
fn a_file_or_directory_of_another_user_is_moved_aside() {
    let dir = tempfile::tempdir().unwrap();
    let [file, theirs] = ["file", "directory"].map(|name| dir.path().join(name));
    FILE.1(&file);
    fs::create_dir(&theirs).unwrap();
    if !(give_away(&file) && give_away(&theirs)) {
        return;
    }
    assert_eq!(open_or_create(&file, 0o600).unwrap().metadata().unwrap().len(), 0);
    make_dir(&theirs, is_own).unwrap();
    assert_eq!(fs::read_to_string(dir.path().join("file.in-the-way")).unwrap(), THEIRS);
    assert_eq!(owner(&dir.path().join("directory.in-the-way")), ANOTHER_USER);
    assert_eq!(owner(&theirs), owner(dir.path()));
}

#[test]
fn obstacles_that_were_moved_aside_before_stay_and_their_number_is_limited() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("name");
    let attempt = |number: u32| {
        fs::write(&path, number.to_string()).unwrap();
        let moved = move_aside(&path, &fs::symlink_metadata(&path).unwrap());
        moved.is_ok()
    };
    let moved = (0..100).take_while(|number| attempt(*number)).count();
    assert!((8..=32).contains(&moved), "{moved} of them");
    let of_all = fs::read_dir(dir.path()).unwrap().map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap());
    let mut of_all: Vec<usize> = of_all.map(|number| number.parse().unwrap()).collect();
    of_all.sort_unstable();
    assert_eq!(of_all, (0..=moved).collect::<Vec<_>>(), "nothing is lost");
}

#[test]
fn an_obstacle_that_another_process_has_replaced_stays() {
    let dir = tempfile::tempdir().unwrap();
    let [path, other] = ["file", "other"].map(|name| dir.path().join(name));
    FILE.1(&path);
    FILE.1(&other);
    let before = inode(&path);
    move_aside(&path, &fs::symlink_metadata(&other).unwrap()).unwrap();
    assert_eq!(inode(&path), before, "it is not what was found");
}
