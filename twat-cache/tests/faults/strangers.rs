//! Scenario 31: what others have put there, and other limits than most processes have.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use twat_cache_core::testing::child::{Child, Task};
use twat_cache_core::testing::files::{Files, names};
use twat_cache_core::testing::obstacles::{PIPE, THEIRS};
use twat_cache_core::testing::owners::{give_away, set_mode, take_back};
use twat_cache_core::testing::{PATIENCE, within};

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
        fault("no file may be larger than 64 KiB", KEYS, short_files, |kind| match kind {
            Kind::Memory => Rule::new(Exactly(12), Exactly(0)),
            _ => Rule::instead(Exactly(12), "memory"),
        }),
        fault("its process is forked, and has 6 of the results", KEYS, forked, |kind| match kind {
            // The child has a copy of the memory of its parent.
            Kind::Memory => Rule::new(Exactly(12), Exactly(0)),
            Kind::Unified | Kind::UnifiedDisk => Rule::new(Exactly(12), AtMost(1)),
            _ => Rule::new(AtMost(18), AtMost(1)),
        }),
    ]
}

twat_cache_core::define_in_fork!();

fn of_another_user(cell: &mut Cell) {
    let dir = cell.dir.join("theirs");
    round(cell.kind, &dir, 0..KEYS);
    if cell.kind == Kind::Memory {
        fs::create_dir_all(&dir).unwrap();
    }
    if !give_away(&dir) {
        return;
    }
    cell.check(&"theirs", &round(cell.kind, &dir, 0..KEYS));
    take_back(&dir);
    cell.is_healed(&"ours again", &dir, 0..KEYS);
}

fn open_to_others(cell: &mut Cell) {
    let dir = cell.dir.join("open");
    round(cell.kind, &dir, 0..KEYS);
    if cell.kind == Kind::Memory {
        fs::create_dir_all(&dir).unwrap();
    }
    set_mode(&dir, 0o777);
    cell.check(&"open", &round(cell.kind, &dir, 0..KEYS));
    set_mode(&dir, 0o700);
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
        set_mode(&root, 0o700);
        fs::create_dir(&theirs).unwrap();
        fs::write(theirs.join("file"), THEIRS).unwrap();
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
        let [first, second] = within(PATIENCE, tried);
        cell.check(&case, &first);
        cell.healed(&case, &second);
        let is_whole = names(&theirs) == ["file"] && fs::read_to_string(theirs.join("file")).unwrap() == THEIRS;
        cell.expect(is_whole, &case, format_args!("files of others were changed: {:?}", names(&theirs)));
    }
}

fn pipe(place: &Path, _: &Path) {
    PIPE.1(place);
}

fn link(place: &Path, to: &Path) {
    symlink(to, place).unwrap();
}

#[test]
fn child_with_short_files() {
    let Some(task) = Task::given() else { return };
    round(kind_of_child(), &task.dir, 0..KEYS).tell(&task);
}

fn short_files(cell: &mut Cell) {
    let dir = cell.dir.join("cache");
    // In blocks of 512 bytes.
    let child = Child::after("ulimit -f 128", "strangers::child_with_short_files", &dir);
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
    let is_well = in_fork(|| {
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
}
