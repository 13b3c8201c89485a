//! A directory that others own or can write to is not used: memory serves, with one warning that says why. Files of others in
//! it are moved aside.
#![cfg(target_os = "linux")]

mod common;

use common::is_entry;
use common::varied::{ALL, KEYS, assert_right, filled, memo, use_all};
use twat_cache_core::Trust;
use twat_cache_core::testing::damage::Act;
use twat_cache_core::testing::files::Files;
use twat_cache_core::testing::owners::{ANOTHER_USER, give_away, owner, set_mode, take_back};
use twat_cache_core::testing::{assert_one_warning, volatile_dir, warnings};
use twat_cache_file::{KeyedStore as _, Store as _, fcache};

#[test]
fn a_directory_that_others_can_change_is_not_used_and_one_warning_names_it() {
    let acts: [Act; 4] = [
        ("others can write to", |path| set_mode(path, 0o777)),
        ("others can write to", |path| set_mode(path, 0o1777)),
        ("`.trust(Trust::Group)`", |path| set_mode(path, 0o770)),
        ("belongs to user 12345", |path| {
            give_away(path);
        }),
    ];
    for (said, spoil) in acts {
        for is_below in [false, true] {
            let (dir, below) = filled();
            let opened = if is_below { &below } else { dir.path() };
            spoil(opened);
            if said.contains("12345") && owner(opened) != ANOTHER_USER {
                continue;
            }
            let before = Files::read(dir.path()).paths();
            let (memo, computed) = memo(dir.path());
            (0..KEYS).chain(0..KEYS).for_each(|key| assert_right(&memo, key));
            assert_eq!(computed.get(), ALL, "what is there serves nobody");
            assert_one_warning(dir.path(), &[said, opened.to_str().unwrap(), "in memory"]);
            let strict = fcache("numbers").dir(dir.path()).build::<Vec<u64>>();
            assert!(strict.get(&1_u64).is_err() && strict.insert(&1_u64, &vec![]).is_err());
            assert!(strict.remove(&1_u64).is_err() && strict.clear().is_err() && strict.len().is_err());
            assert!(memo.forget(&1).is_err(), "what is there is still there");
            assert_eq!(Files::read(dir.path()).paths(), before, "something was written");
            // The directory is used as soon as its mode is right.
            take_back(opened);
            set_mode(opened, 0o700);
            assert_eq!(use_all(dir.path()).computed, 0);
            let other = 100 + KEYS;
            let store = fcache("numbers").dir(dir.path()).open::<Vec<u64>>().unwrap();
            memo.store().insert(&other, &vec![1]).unwrap();
            assert_eq!(store.get(&other).unwrap(), Some(vec![1]));
        }
    }
}

#[test]
fn a_directory_that_its_group_can_write_to_is_used_if_the_group_is_trusted() {
    let dir = volatile_dir();
    set_mode(dir.path(), 0o770);
    let open = || fcache("numbers").dir(dir.path()).trust(Trust::Group).open::<u64>();
    open().unwrap().insert(&1_u64, &1).unwrap();
    assert_eq!(open().unwrap().get(&1_u64).unwrap(), Some(1));
    set_mode(dir.path(), 0o777);
    assert!(open().is_err());
}

#[test]
fn files_and_directories_of_another_user_are_not_used_and_moved_aside() {
    let (dir, below) = filled();
    let entry = below.join(Files::read(&below).find(is_entry));
    for path in [&entry, &below.join("meta"), &below.join("tmp"), &below.join("lock/claims")] {
        if !give_away(path) {
            return;
        }
    }
    // The secret is another one, too.
    assert_eq!(use_all(dir.path()).computed, ALL);
    assert_eq!(use_all(dir.path()).computed, 0);
    for path in ["meta", "tmp", "lock/claims"] {
        assert_eq!(owner(&below.join(path)), owner(dir.path()), "{path}");
        assert_eq!(owner(&below.join(format!("{path}.in-the-way"))), ANOTHER_USER, "{path}");
    }
    assert!(warnings(dir.path()).len() <= 1, "{:#?}", warnings(dir.path()));
}

#[test]
fn an_entry_of_another_user_is_not_used_and_moved_aside() {
    let (dir, below) = filled();
    let entry = below.join(Files::read(&below).find(is_entry));
    if !give_away(&entry) {
        return;
    }
    assert_eq!(use_all(dir.path()).computed, 1);
    assert_eq!(use_all(dir.path()).computed, 0);
    assert_eq!(owner(&entry), owner(dir.path()));
    assert_eq!(owner(&entry.with_extension("in-the-way")), ANOTHER_USER);
}
