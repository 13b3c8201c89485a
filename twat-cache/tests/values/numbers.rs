//! `usize` and `isize`, of which rkyv stores 32 bits by default.

use twat_cache::{CacheValue, bcache, fcache, scache};
use twat_cache_core::testing::{record_logs, volatile_dir, warnings};

use crate::{ALL, call, comes_back};

#[derive(CacheValue, Clone, Debug, PartialEq)]
struct Whole {
    count: usize,
    change: isize,
    inside: Option<Box<Inner>>,
    more: Vec<Inner>,
}

#[derive(CacheValue, Clone, Debug, PartialEq)]
enum Inner {
    Number(usize),
    Numbers { from: isize, to: core::primitive::usize },
}

macro_rules! of_type {
    ($name:ident, $type:ty) => {
        #[derive(CacheValue, Clone, Debug, PartialEq)]
        struct $name($type);
    };
}

of_type!(FromMacro, usize);
of_type!(Nested, Vec<Option<usize>>);

#[test]
fn fields_keep_all_64_bits_wherever_their_type_stands() {
    let numbers = [Inner::Number(usize::MAX), Inner::Numbers { from: isize::MIN, to: 1 << 33 }];
    let inside = Some(Box::new(numbers[0].clone()));
    comes_back(&Whole { count: usize::MAX, change: isize::MIN, inside, more: numbers.to_vec() });
    comes_back(&FromMacro(usize::MAX));
}

#[test]
fn a_small_number_in_a_container_is_stored() {
    comes_back(&Nested(vec![Some(7), Some(u32::MAX as usize)]));
}

#[test]
fn a_large_number_in_a_container_is_returned_and_not_stored() {
    let large = vec![Nested(vec![None, Some(1 << 40)])];
    for wrapper in ALL {
        let dir = volatile_dir();
        for _ in 0..3 {
            assert_eq!(call(wrapper, dir.path(), &large), (large.clone(), true), "{wrapper:?}");
        }
    }
}

#[test]
fn a_large_number_in_a_container_is_one_warning() {
    record_logs();
    let large = Nested(vec![Some(1 << 40)]);
    let [database, shared, files] = [(); 3].map(|()| volatile_dir());
    let in_database = bcache("numbers").dir(database.path()).wrap(|_: &u8| large.clone());
    let in_shared = scache("numbers").dir(shared.path()).wrap(|_: &u8| large.clone());
    let in_files = fcache("numbers").dir(files.path()).wrap(|_: &u8| large.clone());
    for key in 0..3 {
        assert_eq!(
            [in_database.call(&key), in_shared.call(&key), in_files.call(&key)],
            [(); 3].map(|()| large.clone())
        );
    }
    for dir in [database, shared, files] {
        assert_eq!(warnings(dir.path()).len(), 1, "{:#?}", warnings(dir.path()));
    }
}
