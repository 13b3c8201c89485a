//! If the store cannot use its database, `remove` and `clear` are `Ok` only if no removed entry comes back.
#![cfg(target_os = "linux")]

use std::path::Path;

use twat_cache_core::testing::child::{Child, Task};
use twat_cache_core::testing::system::Frozen;
use twat_cache_disk::{DiskStore, ErrorKind, KeyedStore as _, Store as _, bcache};

const KEYS: u64 = 10;

fn store(dir: &Path) -> DiskStore<String> {
    bcache("words").dir(dir).build()
}

fn fill(dir: &Path) {
    let store = store(dir);
    (0..KEYS).for_each(|key| store.insert(&key, &key.to_string()).unwrap());
}

/// Removes the first key, then all keys. Returns which of the two succeeded.
fn forget(store: &DiskStore<String>) -> [bool; 2] {
    [store.remove(&0_u64).is_ok(), store.clear().is_ok()]
}

/// Whether the removed entries are gone for the next process that opens the database.
fn assert_forgotten(dir: &Path, [removed, cleared]: [bool; 2], what: &str) {
    let store = store(dir);
    let found = (0..KEYS).filter(|key| store.get(key).unwrap().is_some()).count();
    assert!(!removed || store.get(&0_u64).unwrap().is_none(), "{what}: the key is back");
    assert!(!cleared || found == 0, "{what}: {found} are back");
    assert_eq!(store.len().unwrap(), found);
}

#[test]
fn child_that_forgets() {
    let Some(task) = Task::given() else { return };
    for is_ok in forget(&store(&task.dir)) {
        task.say(is_ok);
    }
}

#[test]
fn without_file_handles_forgetting_either_succeeds_or_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let mut outcomes = Vec::new();
    for limit in 4..32 {
        fill(dir.path());
        let said = Child::after(&format!("ulimit -n {limit}"), "child_that_forgets", dir.path()).finish();
        // With fewer files, the test harness itself does not start.
        let [removed, cleared] = &*said else { continue };
        let forgotten = [removed == "true", cleared == "true"];
        assert_forgotten(dir.path(), forgotten, &format!("{limit} handles"));
        outcomes.push(forgotten[0]);
    }
    assert!(outcomes.contains(&false) && outcomes.contains(&true), "{outcomes:?}");
}

#[test]
fn child_that_has_the_database() {
    let Some(mut task) = Task::given() else { return };
    fill(&task.dir);
    task.say("open");
    let store = store(&task.dir);
    store.open().unwrap();
    task.say("still open");
    task.order();
}

#[test]
fn beside_another_process_forgetting_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = Child::start("child_that_has_the_database", dir.path());
    assert_eq!([child.hear(), child.hear()].map(Option::unwrap), ["open", "still open"]);
    let store = store(dir.path());
    let errors = [store.remove(&0_u64).map(drop), store.clear(), store.len().map(drop)];
    assert_eq!(errors.map(|error| error.unwrap_err().kind()), [ErrorKind::Locked; 3]);
    child.finish();
}

#[test]
fn in_a_read_only_directory_forgetting_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path());
    let open = store(dir.path());
    open.open().unwrap();
    {
        let Some(_frozen) = Frozen::freeze(dir.path()) else { return };
        assert_eq!(forget(&open), [false; 2]);
        assert_eq!(forget(&open), [false; 2], "when it is closed as well");
    }
    drop(open);
    {
        let Some(_frozen) = Frozen::freeze(dir.path()) else { return };
        assert_eq!(forget(&store(dir.path())), [false; 2], "when it was never opened");
    }
    assert_forgotten(dir.path(), [false; 2], "read-only");
}
