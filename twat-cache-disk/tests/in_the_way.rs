//! What is where the cache's own files and directories should be, and is not the cache's: nobody waits for it, nothing in it
//! is lost, and the cache works.
#![cfg(unix)]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use common::numbers::{assert_one_warning, call_all, memo, warnings};
use common::system::run;
use twat_cache_core::testing::{record_logs, within};
use twat_cache_disk::{Trust, bcache};

type Make = (&'static str, fn(&Path));

const IN_THE_WAY: [Make; 8] = [
    ("a file", |path| fs::write(path, "somebody's").unwrap()),
    ("a directory", |path| {
        fs::create_dir_all(path.join("a/b")).unwrap();
        fs::write(path.join("a/file"), "somebody's").unwrap();
    }),
    ("a pipe", |path| assert!(run("mkfifo", &[&path]))),
    ("a socket", |path| drop(UnixListener::bind(path).unwrap())),
    ("a link to nothing", |path| symlink("nothing", path).unwrap()),
    ("a link to itself", |path| symlink(path, path).unwrap()),
    ("a link to a file", |path| symlink(others(path).join("file"), path).unwrap()),
    ("a link to a directory", |path| symlink(others(path).join("directory"), path).unwrap()),
];

/// A directory of somebody's, beside all caches.
fn others(path: &Path) -> PathBuf {
    path.ancestors().map(|above| above.join("others")).find(|others| others.exists()).unwrap()
}

fn with_others() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("others/directory")).unwrap();
    fs::write(dir.path().join("others/file"), "somebody's").unwrap();
    fs::write(dir.path().join("others/directory/file"), "somebody's").unwrap();
    dir
}

/// All that is below a directory and is not a directory, by its number on the disk, with what is in it.
fn all(dir: &Path, found: &mut BTreeMap<u64, Option<Vec<u8>>>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let stat = fs::symlink_metadata(&path).unwrap();
        if stat.is_dir() {
            all(&path, found);
        } else {
            found.insert(stat.ino(), stat.is_file().then(|| fs::read(path).unwrap()));
        }
    }
}

/// Runs three times with something in the way; gives how many were computed.
fn runs(cache: &Path, way: &str, root: &Path) -> [usize; 3] {
    let mut before = BTreeMap::new();
    all(&root.join("others"), &mut before);
    let runs = [(); 3].map(|()| {
        let cache = cache.to_owned();
        within(Duration::from_secs(20), move || {
            let (memo, computed) = memo(&cache);
            call_all(&memo, 0..10);
            call_all(&memo, 0..10);
            computed.get()
        })
    });
    let mut after = BTreeMap::new();
    all(&root.join("others"), &mut after);
    assert_eq!(before, after, "{way}");
    assert!(warnings(cache).len() <= 1, "{way}: {:#?}", warnings(cache));
    runs
}

#[test]
fn what_is_in_place_of_the_database_or_its_lock_is_moved_aside() {
    for name in ["bcache", "bcache.lock"] {
        for (what, make) in IN_THE_WAY {
            if (name, what) == ("bcache", "a directory") {
                continue;
            }
            let dir = with_others();
            let cache = dir.path().join("cache");
            fs::create_dir(&cache).unwrap();
            make(&cache.join(name));
            let number = fs::symlink_metadata(cache.join(name)).unwrap().ino();
            let way = format!("{what} at {name}");
            assert_eq!(runs(&cache, &way, dir.path()), [10, 0, 0], "{way}");
            let aside = fs::symlink_metadata(cache.join(format!("{name}.in-the-way"))).unwrap();
            assert_eq!(aside.ino(), number, "{way}");
        }
    }
}

#[test]
fn what_is_in_place_of_the_damaged_database_stays() {
    for (what, make) in IN_THE_WAY {
        let dir = with_others();
        let cache = dir.path().join("cache");
        runs(&cache, what, dir.path());
        fs::write(cache.join("bcache/version"), "damaged").unwrap();
        make(&cache.join("bcache.corrupt"));
        let number = || fs::symlink_metadata(cache.join("bcache.corrupt")).unwrap().ino();
        let before = number();
        assert_eq!(runs(&cache, what, dir.path()), [10, 0, 0], "{what}");
        assert_eq!(number(), before, "{what}");
        assert_eq!(fs::read(cache.join("bcache.corrupt-2/version")).unwrap(), b"damaged");
        if what == "a directory" {
            assert_eq!(fs::read(cache.join("bcache.corrupt/a/file")).unwrap(), b"somebody's");
        }
    }
}

#[test]
fn only_what_was_moved_there_makes_room_for_another_damaged_database() {
    let dir = with_others();
    let cache = dir.path().join("cache");
    let damage = |content: &str| {
        let (memo, _) = memo(&cache);
        call_all(&memo, 0..10);
        drop(memo);
        fs::write(cache.join("bcache/version"), content).unwrap();
        let (memo, _) = self::memo(&cache);
        call_all(&memo, 0..10);
    };
    let version = |aside: &str| fs::read_to_string(cache.join(aside).join("version")).ok();
    damage("first");
    assert_eq!(version("bcache.corrupt").as_deref(), Some("first"));
    damage("second");
    assert_eq!(version("bcache.corrupt").as_deref(), Some("second"));
    fs::write(cache.join("bcache.corrupt/notes"), "somebody's").unwrap();
    damage("third");
    assert_eq!(version("bcache.corrupt").as_deref(), Some("second"));
    assert_eq!(version("bcache.corrupt-2").as_deref(), Some("third"));
}

#[test]
fn what_is_in_place_of_a_file_of_the_database_is_moved_aside_with_it() {
    let dir = with_others();
    let whole = dir.path().join("whole");
    runs(&whole, "nothing", dir.path());
    for file in common::files::Files::read(&whole).paths() {
        // The marks are for other programs.
        if !file.starts_with("bcache") {
            continue;
        }
        for (what, make) in IN_THE_WAY {
            let cache = dir.path().join("cache");
            common::files::Files::read(&whole).write(&cache);
            fs::remove_file(cache.join(&file)).unwrap();
            make(&cache.join(&file));
            let way = format!("{what} at {}", file.display());
            record_logs();
            let before = warnings(&cache).len();
            let (memo_first, _) = memo(&cache);
            call_all(&memo_first, 0..10);
            drop(memo_first);
            assert!(warnings(&cache).len() <= before + 1, "{way}");
            let (memo, computed) = memo(&cache);
            call_all(&memo, 0..10);
            assert_eq!(computed.get(), 0, "{way}");
            drop(memo);
            fs::remove_dir_all(&cache).unwrap();
        }
    }
    let others = fs::read(dir.path().join("others/file")).unwrap();
    assert_eq!(others, b"somebody's");
}

#[test]
fn a_file_of_somebodys_in_place_of_the_lock_is_not_cut_short() {
    let dir = with_others();
    fs::write(dir.path().join("bcache.lock"), "somebody's").unwrap();
    assert_eq!(runs(dir.path(), "a file", dir.path()), [10, 0, 0]);
    assert_eq!(fs::read(dir.path().join("bcache.lock.in-the-way")).unwrap(), b"somebody's");
}

#[test]
fn a_directory_that_others_can_write_to_is_not_used_unless_they_are_trusted() {
    let dir = tempfile::tempdir().unwrap();
    let cache = dir.path().join("cache");
    let (memo_first, _) = memo(&cache);
    call_all(&memo_first, 0..10);
    drop(memo_first);
    let database = cache.join("bcache");
    for (path, mode) in [(&cache, 0o777), (&cache, 0o770), (&database, 0o777), (&database, 0o770)] {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        let before = warnings(&cache).len();
        let (memo, computed) = memo(&cache);
        call_all(&memo, 0..10);
        call_all(&memo, 0..10);
        assert_eq!(computed.get(), 10, "{} of mode {mode:o}", path.display());
        let warnings = warnings(&cache).split_off(before);
        assert!(warnings.len() == 1 && warnings[0].contains("write to"), "{warnings:#?}");
        drop(memo);
        let grouped = bcache("numbers").dir(&cache).trust(Trust::Group).open::<Vec<u64>>();
        assert_eq!(grouped.is_ok(), mode == 0o770, "{} of mode {mode:o}", path.display());
        // Also beside one who does.
        if grouped.is_ok() {
            let error = bcache("numbers").dir(&cache).open::<Vec<u64>>().unwrap_err();
            assert!(error.to_string().contains("write to"), "{error}");
        }
        drop(grouped);
        fs::set_permissions(path, fs::Permissions::from_mode(0o700)).unwrap();
    }
    let (memo, computed) = memo(&cache);
    call_all(&memo, 0..10);
    assert_eq!(computed.get(), 0);
}

#[test]
fn a_directory_of_another_user_is_not_used() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["", "bcache"] {
        let cache = dir.path().join(format!("cache-{name}"));
        let (memo_first, _) = memo(&cache);
        call_all(&memo_first, 0..10);
        drop(memo_first);
        if chown(cache.join(name), Some(12345), None).is_err() {
            eprintln!("skipped: only root can give directories to others");
            return;
        }
        let (memo, computed) = memo(&cache);
        call_all(&memo, 0..10);
        assert_eq!(computed.get(), 10);
        assert_one_warning(&cache, &["belongs to user 12345"]);
    }
}
