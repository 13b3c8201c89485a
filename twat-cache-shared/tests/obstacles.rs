//! Foreign files and directories at paths of the cache: no call waits for them, no link is followed, they are moved aside
//! and not changed, and the cache works.
#![cfg(target_os = "linux")]

mod common;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use common::numbers::{FILES, call_all, memo};
use twat_cache_core::testing::child::{Child, Task};
use twat_cache_core::testing::files::Files;
use twat_cache_core::testing::obstacles::{DEVICE, OBSTACLES, Others, THEIRS, inode, put};
use twat_cache_core::testing::{PATIENCE, volatile_dir, warnings, warnings_from_now, within};

/// Uses the cache three times; gives how many results were computed each time.
fn runs(cache: &Path) -> [usize; 3] {
    let warnings = warnings_from_now(cache);
    let runs = [(); 3].map(|()| {
        let cache = cache.to_owned();
        within(PATIENCE, move || {
            let (memo, computed) = memo(&cache);
            (0..2).for_each(|_| call_all(&memo, 0..10));
            computed.get()
        })
    });
    assert!(warnings().len() <= 1, "{:#?}", warnings());
    runs
}

/// All that the cache has a name for, in its directory.
fn names() -> Vec<PathBuf> {
    let files = FILES.map(|name| format!("scache/1/{name}"));
    let others = ["scache", "scache/1", "scache/meta-1", "scache/lock", "scache/lock/claims", "scache/tmp"];
    others.into_iter().map(PathBuf::from).chain(files.map(PathBuf::from)).collect()
}

#[test]
fn child_that_is_killed() {
    let Some(mut task) = Task::given() else { return };
    let (memo, _) = memo(&task.dir);
    call_all(&memo, 0..10);
    task.say("stored");
    task.order();
}

/// The files of a cache that has results in its database and in its log.
fn whole() -> Files {
    let dir = volatile_dir();
    let mut child = Child::start("child_that_is_killed", dir.path());
    child.hear();
    child.kill();
    Files::read(dir.path())
}

#[test]
fn an_obstacle_in_a_new_cache_is_moved_aside() {
    for name in names() {
        for (what, make) in OBSTACLES.into_iter().chain([DEVICE]) {
            let others = Others::beside();
            let path = others.path().join("cache").join(&name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            make(&path);
            let (number, is_dir) = (inode(&path), path.is_dir() && !path.is_symlink());
            let is_file = path.is_file() && !path.is_symlink();
            let what = format!("{what} at {}", name.display());
            let [first, second, third] = runs(&others.path().join("cache"));
            assert_eq!((first, second + third), (10, 0), "{what}");
            let aside = path.with_file_name(format!("{}.in-the-way", path.file_name().unwrap().to_str().unwrap()));
            let may_be_used = is_dir && ["scache", "1", "lock", "tmp"].iter().any(|dir| path.ends_with(dir));
            // A file could be the cache's own, which is damaged.
            if !may_be_used && !is_file {
                assert_eq!(inode(&aside), number, "{what}");
            }
            others.assert_untouched(&what);
        }
    }
}

#[test]
fn an_obstacle_in_place_of_a_part_of_a_cache_is_moved_aside() {
    let whole = whole();
    for name in names() {
        for obstacle in OBSTACLES.into_iter().chain([DEVICE]) {
            let others = Others::beside();
            let cache = others.path().join("cache");
            whole.write(&cache);
            let path = cache.join(&name);
            let what = format!("{} at {}", obstacle.0, name.display());
            if path.is_dir() && obstacle.0 == "a directory" {
                continue;
            }
            put(obstacle, &path);
            let (number, is_file) = (inode(&path), path.is_file() && !path.is_symlink());
            let [_, second, third] = runs(&cache);
            assert_eq!(second + third, 0, "{what}");
            let aside = path.with_file_name(format!("{}.in-the-way", path.file_name().unwrap().to_str().unwrap()));
            // Where nothing is computed or made anew, these are not needed.
            let is_needed = !["tmp", "lock", "claims"].iter().any(|idle| name.ends_with(idle));
            let is_in_the_way = is_needed && !is_file;
            assert!(!is_in_the_way || inode(&aside) == number, "{what}");
            others.assert_untouched(&what);
        }
    }
}

#[test]
fn no_link_is_followed_to_what_looks_like_the_cache() {
    let whole = whole();
    for name in names() {
        let dir = tempfile::tempdir().unwrap();
        let [cache, other] = ["cache", "other"].map(|name| dir.path().join(name));
        whole.write(&cache);
        whole.write(&other);
        let (path, target) = (cache.join(&name), other.join(&name));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        let _ = fs::remove_file(&path).or_else(|_| fs::remove_dir_all(&path));
        symlink(&target, &path).unwrap();
        let before = contents(&other);
        let [_, second, third] = runs(&cache);
        memo(&cache).0.clear().unwrap();
        runs(&cache);
        assert_eq!(second + third, 0, "{}", name.display());
        assert!(contents(&other) == before, "what {} led to has changed", name.display());
        let is_needed = !["tmp", "lock", "claims"].iter().any(|idle| name.ends_with(idle));
        assert!(!path.is_symlink() || !is_needed, "{} is still a link", name.display());
    }
}

fn contents(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    Files::read(dir).0.into_iter().map(|(path, content)| (path, content.all())).collect()
}

#[test]
fn files_of_others_in_directories_of_the_cache_stay() {
    let dir = volatile_dir();
    runs(dir.path());
    let theirs = ["1/notes", "1/entries-2.db", "tmp/notes", "notes", "7/notes", "18446744073709551615/notes"]
        .map(|name| dir.path().join("scache").join(name));
    for path in &theirs {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, THEIRS).unwrap();
    }
    for _ in 0..3 {
        let path = newest(dir.path());
        fs::write(path, "garbage").unwrap();
        assert_eq!(runs(dir.path()), [10, 0, 0]);
    }
    for path in &theirs {
        assert_eq!(fs::read_to_string(path).unwrap(), THEIRS);
    }
    assert_eq!(warnings(dir.path()).len(), 3);
    assert!(!dir.path().join("scache/8/entries-1.db").exists(), "of all damaged databases only the last one stays");
}

/// The database with the highest number that a database can have.
fn newest(cache: &Path) -> PathBuf {
    let databases = Files::read(&cache.join("scache")).paths();
    let number = |path: &PathBuf| path.parent().unwrap().to_str().unwrap().parse::<u32>().unwrap_or_default();
    let newest = databases.into_iter().filter(|path| path.ends_with(FILES[0])).max_by_key(number).unwrap();
    cache.join("scache").join(newest)
}
