//! A disk without room: memory serves, one warning says so, and results are stored again when there is room.

use twat_cache_core::testing::system::Disk;
use twat_cache_core::testing::{assert_one_warning, until};

use super::*;

#[test]
fn on_a_full_disk_memory_serves_until_there_is_room() {
    let dir = dir();
    let Some(disk) = Disk::mount(dir.path(), 4) else { return };
    disk.fill(5);
    let (memo, computed) = numbers(ucache("numbers").dir(dir.path()));
    call_all(&memo, 0..100);
    call_all(&memo, 0..100);
    assert_eq!(computed.get(), 100);
    disk.make_room();
    if BEST == Backend::Memory {
        return;
    }
    assert_one_warning(dir.path(), &["no room left", "going on without it, in memory"]);
    // Each result is computed once, and stored when the disk has room again.
    let mut keys = 100..;
    until("storing resumes", || {
        let key = keys.next().unwrap();
        call_all(&memo, key..key + 1);
        let (fresh, computed) = numbers(ucache("numbers").dir(dir.path()));
        call_all(&fresh, key..key + 1);
        computed.get() == 0
    });
}
