//! Digests are the same in every process, build and platform: golden vectors (scenario 4).

use std::ffi::OsStr;
use std::fmt::Debug;
use std::hash::Hash;
use std::path::Path;

use twat_cache_core::{Args, Call, KeyHash, Namespace, Recorded};

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
    u8_key: 1_u8 => "9b9067df8db69bac691da00bd9de7d40";
    u16_key: 1_u16 => "22ade82cadb455f320a54dcd91fe9035";
    u32_key: 1_u32 => "e6bea715360fc9a172422acadf0f5c24";
    u64_key: 1_u64 => "3da69e0fcf0a9e6659f6262bd5e62a07";
    u128_key: 1_u128 => "17e0c0d46fb79e91a1d4f86a136f10ce";
    i8_key: -1_i8 => "af2db6ca06c6357900f92ab503a2ce36";
    i16_key: -1_i16 => "c8a94a9a5fb318c025cc8aa90b848067";
    i32_key: -1_i32 => "c3a7ac3607f433983068cd181fa21cda";
    i64_key: -1_i64 => "c45cf342150a956ef2f19962cd8be524";
    i128_key: -1_i128 => "8b08245cc7afc6e4523df9b78d182e64";
    bool_key: true => "9b9067df8db69bac691da00bd9de7d40";
    char_key: 'ß' => "af505240add53934f3f94b499da440d3";
    str_key: *"hello" => "7e6e01a836153c814d8e0d2eba704486";
    empty_str_key: *"" => "31aa0d2358c8271bc289ca6b6fc78894";
    byte_slice_key: [1_u8, 2, 3][..] => "0f47afde4c1c3823765ab9f66aca98ed";
    str_slice_key: ["a", "bc"][..] => "ef0596ff780cbe42be7ca7d59354b410";
    tuple_key: ("a", 7_u32, -1_i64) => "21c6c4fcaad5538ece49c5895bc1c6d6";
    unit_key: () => "94e3a730b0295c2a0555218d26d03d6e";
    nested_option_key: Some(Some(3_u16)) => "62079342c9c1f0ba4df543bd478bccc8";
    none_key: None::<Option<u16>> => "43bbbec3c0775c473e2e8ee245b776ed";
    result_key: Err::<u8, &str>("no") => "ac03f98be92b11865a839e4bde088dd0";
}

#[test]
fn usize_and_isize_hash_as_64_bits() {
    assert_eq!(digest(&7_usize), digest(&7_u64));
    assert_eq!(digest(&-7_isize), digest(&-7_i64));
}

#[test]
fn numbers_of_different_widths_are_different_keys() {
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
    same(OsStr::new("name"));
    same(&(1, "x"));
    assert_eq!(digest(&Call(("text", &7_u8))), digest(&("text".to_owned(), 7_u8)));
    assert_eq!(digest(&Call((&[1_u16][..],))), digest(&(vec![1_u16],)));
}

/// `std` compares and hashes most of these alike.
const PATHS: [&str; 6] = ["a/b", "a//b", "a/b/", "/a/b", "a/./b", "ab"];

#[test]
fn the_key_of_a_call_with_one_argument_is_the_argument() {
    fn is_key<K: Args<Owned: Debug> + ?Sized>(call: &Call<(&K,)>, key: &K) {
        let owned = call.to_key();
        assert_eq!(owned, key.to_key());
        assert!(call.matches(&owned) && key.matches(&owned));
    }
    is_key(&Call(("a",)), "a");
    is_key(&Call((&3_u32,)), &3);
    is_key(&Call((Path::new("a//b"),)), Path::new("a//b"));
    assert!(!Call((Path::new("a//b"),)).matches(&"a/b".into()));
    assert_eq!(digest(&Call((&3_u32,))), digest(&3_u32));
}

#[test]
fn paths_of_different_bytes_are_different_keys_alone_and_among_other_arguments() {
    let namespace = Namespace::random();
    for (index, one) in PATHS.iter().map(Path::new).enumerate() {
        let (one_buf, key) = (one.to_path_buf(), Args::to_key(&Call((one, &1))));
        assert_eq!(namespace.digest_of(one), namespace.digest_of(&one_buf));
        assert_eq!(namespace.digest(&Call((one, &1))), namespace.digest(&Call((&one_buf, &1))));
        assert_eq!(namespace.digest(&Call((one, &1))), namespace.digest_of(&Call((one, &1))));
        assert!(one.matches(&one_buf) && one_buf.matches(&one_buf) && Call((one, &1)).matches(&key));
        for other in PATHS[index + 1..].iter().map(Path::new) {
            let other_buf = other.to_path_buf();
            assert_ne!(namespace.digest_of(one), namespace.digest_of(other), "{one:?} {other:?}");
            assert_ne!(namespace.digest_of(&one_buf), namespace.digest_of(&other_buf));
            assert_ne!(namespace.digest(&Call((one, &1))), namespace.digest(&Call((other, &1))));
            assert_ne!(namespace.digest(&Call((&one_buf,))), namespace.digest(&Call((&other_buf,))));
            assert!(!one.matches(&other_buf) && !other_buf.matches(&one_buf) && !Call((other, &1)).matches(&key));
        }
    }
    // Anything else is what it hashes.
    assert_eq!(namespace.digest_of(&(1_u8, "x")), namespace.digest(&(1_u8, "x")));
}

#[test]
fn an_absolute_path_is_another_key_even_if_only_hash_is_known() {
    assert_ne!(digest(Path::new("/etc/x")), digest(Path::new("etc/x")));
    assert_ne!(digest(Path::new("a/bcdefg/h")), digest(Path::new("abcde/f/gh")));
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
fn a_digest_is_the_same_after_a_round_trip_and_debug_hides_the_secret() {
    let namespace = Namespace::from_secret([0x5A; 16]);
    let digest = namespace.digest("key");
    assert_eq!(KeyHash::from_bytes(digest.to_bytes()), digest);
    assert_eq!(digest.to_string().len(), 32);
    assert!(!format!("{namespace:?}").to_lowercase().contains("5a5a5a"));
}

/// The digest by way of a record, which must be that of the arguments themselves.
fn assert_recorded<A: Args + ?Sized>(arguments: &A) {
    let namespace = Namespace::from_secret([7; 16]);
    assert_eq!(namespace.digest_of_recorded(&Recorded::of(arguments)), namespace.digest_of(arguments));
}

#[test]
fn recorded_arguments_digest_as_the_arguments_themselves() {
    assert_recorded(&7_u64);
    assert_recorded(&(1_u8, 2_u16, 3_u32, 4_u128, 5_usize, -6_i8, -7_i16, -8_i32, -9_i128, -10_isize, 'x', true));
    assert_recorded("text");
    assert_recorded(&[1_u32, 2, 3][..]);
    assert_recorded(&vec![String::new(), "two".to_owned()]);
    assert_recorded(&[Some(()), None]);
    assert_recorded(Path::new("a//b/"));
    assert_recorded(OsStr::new("a"));
    // A path among other arguments is recorded by its bytes.
    assert_recorded(&Call((Path::new("/a/b"), &1_u8)));
    let [slash, none] = ["/etc", "etc"].map(|path| Recorded::of(&Call((Path::new(path), &1_u8))));
    assert_ne!(slash, none);
}
