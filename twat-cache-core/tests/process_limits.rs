//! A process with a limit on the length of files.
#![cfg(all(target_os = "linux", feature = "persist"))]

use twat_cache_core::Trust;
use twat_cache_core::persist::prepare_root;
use twat_cache_core::persist::trust::{fits, most_file_bytes};
use twat_cache_core::testing::child::{Child, Task};
use twat_cache_core::testing::system::run;

#[test]
fn child_with_short_files() {
    let Some(task) = Task::given() else { return };
    task.say(most_file_bytes());
    task.say(fits(4096).is_ok());
    task.say(fits(4097).unwrap_err());
    // If the mark does not fit, the process must not be killed.
    assert!(run("prlimit", &[&"--fsize=0", &"--pid", &std::process::id().to_string()]));
    prepare_root(&task.dir.join("cache"), Trust::Owner).unwrap();
    task.say("alive");
}

#[test]
fn the_limit_on_file_sizes_is_known_and_not_exceeded() {
    let dir = tempfile::tempdir().unwrap();
    let said = Child::after("ulimit -f 8", "child_with_short_files", dir.path()).finish();
    assert_eq!((&*said[0], &*said[1], &*said[3]), ("4096", "true", "alive"), "{said:?}");
    assert!(said[2].contains("4096") && said[2].contains("ulimit -f"), "{said:?}");
}
