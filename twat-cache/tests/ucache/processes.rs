//! Several processes in one directory.

use twat_cache_core::testing::assert_one_warning;
use twat_cache_core::testing::child::{Child, Task};

use super::*;

#[test]
fn child_that_uses_the_cache() {
    let Some(mut task) = Task::given() else { return };
    let (memo, computed) = numbers(ucache("numbers").dir(&task.dir));
    call_all(&memo, 0..10);
    task.say(format_args!("{:?} {}", memo.store().backend(), computed.get()));
    task.order();
}

fn child(dir: &Path) -> (Child, Option<String>) {
    let mut child = Child::start("processes::child_that_uses_the_cache", dir);
    let said = child.hear();
    (child, said)
}

#[test]
fn beside_another_process_the_next_best_backend_serves() {
    let dir = dir();
    let (first, said) = child(dir.path());
    assert_eq!(said, Some(format!("{BEST:?} 10")));
    let (memo, computed) = numbers(ucache("numbers").dir(dir.path()));
    call_all(&memo, 0..20);
    call_all(&memo, 0..20);
    let second = match BEST {
        Backend::Disk if cfg!(feature = "file") => {
            assert_one_warning(dir.path(), &["bcache: locked by another process", "using files at", "instead"]);
            Backend::File
        }
        Backend::Disk => {
            assert_one_warning(dir.path(), &["bcache: locked by another process", "memory takes over"]);
            Backend::Memory
        }
        best => best,
    };
    assert_eq!(memo.store().backend(), second);
    let shares = BEST == Backend::File;
    assert_eq!(computed.get(), if shares { 10 } else { 20 });
    // A third one shares what is in files.
    let (third, said) = child(dir.path());
    assert_eq!(said, Some(format!("{second:?} {}", if second == Backend::Memory { 10 } else { 0 })));
    first.finish();
    third.finish();
    call_all(&memo, 0..30);
    assert_eq!(memo.store().backend(), second, "for as long as the memo lives");
}
