//! Scenarios 22 and 23: large results are mapped, whatever happens to their entries, and only where no other user can change
//! them.
#![cfg(target_os = "linux")]

mod common;

use std::fs;
use std::os::unix::fs::{chown, symlink};
use std::path::Path;
use std::time::UNIX_EPOCH;

use common::{memo, memo_of, value};
use twat_cache_core::Trust;
use twat_cache_core::testing::child::{Child, Task};
use twat_cache_core::testing::owners::{mode, set_mode};
use twat_cache_core::testing::system::run;
use twat_cache_core::testing::{Counter, block_on, volatile_dir, warnings};
use twat_cache_file::{Access, FileStore, KeyedStore as _, Store as _, Verify, View, ViewStore as _, fcache};

/// A way to spoil an entry, and the directories that it is in.
type Spoil = fn(entry: &Path);

fn floats(len: usize) -> Vec<f64> {
    (0..len).map(|n| f64::from(u32::try_from(n).unwrap()) + 0.5).collect()
}

#[test]
fn a_result_of_eight_mebibytes_is_mapped() {
    let dir = volatile_dir();
    let expected = floats(1 << 20);
    let waves = fcache("waves").dir(dir.path()).wrap(|len: &usize| floats(*len));
    // The first call and later ones give the same kind.
    for _ in 0..2 {
        let view = waves.view(&(1 << 20));
        assert!(view.is_mapped());
        assert_eq!(view[..], expected[..]);
        assert!(view.as_ptr().addr().is_multiple_of(16) && view.as_bytes().as_ptr().addr().is_multiple_of(64));
    }
    assert_eq!(waves.call(&(1 << 20)), expected);
    // Two views of one entry are one mapping.
    assert_eq!(waves.view(&(1 << 20)).as_ptr(), waves.view(&(1 << 20)).as_ptr());
}

#[test]
fn a_result_of_a_hundred_and_twenty_eight_mebibytes_is_mapped() {
    let dir = volatile_dir();
    let len = 16 << 20;
    let waves = fcache("waves").dir(dir.path()).wrap(|len: &usize| vec![0.25; *len]);
    let view: View<Vec<f64>> = waves.view(&len);
    assert!(view.is_mapped() && view.len() == len && view.as_ptr().addr().is_multiple_of(16));
    assert!(view.iter().step_by(1000).all(|number| *number == 0.25));
    assert!(view.as_bytes()[..len * 8] == [0.25_f64.to_le_bytes()].concat().repeat(len)[..]);
}

#[test]
fn a_view_can_be_cloned_sent_and_shared() {
    fn goes<T: Clone + Send + Sync + 'static>(_: &T) {}
    let dir = volatile_dir();
    let (memo, _) = memo(dir.path());
    let view = memo.view(&8);
    goes(&view);
    let clone = view.clone();
    std::thread::spawn(move || assert_eq!(clone[..], value(8)[..])).join().unwrap();
    assert_eq!(format!("{:?}", memo.view(&1)), format!("{:?}", value(1)));
}

#[test]
fn a_view_survives_whatever_happens_to_its_entry() {
    let dir = volatile_dir();
    let world = Counter::new();
    let memo = fcache("name").dir(dir.path()).max_bytes(2 << 20).wrap(|_: &u64| vec![world.count() as u64; 40_000]);
    let expected = |n: u64| vec![n; 40_000];
    let mut views = vec![memo.view(&1)];
    memo.refresh(&1);
    views.push(memo.view(&1));
    assert!(memo.forget(&1_u64).unwrap());
    views.push(memo.view(&1));
    memo.clear().unwrap();
    views.push(memo.view(&1));
    // Evicted: seven of these are over the limit.
    (2..20).for_each(|key| views.push(memo.view(&key)));
    assert_eq!(memo.peek(&1).unwrap(), None);
    drop(memo);
    drop(dir);
    for (n, view) in views.iter().enumerate() {
        assert!(view.is_mapped());
        assert_eq!(view[..], expected(n as u64)[..]);
    }
}

#[test]
fn only_ok_is_stored_and_errors_are_the_functions_own() {
    let dir = volatile_dir();
    let computed = Counter::new();
    let function = |key: &u64| match computed.count() {
        attempt @ 0..2 => Err(attempt),
        _ => Ok(value(*key)),
    };
    let memo = fcache("numbers").dir(dir.path()).try_wrap(function);
    assert_eq!(memo.try_view(&8).map(drop), Err(0));
    assert_eq!(memo.try_view(&8).map(drop), Err(1));
    for _ in 0..2 {
        let view = memo.try_view(&8).unwrap();
        assert!(view.is_mapped() && view[..] == value(8)[..]);
    }
    assert_eq!(computed.get(), 3);
    assert_eq!(memo.try_call(&8), Ok(value(8)));
}

#[test]
fn async_functions_have_views() {
    let dir = volatile_dir();
    let computed = Counter::new();
    let memo = fcache("numbers").dir(dir.path()).wrap_async(async |key: &u64| {
        computed.count();
        value(*key)
    });
    let failing = fcache("failing")
        .dir(dir.path())
        .try_wrap_async(async |key: &u64| if computed.count() == 1 { Err("no") } else { Ok(value(*key)) });
    block_on(async {
        for _ in 0..2 {
            let view = memo.view_async(&8).await;
            assert!(view.is_mapped() && view[..] == value(8)[..]);
        }
        assert_eq!(failing.try_view_async(&8).await.map(drop), Err("no"));
        for _ in 0..2 {
            let view = failing.try_view_async(&8).await.unwrap();
            assert!(view.is_mapped() && view[..] == value(8)[..]);
        }
    });
    assert_eq!(computed.get(), 3);
}

#[test]
fn views_of_small_values_are_copies_and_all_views_with_that_option() {
    let dir = volatile_dir();
    let builder = fcache("name").dir(dir.path());
    let memo = builder.clone().wrap(|len: &usize| vec![7_u8; *len]);
    for (len, is_mapped) in [(0, false), (100 << 10, false), (140 << 10, true)] {
        assert_eq!((0..2).map(|_| memo.view(&len).is_mapped()).collect::<Vec<_>>(), [is_mapped; 2], "{len}");
    }
    let copies = builder.access(Access::Copy).open::<Vec<u8>>().unwrap();
    let view = copies.view(&(140_usize << 10)).unwrap().unwrap();
    assert!(!view.is_mapped());
    assert!(view[..] == vec![7; 140 << 10] && view.as_bytes().as_ptr().addr().is_multiple_of(64));
}

#[test]
fn a_value_over_the_limit_is_returned_and_can_be_viewed() {
    let dir = tempfile::tempdir().unwrap();
    let computed = Counter::new();
    let memo = fcache("name").dir(dir.path()).max_bytes(1 << 20).wrap(|len: &u64| {
        computed.count();
        vec![7_u8; usize::try_from(*len).unwrap()]
    });
    let larger = 2 << 20;
    assert_eq!(memo.view(&larger).len(), 2 << 20);
    assert!(!memo.view(&larger).is_mapped());
    assert_eq!(memo.call(&larger).len(), 2 << 20);
    assert_eq!(computed.get(), 3);
    assert!(memo.view(&(1 << 19)).is_mapped());
    assert_eq!(memo.len().unwrap(), 1);
}

#[test]
fn an_entry_that_another_user_could_change_is_not_mapped_and_its_value_is_right() {
    let spoils: [(&str, Spoil); 8] = [
        ("a group-writable entry", |entry| set_mode(entry, 0o420)),
        ("one that all can write", |entry| set_mode(entry, 0o402)),
        ("somebody else's", |entry| chown(entry, Some(65534), None).unwrap()),
        ("a part that the group can write", |entry| set_mode(entry.parent().unwrap(), 0o770)),
        ("a part that all can write", |entry| set_mode(entry.parent().unwrap(), 0o1777)),
        ("a cache that the group can write", |entry| set_mode(entry.ancestors().nth(2).unwrap(), 0o770)),
        ("a part of somebody else's", |entry| {
            chown(entry.parent().unwrap(), Some(65534), None).unwrap();
        }),
        ("a link", |entry| {
            let elsewhere = entry.ancestors().nth(3).unwrap().join("elsewhere");
            fs::rename(entry, &elsewhere).unwrap();
            symlink(elsewhere, entry).unwrap();
        }),
    ];
    for (what, spoil) in spoils {
        let dir = volatile_dir();
        let (held, _) = memo(dir.path());
        let entry = held.store().path_of(&8_u64).unwrap();
        let before = held.view(&8);
        assert!(before.is_mapped());
        if !run("chown", &[&"0:0", &entry]) {
            eprintln!("skipped: only root can give files away");
            return;
        }
        spoil(&entry);
        let is_replaced = matches!(what, "a link" | "somebody else's");
        let (fresh, computed) = memo_of(fcache("numbers").dir(dir.path()).trust(Trust::Group), value);
        for _ in 0..2 {
            let view = fresh.view(&8);
            // What is not ours is refused, and then replaced by an entry.
            assert_eq!(view.is_mapped(), is_replaced, "{what}");
            assert_eq!(view[..], value(8)[..], "{what}");
            assert_eq!(fresh.call(&8), value(8), "{what}");
        }
        assert_eq!(computed.get(), usize::from(is_replaced), "{what}");
        assert_eq!(warnings(dir.path()).len(), usize::from(is_replaced), "{what}");
        // A store drops its mapping as soon as the file has changed. It checks that every few microseconds.
        if mode(&entry) != 0o400 {
            std::thread::sleep(std::time::Duration::from_micros(20));
            assert!(!held.view(&8).is_mapped(), "{what}");
        }
        assert_eq!(held.view(&8)[..], value(8)[..]);
    }
}

#[test]
fn a_cache_directory_may_be_a_link() {
    let dir = volatile_dir();
    fs::create_dir(dir.path().join("elsewhere")).unwrap();
    symlink(dir.path().join("elsewhere"), dir.path().join("link")).unwrap();
    let (linked, _) = memo(&dir.path().join("link"));
    assert!(linked.view(&8).is_mapped());
    let (direct, computed) = memo(&dir.path().join("elsewhere"));
    assert!(direct.view(&8).is_mapped() && computed.get() == 0);
}

#[test]
fn a_flipped_bit_in_a_number_is_noticed_unless_only_the_structure_is_verified() {
    let dir = volatile_dir();
    let builder = fcache("name").dir(dir.path());
    let open = |verify| builder.clone().verify(verify).open::<Vec<f64>>().unwrap();
    for len in [1000, 40_000] {
        let store = open(Verify::Once);
        store.insert(&len, &floats(len)).unwrap();
        let path = store.path_of(&len).unwrap();
        let mut bytes = fs::read(&path).unwrap();
        bytes[64 + 8 * 500] ^= 1;
        fs::remove_file(&path).unwrap();
        fs::write(&path, bytes).unwrap();
        set_mode(&path, 0o400);
        let structure = open(Verify::Structure).view(&len).unwrap().unwrap();
        assert_eq!(structure.is_mapped(), len > 1000);
        assert!(structure[500] != 500.5 && structure[..500] == floats(500));
        assert!(open(Verify::Once).view(&len).is_err());
        let memo = builder.clone().verify(Verify::Once).wrap(|len: &usize| floats(*len));
        assert_eq!(memo.view(&len)[..], floats(len)[..]);
    }
}

#[test]
fn child_that_stores_a_quarter_of_a_gibibyte() {
    let Some(task) = Task::given() else { return };
    let peak = || {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
    };
    let before = peak();
    let memo = fcache("large").dir(&task.dir).wrap(|len: &usize| vec![7_u8; *len]);
    assert_eq!(memo.call(&(256 << 20)).len(), 256 << 20);
    task.say(peak() - before);
    task.say(memo.len().unwrap());
}

#[test]
fn storing_takes_little_memory_beside_the_value() {
    let dir = volatile_dir();
    let said = Child::start("child_that_stores_a_quarter_of_a_gibibyte", dir.path()).finish();
    let taken: u64 = said[0].parse().unwrap();
    assert!((256..288).contains(&taken), "{taken} MiB");
    assert_eq!(said[1], "1");
}

#[test]
fn opening_and_storing_list_no_entries() {
    let dir = volatile_dir();
    let open = || fcache("name").dir(dir.path()).open::<u64>().unwrap();
    let store: FileStore<u64> = open();
    store.insert(&1_u64, &1).unwrap();
    let part = store.path_of(&1_u64).unwrap().parent().unwrap().to_owned();
    let make_unread = || {
        let times = fs::FileTimes::new().set_accessed(UNIX_EPOCH);
        fs::File::open(&part).unwrap().set_times(times).unwrap();
    };
    let is_read = || fs::metadata(&part).unwrap().accessed().unwrap() != UNIX_EPOCH;
    make_unread();
    assert_eq!(open().len().unwrap(), 1);
    if !is_read() {
        eprintln!("skipped: this file system does not note when a directory is read");
        return;
    }
    make_unread();
    (2..10_u64).for_each(|key| open().insert(&key, &key).unwrap());
    assert_eq!(open().get(&9_u64).unwrap(), Some(9));
    assert!(!is_read(), "all entries were looked at");
}
