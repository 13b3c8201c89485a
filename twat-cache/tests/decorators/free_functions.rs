//! Functions in modules and in other functions, with any number of arguments.

use std::path::{Path, PathBuf};

use twat_cache::mcache;
use twat_cache_core::testing::Counter;

static COMPUTED: [Counter; 8] = [const { Counter::new() }; 8];

#[mcache]
fn nothing() -> usize {
    COMPUTED[0].count()
}

#[mcache]
fn no_value(n: u32) {
    assert!(n < 10);
    COMPUTED[1].count();
}

#[test]
fn a_function_without_arguments_has_one_result() {
    assert_eq!([nothing(), nothing(), nothing()], [0, 0, 0]);
    assert_eq!(nothing::len().unwrap(), 1);
}

#[test]
fn a_unit_result_is_cached() {
    (0..3).for_each(|_| no_value(1));
    assert_eq!(COMPUTED[1].get(), 1);
    assert_eq!(no_value::peek(1).unwrap(), Some(()));
}

#[mcache]
fn borrowed(text: &str, path: &Path, numbers: &[u32], name: &String, pair: &(u8, String)) -> usize {
    COMPUTED[2].count();
    text.len() + path.components().count() + numbers.len() + name.len() + pair.1.len()
}

#[test]
fn borrowed_arguments_need_not_outlive_the_call() {
    for _ in 0..3 {
        let (text, name) = (String::from("text"), String::from("name"));
        let path = PathBuf::from("a/b");
        assert_eq!(borrowed(&text, &path, &[1, 2, 3], &name, &(1, String::from("x"))), 4 + 2 + 3 + 4 + 1);
    }
    assert_eq!(COMPUTED[2].get(), 1);
    assert_eq!(borrowed("text!", Path::new("a/b"), &[1, 2, 3], &"name".into(), &(1, "x".into())), 15);
    assert_eq!(COMPUTED[2].get(), 2);
}

#[mcache]
fn owned(text: String, numbers: Vec<u32>, path: Option<PathBuf>) -> usize {
    COMPUTED[3].count();
    let joined: String = text + &format!("{path:?}");
    joined.len() + numbers.into_iter().sum::<u32>() as usize
}

#[test]
fn the_body_may_consume_owned_arguments() {
    for _ in 0..3 {
        assert_eq!(owned("text".into(), vec![1, 2], None), 4 + 4 + 3);
    }
    assert_eq!(COMPUTED[3].get(), 1);
}

#[mcache]
#[expect(clippy::too_many_arguments, reason = "as many as fit in one group")]
fn twelve(a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8, h: u8, i: u8, j: u8, k: u8, l: u8) -> usize {
    let _ = [a, b, c, d, e, f, g, h, i, j, k, l];
    COMPUTED[4].count()
}

#[mcache]
#[expect(clippy::too_many_arguments, reason = "one more than fits in one group")]
fn thirteen(a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8, h: u8, i: u8, j: u8, k: u8, l: u8, m: u8) -> usize {
    let _ = [a, b, c, d, e, f, g, h, i, j, k, l, m];
    COMPUTED[5].count()
}

#[rustfmt::skip]
#[mcache]
#[expect(clippy::too_many_arguments, reason = "two groups")]
fn twenty(
    a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8, h: u8, i: u8, j: u8,
    k: u8, l: u8, m: u8, n: u8, o: u8, p: u8, q: u8, r: u8, s: u8, t: &str,
) -> usize {
    let _ = ([a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s], t);
    COMPUTED[6].count()
}

#[test]
fn each_of_many_arguments_is_part_of_the_key() {
    assert_eq!(twelve(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12), 0);
    assert_eq!(twelve(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12), 0);
    assert_eq!(twelve(0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12), 1);
    assert_eq!(twelve(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13), 2);

    assert_eq!(thirteen(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13), 0);
    assert_eq!(thirteen(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13), 0);
    assert_eq!(thirteen(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 0, 13), 1);
    assert_eq!(thirteen(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0), 2);

    assert_eq!(twenty(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, "20"), 0);
    assert_eq!(twenty(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, "20"), 0);
    assert_eq!(twenty(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, "21"), 1);
    assert_eq!(twenty(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 12, 14, 15, 16, 17, 18, 19, "20"), 2);
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Point {
    x: i32,
    y: i32,
}

#[mcache]
fn patterns((a, b): (i32, i32), [c, ..]: [i32; 3], Point { x, y }: Point, &d: &i32, _: i32, mut e: i32) -> i32 {
    COMPUTED[7].count();
    e += 1;
    a + b + c + x + y + d + e
}

#[test]
fn arguments_may_be_patterns_and_are_part_of_the_key() {
    let point = Point { x: 1, y: 2 };
    assert_eq!(patterns((1, 2), [3, 4, 5], point, &6, 7, 8), 1 + 2 + 3 + 1 + 2 + 6 + 9);
    assert_eq!(patterns((1, 2), [3, 4, 5], point, &6, 7, 8), 24);
    assert_eq!(COMPUTED[7].get(), 1);
    // Also arguments that the body does not use.
    patterns((1, 2), [3, 4, 0], point, &6, 7, 8);
    patterns((1, 2), [3, 4, 5], point, &6, 0, 8);
    assert_eq!(COMPUTED[7].get(), 3);
}

#[test]
fn a_function_in_a_function_has_a_cache_and_a_companion_of_its_own() {
    fn one() -> (u32, usize) {
        #[mcache]
        fn inner(n: u32) -> u32 {
            n + 1
        }
        (inner(1), inner::len().unwrap())
    }
    fn other() -> (u32, usize) {
        const OFFSET: u32 = 2;
        #[mcache]
        fn inner(n: u32) -> u32 {
            n + OFFSET
        }
        (inner(1) + inner(2), inner::len().unwrap())
    }
    assert_eq!((one(), other()), ((2, 1), (7, 2)));
}

#[mcache]
fn named<'a, 'b>(one: &'a str, other: &'b [&'static str]) -> Vec<String>
where
    'b: 'a,
{
    other.iter().map(|other| format!("{one}{other}")).collect()
}

#[test]
fn lifetimes_may_have_names() {
    let one = String::from("a");
    assert_eq!(named(&one, &["b", "c"]), ["ab", "ac"]);
    assert_eq!(named::peek(&one, &["b", "c"]).unwrap().unwrap().len(), 2);
}

/// Names that users may also use.
const MEMO: u32 = 1000;

#[mcache(max_entries = MEMO as usize)]
fn part_0(body: u32, key_value: u32, memo: u32) -> u32 {
    body + key_value + memo + MEMO
}

#[mcache]
fn r#match(r#type: u32) -> u32 {
    r#type + 1
}

#[test]
fn names_do_not_clash_with_those_in_generated_code() {
    assert_eq!((part_0(1, 2, 3), part_0(1, 2, 3), part_0(3, 2, 1)), (1006, 1006, 1006));
    assert_eq!((r#match(1), r#match::peek(1).unwrap()), (2, Some(2)));
}
