//! Which directories are used, and what happens to what is in the way there.
#![cfg(all(unix, feature = "persist"))]

use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use twat_cache_core::persist::trust::{self, make_dir, move_aside, open_or_create};
use twat_cache_core::persist::{prepare_below, prepare_root};
use twat_cache_core::testing::child::{Child, Task};
use twat_cache_core::testing::system::run;
use twat_cache_core::testing::within;
use twat_cache_core::{Error, ErrorKind, Trust};

/// What is made at a path.
type Make = (&'static str, fn(&Path));

/// All that can be in the way of a file or a directory.
const IN_THE_WAY: [Make; 7] = [
    ("a directory", |path| fs::create_dir_all(path.join("a/b")).unwrap()),
    ("a pipe", |path| assert!(run("mkfifo", &[&path]))),
    ("a socket", |path| drop(UnixListener::bind(path).unwrap())),
    ("a link to nothing", |path| symlink("nothing", path).unwrap()),
    ("a link to itself", |path| symlink(path, path).unwrap()),
    ("a link to a file", |path| symlink(beside(path, "file"), path).unwrap()),
    ("a link to a directory", |path| symlink(beside(path, "dir"), path).unwrap()),
];

fn beside(path: &Path, name: &str) -> PathBuf {
    path.parent().unwrap().join(name)
}

/// A directory with a file and a directory of somebody's.
fn with_others() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("file"), "somebody's").unwrap();
    fs::create_dir(dir.path().join("dir")).unwrap();
    dir
}

/// Which have not changed.
fn assert_others(dir: &Path, what: &str) {
    assert_eq!(fs::read(dir.join("file")).unwrap(), b"somebody's", "{what}");
    assert_eq!(fs::read_dir(dir.join("dir")).unwrap().count(), 0, "{what}");
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// To another user; false if only root could do that, and we are not.
fn give_away(path: &Path) -> bool {
    let is_given = chown(path, Some(12345), None).is_ok();
    if !is_given {
        eprintln!("skipped: only root can give files to others");
    }
    is_given
}

fn assert_refused<T>(result: Result<T, Error>, dir: &Path, parts: &[&str]) {
    let error = result.err().expect("it is used");
    assert_eq!((error.kind(), error.path()), (ErrorKind::Other, Some(dir)));
    assert!(!error.kind().is_lasting(), "it may be mended while the program runs");
    for part in parts {
        assert!(error.to_string().contains(part), "no {part:?} in: {error}");
    }
}

#[test]
fn a_directory_that_is_ours_alone_is_used_under_all_its_names() {
    let dir = tempfile::tempdir().unwrap();
    let (cache, link) = (dir.path().join("a/cache"), dir.path().join("link"));
    let real = fs::canonicalize(dir.path()).unwrap().join("a/cache");
    assert_eq!(prepare_root(&cache, Trust::Owner).unwrap(), real);
    assert_eq!(fs::metadata(&cache).unwrap().mode() & 0o777, 0o700);
    symlink(dir.path().join("a"), &link).unwrap();
    assert_eq!(prepare_root(&link.join("cache"), Trust::Owner).unwrap(), real);
}

#[test]
fn a_directory_that_others_can_write_to_is_refused_and_left_alone() {
    for (mode, trust, parts) in [
        (0o777, Trust::Owner, "others can write to"),
        (0o702, Trust::Group, "`chmod go-w`"),
        (0o1777, Trust::Group, "choose a directory in it"),
        (0o770, Trust::Owner, "`.trust(Trust::Group)`"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        set_mode(dir.path(), mode);
        let path = dir.path().display().to_string();
        assert_refused(prepare_root(dir.path(), trust), dir.path(), &[&path, parts]);
        assert_refused(prepare_below(dir.path(), trust), dir.path(), &[&path, parts]);
        assert_eq!(fs::metadata(dir.path()).unwrap().mode() & 0o7777, mode);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}

#[test]
fn a_directory_that_its_group_can_write_to_is_used_where_that_is_wanted() {
    let dir = tempfile::tempdir().unwrap();
    let below = dir.path().join("cache");
    set_mode(dir.path(), 0o770);
    assert_refused(prepare_root(&below, Trust::Owner), &below, &["`.trust(Trust::Group)`"]);
    prepare_root(dir.path(), Trust::Group).unwrap();
    prepare_root(&below, Trust::Group).unwrap();
    assert_eq!(fs::metadata(dir.path()).unwrap().mode() & 0o777, 0o770);
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
    // Nor is it used if it was there before.
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

#[test]
fn what_is_in_the_way_of_a_directory_or_a_file_is_moved_aside_and_is_whole() {
    for (what, make) in IN_THE_WAY {
        within(Duration::from_secs(5), move || {
            let dir = with_others();
            let [below, made, file] = ["below", "made", "opened"].map(|name| dir.path().join(name));
            let is_in_the_way = |path: &Path| !(what == "a directory" && path != file);
            for path in [&below, &made, &file] {
                make(path);
            }
            let before = [&below, &made, &file].map(|path| fs::symlink_metadata(path).unwrap().ino());
            prepare_below(&below, Trust::Owner).unwrap();
            make_dir(&made, |_| true).unwrap();
            open_or_create(&file, 0o600).unwrap().write_all(b"ours").unwrap();
            assert!(fs::symlink_metadata(&below).unwrap().is_dir() && fs::symlink_metadata(&made).unwrap().is_dir());
            assert!(fs::symlink_metadata(&file).unwrap().is_file());
            for (path, before) in [&below, &made, &file].into_iter().zip(before) {
                let aside = if is_in_the_way(path) { path.with_extension("in-the-way") } else { path.clone() };
                assert_eq!(fs::symlink_metadata(aside).unwrap().ino(), before, "{what}");
            }
            assert_others(dir.path(), what);
        });
    }
}

#[test]
fn a_file_in_the_way_of_a_directory_is_moved_aside() {
    let dir = with_others();
    prepare_below(&dir.path().join("file"), Trust::Owner).unwrap();
    assert_eq!(fs::read(dir.path().join("file.in-the-way")).unwrap(), b"somebody's");
}

#[test]
fn a_file_or_directory_of_another_user_is_moved_aside() {
    let dir = with_others();
    let [file, theirs] = ["file", "dir"].map(|name| dir.path().join(name));
    if !(give_away(&file) && give_away(&theirs)) {
        return;
    }
    assert_eq!(open_or_create(&file, 0o600).unwrap().metadata().unwrap().len(), 0);
    make_dir(&theirs, trust::is_own).unwrap();
    assert_eq!(fs::read(dir.path().join("file.in-the-way")).unwrap(), b"somebody's");
    assert_eq!(fs::metadata(dir.path().join("dir.in-the-way")).unwrap().uid(), 12345);
    assert_eq!(fs::metadata(theirs).unwrap().uid(), trust::user());
}

#[test]
fn what_was_moved_aside_before_stays_and_there_is_an_end_to_it() {
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
fn what_another_process_has_put_there_meanwhile_stays() {
    let dir = with_others();
    let [path, other] = ["file", "dir"].map(|name| dir.path().join(name));
    move_aside(&path, &fs::symlink_metadata(&other).unwrap()).unwrap();
    assert_others(dir.path(), "the file is not what was found");
}

#[test]
fn child_with_small_files() {
    let Some(task) = Task::given() else { return };
    task.say(trust::most_file_bytes());
    task.say(trust::fits(4096).is_ok());
    task.say(trust::fits(4097).unwrap_err());
    // That the mark does not fit is no reason to be killed.
    set_limit_of_nothing();
    prepare_root(&task.dir.join("cache"), Trust::Owner).unwrap();
    task.say("alive");
}

/// Of this process's files, whatever its limit was.
fn set_limit_of_nothing() {
    let me = std::process::id().to_string();
    assert!(run("prlimit", &[&"--fsize=0", &"--pid", &me]));
}

#[test]
#[cfg(target_os = "linux")]
fn the_limit_of_file_size_is_known_and_not_passed() {
    let dir = tempfile::tempdir().unwrap();
    let child = Child::start_with("child_with_small_files", dir.path(), |binary| {
        let mut shell = std::process::Command::new("sh");
        shell.arg("-c").arg("ulimit -f 8; exec \"$0\" \"$@\"").arg(binary);
        shell
    });
    let said = child.finish();
    assert_eq!((&*said[0], &*said[1], &*said[3]), ("4096", "true", "alive"), "{said:?}");
    assert!(said[2].contains("4096") && said[2].contains("ulimit -f"), "{said:?}");
}
