//! Digests are the same in every process, build and platform: golden vectors (scenario 4).

use std::ffi::OsStr;
use std::fmt::Debug;
use std::hash::Hash;
use std::path::Path;

use twat_cache_core::{Call, KeyHash, Namespace};

fn digest<K: Hash + ?Sized>(key: &K) -> String {
    let secret = *b"0123456789abcdef";
    Namespace::from_secret(secret).with("name", "golden").with("version", &1_u32).digest(key).to_string()
}

macro_rules! golden {
    ($($name:ident: $key:expr => $digest:literal;)+) => {
        $(
            #[test]
            fn $name() {
                assert_eq!(digest(&$key), $digest);
            }
        )+
    };
}

golden! {
    u8_key: 1_u8 => "7665a5e63d04eff9286f2655a66e707b";
    u16_key: 1_u16 => "25b2c4c005483b741e5cff9e13049f8e";
    u32_key: 1_u32 => "41448b9d76b6e2173330047eea198257";
    u64_key: 1_u64 => "450c4c0449b26c06cd8d3ca43a1aaf58";
    u128_key: 1_u128 => "8d1c22dc304d5b635ffd7b5b17ea316a";
    i8_key: -1_i8 => "7beccd099d3365600967eaf939b2fd60";
    i16_key: -1_i16 => "3c87c35eee1ed3f07283926fa65c0fbf";
    i32_key: -1_i32 => "6a86aff871527be9696aa8f5584e9299";
    i64_key: -1_i64 => "fd8c9141a15ce72f566bf594295c82fa";
    i128_key: -1_i128 => "2b85f43d8ff9ef63bec95c11029c95e3";
    bool_key: true => "7665a5e63d04eff9286f2655a66e707b";
    char_key: 'ß' => "a9e5868306944357f1bfbd6f52858015";
    str_key: *"hello" => "8871d438e35769307af53b744e1ebdbd";
    empty_str_key: *"" => "7beccd099d3365600967eaf939b2fd60";
    byte_slice_key: [1_u8, 2, 3][..] => "24ef0742c94f6a29625cfba055bde3fa";
    str_slice_key: ["a", "bc"][..] => "571eefacbd1382f34d8c510863f2c872";
    tuple_key: ("a", 7_u32, -1_i64) => "b3835f11b0f09d45090c443c5da15508";
    unit_key: () => "738b38fc67e30ba3563cb2ac114eeee9";
    nested_option_key: Some(Some(3_u16)) => "1907e8ef13b033b1c47ad8dc07d2b4d2";
    none_key: None::<Option<u16>> => "c43992d254885f6c358dbe0f2281d72c";
    result_key: Err::<u8, &str>("no") => "04fc5563ce7f7729e2700070f622bc09";
}

#[test]
fn usize_and_isize_hash_as_64_bits() {
    assert_eq!(digest(&7_usize), digest(&7_u64));
    assert_eq!(digest(&-7_isize), digest(&-7_i64));
}

#[test]
fn widths_differ() {
    let digests = [digest(&1_u8), digest(&1_u16), digest(&1_u32), digest(&1_u64), digest(&1_u128)];
    for (position, one) in digests.iter().enumerate() {
        assert!(!digests[position + 1..].contains(one));
    }
}

#[test]
fn a_borrowed_key_digests_as_its_owned_form() {
    fn same<B: Hash + ToOwned + ?Sized>(borrowed: &B)
    where
        B::Owned: Hash + Debug,
    {
        let owned = borrowed.to_owned();
        assert_eq!(digest(borrowed), digest(&owned), "{owned:?}");
    }
    same("text");
    same(&[1_u64, 2, 3][..]);
    same(Path::new("a/b/c"));
    same(OsStr::new("name"));
    same(&(1, "x"));
    assert_eq!(digest(&Call(("text", &7_u8))), digest(&("text".to_owned(), 7_u8)));
    assert_eq!(digest(&Call((&[1_u16][..],))), digest(&(vec![1_u16],)));
}

#[test]
fn every_part_of_a_namespace_sets_it_apart() {
    let secret = |byte: u8| Namespace::from_secret([byte; 16]);
    let namespaces = [
        secret(1),
        secret(2),
        secret(1).with("name", "a"),
        secret(1).with("name", "b"),
        secret(1).with("version", "a"),
        secret(1).with("name", "a").with("version", "b"),
        secret(1).with("version", "b").with("name", "a"),
        // What belongs to the label does not run into the value.
        secret(1).with("namea", ""),
        Namespace::random(),
        Namespace::random(),
    ];
    for (position, one) in namespaces.iter().enumerate() {
        for other in &namespaces[position + 1..] {
            assert_ne!(one.digest("key"), other.digest("key"));
            assert_ne!(one.id(), other.id());
        }
    }
    assert_eq!(secret(1).with("name", "a").digest("key"), secret(1).with("name", "a").digest("key"));
    assert_eq!(Namespace::process(), Namespace::process());
}

#[test]
fn a_digest_survives_its_bytes_and_debug_keeps_the_secret() {
    let namespace = Namespace::from_secret([0x5A; 16]);
    let digest = namespace.digest("key");
    assert_eq!(KeyHash::from_bytes(digest.to_bytes()), digest);
    assert_eq!(digest.to_string().len(), 32);
    assert!(!format!("{namespace:?}").to_lowercase().contains("5a5a5a"));
}
