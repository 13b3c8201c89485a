//! The key of a call: all arguments, including floats, unless `skip` or `key` say otherwise.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use twat_cache::{bcache, fcache, mcache, ucache};
use twat_cache_core::testing::Counter;

fn dir() -> PathBuf {
    crate::dir("keys")
}

type Metres = f64;

static COMPUTED: [Counter; 5] = [const { Counter::new() }; 5];

#[mcache]
fn half(length: Metres) -> Metres {
    COMPUTED[0].count();
    length / 2.0
}

#[test]
fn floats_are_the_same_key_if_their_bits_are() {
    let other_nan = f64::from_bits(f64::NAN.to_bits() ^ 1);
    for _ in 0..3 {
        assert!(half(f64::NAN).is_nan() && half(-f64::NAN).is_nan() && half(other_nan).is_nan());
        assert_eq!(
            (half(0.0).to_bits(), half(-0.0).to_bits(), half(3.0)),
            (0.0_f64.to_bits(), (-0.0_f64).to_bits(), 1.5)
        );
    }
    assert_eq!(COMPUTED[0].get(), 6);
    assert!(half::peek(-0.0).unwrap().unwrap().is_sign_negative());
}

#[mcache]
#[expect(clippy::too_many_arguments, reason = "every way in which floats come")]
fn floats(
    slice: &[Metres],
    option: Option<f32>,
    tuple: (Metres, u32),
    vector: &Vec<f64>,
    array: [f32; 2],
    of_option: &Option<f64>,
    nested: &[Option<(f64, String)>],
    rows: &[[f64; 2]],
) -> usize {
    let _ = (option, tuple, array, of_option, rows);
    COMPUTED[1].count();
    slice.len() + vector.len() + nested.len()
}

#[test]
fn floats_may_be_inside_other_arguments() {
    let call = |zero: f64, nan: f64| {
        let nested = [Some((nan, String::from("x"))), None];
        floats(&[zero], Some(0.5), (zero, 1), &vec![nan], [1.0; 2], &Some(zero), &nested, &[[zero, 1.0]])
    };
    for _ in 0..2 {
        assert_eq!([call(0.0, f64::NAN), call(-0.0, f64::NAN), call(0.0, -f64::NAN)], [4, 4, 4]);
    }
    assert_eq!(COMPUTED[1].get(), 3);
}

#[bcache(dir = dir())]
fn on_disk(length: Metres) -> usize {
    let _ = length;
    COMPUTED[2].count()
}

#[fcache(dir = dir())]
fn in_a_file(lengths: &[f32]) -> usize {
    let _ = lengths;
    COMPUTED[3].count()
}

#[ucache(dir = dir())]
fn wherever(length: Option<Metres>) -> usize {
    let _ = length;
    COMPUTED[4].count()
}

#[test]
fn floats_of_different_bits_are_different_keys_on_disk() {
    for _ in 0..2 {
        assert_eq!([on_disk(0.0), on_disk(-0.0), on_disk(f64::NAN), on_disk(-f64::NAN)], [0, 1, 2, 3]);
        assert_eq!([in_a_file(&[0.0]), in_a_file(&[-0.0]), in_a_file(&[f32::NAN]), in_a_file(&[])], [0, 1, 2, 3]);
        assert_eq!([wherever(Some(0.0)), wherever(Some(-0.0)), wherever(None)], [0, 1, 2]);
    }
}

#[mcache]
fn adjacent(one: &str, other: &str, option: Option<u32>, list: &[u8]) -> String {
    format!("{one}|{other}|{option:?}|{list:?}")
}

#[test]
fn adjacent_arguments_are_kept_apart() {
    for _ in 0..2 {
        assert_eq!(adjacent("a", "bc", None, &[]), "a|bc|None|[]");
        assert_eq!(adjacent("ab", "c", None, &[]), "ab|c|None|[]");
        assert_eq!(adjacent("", "abc", Some(0), &[]), "|abc|Some(0)|[]");
        assert_eq!(adjacent("", "abc", None, &[0]), "|abc|None|[0]");
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Own(u32);

/// Has none of the traits that a key needs.
struct Connection(Cell<u32>);

type Map = BTreeMap<Own, String>;

#[mcache]
fn types(
    one: &Own,
    own: Own,
    map: Map,
    name: Arc<str>,
    boxed: Box<[Own]>,
    time: &Option<Duration>,
    f: fn(u8),
) -> usize {
    let _ = (one, own, time, f);
    map.len() + name.len() + boxed.len()
}

#[test]
fn arguments_are_of_any_type_that_hashes_and_compares() {
    let call = || types(&Own(1), Own(2), Map::new(), "name".into(), Box::new([Own(3)]), &None, drop);
    assert_eq!((call(), call()), (5, 5));
    assert_eq!(types::len().unwrap(), 1);
}

#[mcache(skip(connection, log))]
fn query(connection: &Connection, question: &str, log: &mut Vec<String>) -> usize {
    connection.0.set(connection.0.get() + 1);
    log.push(question.into());
    question.len()
}

#[test]
fn a_skipped_argument_needs_no_traits_and_is_not_part_of_the_key() {
    let (one, other) = (Connection(Cell::new(0)), Connection(Cell::new(0)));
    let mut log = Vec::new();
    assert_eq!((query(&one, "why", &mut log), query(&other, "why", &mut log)), (3, 3));
    assert_eq!((one.0.get(), other.0.get(), &*log), (1, 0, &["why".to_owned()][..]));
    assert_eq!(query(&other, "who?", &mut log), 4);
    assert_eq!(query::peek("who?").unwrap(), Some(4));
}

#[mcache(skip(compute))]
fn computed_by(n: u32, compute: &dyn Fn(u32) -> u32) -> u32 {
    compute(n)
}

#[test]
fn a_skipped_argument_may_be_any_trait_object() {
    let two = 2;
    assert_eq!((computed_by(1, &|n| n + two), computed_by(1, &|n| n + 3)), (3, 3));
}

struct User {
    id: u64,
    name: String,
}

#[mcache(key = (user.id, page / 10))]
fn greeting(user: &User, page: u32) -> String {
    format!("{} on {page}", user.name)
}

#[test]
fn a_key_is_any_expression_that_hashes() {
    let user = |name: &str| User { id: 1, name: name.into() };
    assert_eq!((greeting(&user("a"), 10), greeting(&user("b"), 19)), ("a on 10".into(), "a on 10".into()));
    assert_eq!(greeting(&user("b"), 20), "b on 20");
    assert!(greeting::forget(&user("c"), 25).unwrap());
}

#[mcache(key = (a, c, text))]
fn taken_apart((a, b): (u32, u32), &c: &u32, text: Option<&str>) -> String {
    format!("{a} {b} {c} {text:?}")
}

#[mcache(key = b)]
fn changed((mut a, b): (u32, u32)) -> u32 {
    a += 1;
    a + b
}

#[test]
fn a_key_may_use_names_in_a_pattern_and_borrowed_arguments() {
    let text = String::from("x");
    assert_eq!(taken_apart((1, 2), &3, Some(&text)), "1 2 3 Some(\"x\")");
    assert_eq!(taken_apart((1, 0), &3, Some("x")), "1 2 3 Some(\"x\")");
    assert_eq!(taken_apart((1, 0), &3, None), "1 0 3 None");
    assert_eq!((changed((1, 2)), changed((5, 2)), changed((5, 3))), (4, 4, 9));
}
