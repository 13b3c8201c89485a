//! Scenario 31: what others have put there, and other limits than most processes have.

use std::fs::{self, File};
use std::os::unix::fs::{FileTypeExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use twat_cache_core::testing::child::{Child, Task};
use twat_cache_core::testing::files::Files;
use twat_cache_core::testing::system::run;

use super::cell::{Amount, Cell, Fault, Rule};
use super::kind_of_child;
use super::session::{Round, Session, round};
use super::wrappers::Kind;
use Amount::{AtMost, Exactly};

const KEYS: u64 = 12;

pub(crate) fn faults() -> Vec<Fault> {
    let fault = |name, keys, run: fn(&mut Cell), rule: fn(Kind) -> Rule| Fault {
        scenario: 31,
        name,
        keys,
        run: Box::new(run),
        rule,
    };
    let refused = |kind: Kind| match kind {
        Kind::Memory => Rule::new(Exactly(12), Exactly(0)),
        _ => Rule::instead(Exactly(12), "memory"),
    };
    let in_the_way = |kind: Kind| match kind {
        Kind::Memory => Rule::new(Exactly(12), Exactly(0)),
        _ => Rule::new(AtMost(12), AtMost(1)),
    };
    vec![
        fault("its directory belongs to another user", KEYS, of_another_user, refused),
        fault("others can write to its directory", KEYS, open_to_others, refused),
        fault("a pipe is where a file or directory should be", KEYS, |cell| replaced(cell, pipe), in_the_way),
        fault("a link is where a file or directory should be", KEYS, |cell| replaced(cell, link), in_the_way),
        fault("no file may be larger than 64 KiB", KEYS, small_files, |kind| match kind {
            Kind::Memory => Rule::new(Exactly(12), Exactly(0)),
            _ => Rule::instead(Exactly(12), "memory"),
        }),
        fault("its process is forked, and has 6 of the results", KEYS, forked, |kind| match kind {
            // What the parent has in memory, the child has as well.
            Kind::Memory => Rule::new(Exactly(12), Exactly(0)),
            Kind::Unified | Kind::UnifiedFiles => Rule::new(Exactly(12), AtMost(1)),
            Kind::Disk | Kind::File => Rule::new(AtMost(18), AtMost(1)),
        }),
    ]
}

/// Anybody but root, which these tests run as where they can.
const ANOTHER: u32 = 12_345;

fn of_another_user(cell: &mut Cell) {
    let dir = cell.dir.join("theirs");
    round(cell.kind, &dir, 0..KEYS);
    if cell.kind == Kind::Memory {
        fs::create_dir_all(&dir).unwrap();
    }
    if chown(&dir, Some(ANOTHER), None).is_err() {
        return;
    }
    cell.check(&"theirs", &round(cell.kind, &dir, 0..KEYS));
    chown(&dir, Some(0), None).unwrap();
    cell.is_healed(&"ours again", &dir, 0..KEYS);
}

fn open_to_others(cell: &mut Cell) {
    let dir = cell.dir.join("open");
    round(cell.kind, &dir, 0..KEYS);
    if cell.kind == Kind::Memory {
        fs::create_dir_all(&dir).unwrap();
    }
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o777)).unwrap();
    cell.check(&"open", &round(cell.kind, &dir, 0..KEYS));
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o700)).unwrap();
    cell.is_healed(&"ours alone again", &dir, 0..KEYS);
}

/// Puts something in the place of each file and each directory in turn.
fn replaced(cell: &mut Cell, put: fn(&Path, &Path)) {
    let whole = cell.dir.join("whole");
    round(cell.kind, &whole, 0..KEYS);
    let files = if cell.kind == Kind::Memory { Files::default() } else { Files::read(&whole) };
    let mut paths = files.paths();
    paths.extend(files.paths().iter().flat_map(|path| path.ancestors().skip(1)).map(PathBuf::from));
    paths.retain(|path| !path.as_os_str().is_empty());
    paths.sort();
    paths.dedup();
    if paths.is_empty() {
        cell.check(&"nothing to replace", &round(cell.kind, &whole, 0..KEYS));
    }
    for path in paths {
        let case = path.display();
        let dir = tempfile::tempdir_in(&cell.dir).unwrap();
        let (root, theirs) = (dir.path().join("cache"), dir.path().join("theirs"));
        files.write(&root);
        fs::set_permissions(&root, fs::Permissions::from_mode(0o700)).unwrap();
        fs::create_dir(&theirs).unwrap();
        fs::write(theirs.join("file"), "somebody's").unwrap();
        let place = root.join(&path);
        if fs::metadata(&place).unwrap().is_dir() {
            fs::remove_dir_all(&place).unwrap();
            put(&place, &theirs);
        } else {
            fs::remove_file(&place).unwrap();
            put(&place, &theirs.join("file"));
        }
        let kind = cell.kind;
        let again = root.clone();
        let tried = move || [0, 1].map(|_| round(kind, &again, 0..KEYS));
        let [first, second] = twat_cache_core::testing::within(super::session::PATIENCE, tried);
        cell.check(&case, &first);
        cell.healed(&case, &second);
        let names: Vec<_> = fs::read_dir(&theirs).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        let is_whole = names == ["file"] && fs::read(theirs.join("file")).unwrap() == b"somebody's";
        cell.expect(is_whole, &case, format_args!("somebody's files were changed: {names:?}"));
    }
}

fn pipe(place: &Path, _: &Path) {
    assert!(run("mkfifo", &[&place]) && fs::symlink_metadata(place).unwrap().file_type().is_fifo());
}

fn link(place: &Path, to: &Path) {
    symlink(to, place).unwrap();
}

#[test]
fn child_with_small_files() {
    let Some(task) = Task::given() else { return };
    round(kind_of_child(), &task.dir, 0..KEYS).tell(&task);
}

fn small_files(cell: &mut Cell) {
    let dir = cell.dir.join("cache");
    let child = Child::start_with("strangers::child_with_small_files", &dir, |binary| {
        let mut shell = Command::new("sh");
        // In blocks of 512 bytes.
        shell.arg("-c").arg("ulimit -f 128; exec \"$0\" \"$@\"").arg(binary);
        shell
    });
    let seen = Round::told(child.finish()).expect("it tells of what it did");
    cell.check(&"64 KiB", &seen);
    cell.recovers(&"no limit any more", &dir, 0..KEYS);
}

/// Computes in a forked process, and tells of it through a file.
fn forked(cell: &mut Cell) {
    let dir = cell.dir.join("cache");
    let session = Session::open(cell.kind, &dir);
    session.call_all(0..KEYS / 2);
    let told = cell.dir.join("told");
    let is_well = in_child(|| {
        (0..2).for_each(|_| session.call_all(0..KEYS));
        let Round { wrong, computed, warnings } = session.seen();
        let text = format!("{wrong} {computed}\n{}", warnings.join("\n"));
        fs::write(&told, text).is_ok()
    });
    cell.expect(is_well, &"forked", "the forked process has not ended well");
    let text = fs::read_to_string(&told).unwrap_or_default();
    if let Some(seen) = Round::told(text.lines().map(str::to_owned).collect()) {
        cell.check(&"in the forked process", &seen);
    }
    session.call_all(0..KEYS);
    session.end();
    cell.is_healed(&"in the next process", &dir, 0..KEYS);
    drop(File::open(dir));
}

/// Runs this in a forked process, which it ends; says whether it was true there, within a minute.
#[expect(unsafe_code, reason = "std cannot fork")]
fn in_child(run: impl FnOnce() -> bool) -> bool {
    // SAFETY: the child has this thread only, calls nothing but `run`, which allocates and locks (glibc sees to its own
    // locks), and ends without what would run at exit.
    match unsafe { libc::fork() } {
        0 => {
            let right = run();
            // SAFETY: it ends the process.
            unsafe { libc::_exit(i32::from(!right)) }
        }
        child => {
            let (begun, mut status) = (std::time::Instant::now(), 0);
            // SAFETY: `status` is there to be written.
            while unsafe { libc::waitpid(child, &raw mut status, libc::WNOHANG) } == 0 {
                if begun.elapsed() > std::time::Duration::from_secs(60) {
                    // SAFETY: it is our child, and was not waited for yet.
                    unsafe { libc::kill(child, libc::SIGKILL) };
                    return false;
                }
                std::thread::yield_now();
            }
            status == 0
        }
    }
}
