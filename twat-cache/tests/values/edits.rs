//! After an edit of a type, no value of the old type is returned as one of the new type. After the edit is undone, it is found
//! again.

use std::fmt::Debug;

use twat_cache::CacheValue;
use twat_cache_core::testing::volatile_dir;

use crate::{ALL, call};

/// The types before and after have one name, and so have the caches.
fn is_a_miss<Old, New>(old: &Old, new: &New)
where
    Old: CacheValue + Clone + Send + Sync + PartialEq + Debug,
    New: CacheValue + Clone + Send + Sync + PartialEq + Debug,
{
    for wrapper in ALL {
        let dir = volatile_dir();
        for computed in [true, false] {
            assert_eq!(call(wrapper, dir.path(), old), (old.clone(), computed), "the old value, {wrapper:?}");
            assert_eq!(call(wrapper, dir.path(), new), (new.clone(), computed), "the new value, {wrapper:?}");
        }
    }
}

/// A test of an edit.
macro_rules! edit {
    ($test:ident, before { $($before:item)* } $old:expr, after { $($after:item)* } $new:expr,) => {
        #[test]
        fn $test() {
            edit!(@module before, { $($before)* } $old);
            edit!(@module after, { $($after)* } $new);
            is_a_miss(&before::value(), &after::value());
        }
    };
    (@module $module:ident, { $($item:item)* } $value:expr) => {
        mod $module {
            #[allow(unused_imports, reason = "not all types need them")]
            use std::{collections::BTreeMap, marker::PhantomData};

            use twat_cache::CacheValue;

            $(
                #[derive(CacheValue, Clone, Debug, PartialEq)]
                $item
            )*

            pub(super) fn value() -> Value {
                $value
            }
        }
    };
}

edit! {
    two_fields_of_one_type_are_swapped,
    before { pub(super) struct Value { width: u32, height: u32 } } Value { width: 1, height: 2 },
    after { pub(super) struct Value { height: u32, width: u32 } } Value { height: 2, width: 1 },
}

edit! {
    a_field_is_renamed,
    before { pub(super) struct Value { cents: u64 } } Value { cents: 100 },
    after { pub(super) struct Value { euros: u64 } } Value { euros: 1 },
}

edit! {
    a_field_is_dropped_inside_a_vector,
    before { pub(super) struct Value(Vec<Line>); pub(super) struct Line { from: u32, to: u32 } } Value(vec![Line { from: 1, to: 2 }; 2]),
    after { pub(super) struct Value(Vec<Line>); pub(super) struct Line { from: u32 } } Value(vec![Line { from: 1 }; 2]),
}

edit! {
    a_field_is_dropped_inside_a_map,
    before {
        pub(super) struct Value { by_name: BTreeMap<String, Line> }
        pub(super) struct Line { from: u32, to: u32 }
    } Value { by_name: BTreeMap::from([(String::new(), Line { from: 1, to: 2 })]) },
    after {
        pub(super) struct Value { by_name: BTreeMap<String, Line> }
        pub(super) struct Line { to: u32 }
    } Value { by_name: BTreeMap::from([(String::new(), Line { to: 2 })]) },
}

edit! {
    a_field_is_dropped_inside_an_option,
    before { pub(super) struct Value { line: Option<Line> } pub(super) struct Line(u8, u8); } Value { line: Some(Line(1, 2)) },
    after { pub(super) struct Value { line: Option<Line> } pub(super) struct Line(u8); } Value { line: Some(Line(1)) },
}

edit! {
    variants_are_reordered,
    before { pub(super) enum Value { Yes, #[allow(dead_code)] No } } Value::Yes,
    after { pub(super) enum Value { #[allow(dead_code)] No, Yes } } Value::Yes,
}

edit! {
    a_variant_is_renamed,
    before { pub(super) enum Value { Metres { n: u8 } } } Value::Metres { n: 1 },
    after { pub(super) enum Value { Feet { n: u8 } } } Value::Feet { n: 3 },
}

edit! {
    a_variant_gets_a_field,
    before { pub(super) enum Value { Of(u8), #[allow(dead_code)] More(u64) } } Value::Of(1),
    after { pub(super) enum Value { Of(u8, u8), #[allow(dead_code)] More(u64) } } Value::Of(1, 2),
}

edit! {
    a_number_gets_another_type,
    before { pub(super) struct Value { n: u32 } } Value { n: 1 },
    after { pub(super) struct Value { n: f32 } } Value { n: 1.5 },
}

edit! {
    two_flags_are_swapped,
    before { pub(super) struct Value { is_new: bool, is_paid: bool } } Value { is_new: true, is_paid: false },
    after { pub(super) struct Value { is_paid: bool, is_new: bool } } Value { is_paid: false, is_new: true },
}

edit! {
    the_order_of_a_tuple_changes,
    before { pub(super) struct Value { at: (u8, i8) } } Value { at: (1, -1) },
    after { pub(super) struct Value { at: (i8, u8) } } Value { at: (-1, 1) },
}

edit! {
    a_type_inside_has_another_length,
    before { pub(super) struct Value { of: Option<[u8; 2]> } } Value { of: Some([1, 2]) },
    after { pub(super) struct Value { of: Option<[u8; 1]> } } Value { of: Some([1]) },
}

edit! {
    a_marker_changes,
    before { pub(super) struct Metres; pub(super) struct Value(f64, PhantomData<Metres>); } Value(1.0, PhantomData),
    after { pub(super) struct Feet; pub(super) struct Value(f64, PhantomData<Feet>); } Value(3.3, PhantomData),
}

edit! {
    a_constant_parameter_changes,
    before { pub(super) struct Value { of: Money<2> } pub(super) struct Money<const DIGITS: u8>(u64); } Value { of: Money(100) },
    after { pub(super) struct Value { of: Money<0> } pub(super) struct Money<const DIGITS: u8>(u64); } Value { of: Money(1) },
}

edit! {
    an_opaque_text_changes,
    before { pub(super) struct Value { #[cache_value(opaque = "v1")] n: u8 } } Value { n: 1 },
    after { pub(super) struct Value { #[cache_value(opaque = "v2")] n: u8 } } Value { n: 2 },
}

edit! {
    a_field_gets_another_form,
    before { pub(super) struct Value { n: (u32, u32) } } Value { n: (1, 2) },
    after { pub(super) struct Value { #[rkyv(with = twat_cache::rkyv::with::AsBox)] n: (u32, u32) } } Value { n: (1, 2) },
}

edit! {
    a_type_that_has_another_form_is_edited,
    before {
        pub(super) struct Value { #[rkyv(with = twat_cache::rkyv::with::AsBox)] of: Size }
        pub(super) struct Size { width: u8, height: u8 }
    } Value { of: Size { width: 1, height: 2 } },
    after {
        pub(super) struct Value { #[rkyv(with = twat_cache::rkyv::with::AsBox)] of: Size }
        pub(super) struct Size { height: u8, width: u8 }
    } Value { of: Size { height: 2, width: 1 } },
}

edit! {
    another_name_of_usize_is_resolved,
    before { pub(super) struct Value { n: crate::edits::Count, m: u32 } } Value { n: 1, m: 2 },
    after { pub(super) struct Value { n: usize, m: u32 } } Value { n: 1, m: 2 },
}

type Count = usize;

mod before {
    pub(super) mod parts {
        #[derive(twat_cache::CacheValue, Clone, Debug, PartialEq)]
        pub(crate) struct Wheel {
            pub(crate) inches: u8,
            pub(crate) spokes: u8,
        }
    }

    #[derive(twat_cache::CacheValue, Clone, Debug, PartialEq)]
    pub(super) struct Bicycle {
        pub(super) wheels: Vec<parts::Wheel>,
    }
}

mod after {
    pub(super) mod parts {
        #[derive(twat_cache::CacheValue, Clone, Debug, PartialEq)]
        pub(crate) struct Wheel {
            pub(crate) spokes: u8,
            pub(crate) inches: u8,
        }
    }

    #[derive(twat_cache::CacheValue, Clone, Debug, PartialEq)]
    pub(super) struct Bicycle {
        pub(super) wheels: Vec<parts::Wheel>,
    }
}

#[test]
fn a_type_of_another_module_is_edited() {
    let old = before::Bicycle { wheels: vec![before::parts::Wheel { inches: 28, spokes: 36 }; 2] };
    let new = after::Bicycle { wheels: vec![after::parts::Wheel { spokes: 36, inches: 28 }; 2] };
    is_a_miss(&Some(old), &Some(new));
}
