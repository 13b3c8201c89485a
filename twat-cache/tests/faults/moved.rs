//! Scenario 31: the directory of a cache disappears while the cache is open.

use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use twat_cache_core::testing::files::Files;
use twat_cache_core::testing::owners::set_mode;

use super::cell::{Amount, Cell, Fault, Rule};
use super::session::{Round, Session};
use super::wrappers::Kind;
use Amount::{AtMost, Exactly};

pub(crate) fn faults() -> Vec<Fault> {
    let fault = |name, run: fn(&mut Cell)| Fault { scenario: 31, name, keys: 20, run: Box::new(run), rule };
    vec![
        fault("its directory is removed after 10", |cell| gone(cell, |dir, _| fs::remove_dir_all(dir).unwrap())),
        fault("its directory is moved away after 10", |cell| gone(cell, |dir, to| fs::rename(dir, to).unwrap())),
        fault("its directory is replaced by a copy after 10", |cell| gone(cell, replace)),
    ]
}

fn rule(kind: Kind) -> Rule {
    match kind {
        Kind::Memory => Rule::new(Exactly(20), Exactly(0)),
        // The ten that were there are computed once more.
        _ => Rule::new(AtMost(30), AtMost(1)),
    }
}

fn gone(cell: &mut Cell, go: fn(&Path, &Path)) {
    let (dir, away) = (cell.dir.join("cache"), cell.dir.join("away"));
    let session = Session::open(cell.kind, &dir);
    session.call_all(0..10);
    if cell.kind != Kind::Memory {
        go(&dir, &away);
    }
    // It need not be noticed at once.
    sleep(Duration::from_millis(20));
    (0..2).for_each(|_| session.call_all(0..20));
    cell.check(&"gone", &session.seen());
    session.until_kept(20);
    let Round { wrong, .. } = session.end();
    cell.expect(wrong == 0, &"afterwards", format_args!("{wrong} wrong values"));
    cell.recovers(&"for the next process", &dir, 0..20);
}

/// Puts a copy in its place, as a backup does.
fn replace(dir: &Path, away: &Path) {
    fs::rename(dir, away).unwrap();
    Files::read(away).write(dir);
    set_mode(dir, 0o700);
}
