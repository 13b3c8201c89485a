//! A value over 2 GiB, which is too large for rkyv: it is returned, nothing is written, and nothing panics.
#![cfg(all(unix, target_pointer_width = "64"))]

use std::cell::Cell;
use std::fs::{File, FileTimes};
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Once;
use std::time::UNIX_EPOCH;

use rkyv::ser::Writer;
use rkyv::vec::ArchivedVec;
use rkyv::{Archive, Archived, Deserialize, Serialize};
use twat_cache_core::testing::{Counter, assert_one_warning, record_logs, volatile_dir, warnings};
use twat_cache_file::persist::{CacheValue, Rkyv, Shape, encoded_len};
use twat_cache_file::{KeyedStore as _, MemoryStore, fcache};

const GIB: usize = 1 << 30;

/// Zeros, of which the operating system makes no memory before they are read. Nothing here reads them.
#[derive(Archive, Serialize, Deserialize)]
struct Zeros(Vec<u8>);

impl Zeros {
    fn new(len: usize) -> Self {
        Self(vec![0; len])
    }
}

impl CacheValue for Zeros {
    fn describe(shape: &mut Shape) {
        shape.word("Zeros");
    }
}

/// Numbers, and 3 GiB in pieces before them.
struct InPieces(Vec<u64>);

impl Archive for InPieces {
    type Archived = ArchivedVec<Archived<u64>>;
    type Resolver = <Vec<u64> as Archive>::Resolver;

    fn resolve(&self, resolver: Self::Resolver, out: rkyv::Place<Self::Archived>) {
        self.0.resolve(resolver, out);
    }
}

impl<S: rkyv::rancor::Fallible + rkyv::ser::Allocator + Writer + ?Sized> Serialize<S> for InPieces {
    fn serialize(&self, serializer: &mut S) -> Result<Self::Resolver, S::Error> {
        let resolver = self.0.serialize(serializer)?;
        let piece = vec![0; 1 << 20];
        (0..3 * GIB / piece.len()).try_for_each(|_| serializer.write(&piece))?;
        Ok(resolver)
    }
}

impl<D: rkyv::rancor::Fallible<Error: rkyv::rancor::Source> + ?Sized> Deserialize<InPieces, D>
    for ArchivedVec<Archived<u64>>
{
    fn deserialize(&self, deserializer: &mut D) -> Result<InPieces, D::Error> {
        Deserialize::<Vec<u64>, D>::deserialize(self, deserializer).map(InPieces)
    }
}

impl CacheValue for InPieces {
    fn describe(shape: &mut Shape) {
        shape.word("InPieces");
    }
}

thread_local! {
    static PANICS: Cell<usize> = const { Cell::new(0) };
}

/// How many panics of this thread, which print a message or end the process, happen meanwhile.
fn panics(act: impl FnOnce()) -> usize {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            PANICS.set(PANICS.get() + 1);
            usual(info);
        }));
    });
    let before = PANICS.get();
    act();
    PANICS.get() - before
}

/// Makes a directory look unused.
fn make_unused(dir: &Path) {
    File::open(dir).unwrap().set_times(FileTimes::new().set_modified(UNIX_EPOCH)).unwrap();
}

fn is_unused(dir: &Path) -> bool {
    dir.metadata().unwrap().modified().unwrap() == UNIX_EPOCH
}

fn is_returned_and_not_kept<V: CacheValue>(make: fn() -> V, is_whole: fn(&V) -> bool, why: &str) {
    record_logs();
    let dir = volatile_dir();
    let computed = Counter::new();
    let memo = fcache("huge").dir(dir.path()).wrap(|_: &u8| {
        computed.count();
        make()
    });
    memo.store().primary().open().unwrap();
    let tmp = memo.store().path().join("tmp");
    make_unused(&tmp);
    let calls = || {
        for _ in 0..2 {
            assert!(is_whole(&memo.call(&1)));
        }
    };
    assert_eq!(panics(calls), 0);
    assert_eq!(computed.get(), 2);
    assert_one_warning(dir.path(), &[why]);
    // There is no view, which is said by one panic.
    assert_eq!(panics(|| assert!(catch_unwind(AssertUnwindSafe(|| memo.view(&1))).is_err())), 1);
    assert!(is_unused(&tmp), "something was written");
    assert_eq!(memo.len().unwrap(), 0);
    assert_eq!(warnings(dir.path()).len(), 1);
}

#[test]
fn a_value_over_two_gibibytes_is_returned_and_nothing_is_written() {
    is_returned_and_not_kept(|| Zeros::new(3 * GIB), |zeros| zeros.0.len() == 3 * GIB, "up to 2 GiB");
    is_returned_and_not_kept(|| Zeros::new(5 * GIB), |zeros| zeros.0.len() == 5 * GIB, "up to 2 GiB");
    is_returned_and_not_kept(|| InPieces(vec![7; 100]), |pieces| pieces.0 == [7; 100], "up to 2 GiB");
}

#[test]
fn a_value_over_the_limit_is_not_written_either() {
    let dir = volatile_dir();
    let store = fcache("huge").dir(dir.path()).max_bytes(GIB as u64).open::<Zeros>().unwrap();
    let tmp = store.path().join("tmp");
    make_unused(&tmp);
    store.insert(&1_u8, &Zeros::new(GIB)).unwrap();
    assert!(is_unused(&tmp));
    MemoryStore::new(GIB as u64 / 2).insert(&1_u8, &Zeros::new(GIB)).unwrap();
}

#[test]
fn all_that_rkyv_can_point_to_is_archived() {
    // The vector itself takes 8 bytes, and 16 MiB are left for the size of one element.
    let longest = 2 * GIB - (16 << 20) - 8;
    let len = |len| encoded_len::<_, Rkyv>(&Zeros::new(len), u64::MAX);
    let measure = || {
        assert_eq!(len(longest).unwrap(), Some(longest as u64 + 8));
        for longer in [longest + 1, 2 * GIB - 1, 2 * GIB, 4 * GIB, 4 * GIB + 100, 8 * GIB] {
            assert!(len(longer).is_err());
        }
    };
    assert_eq!(panics(measure), 0);
}
