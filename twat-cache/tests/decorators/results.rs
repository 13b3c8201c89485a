//! What of a result is remembered: `Ok` of a `Result`, by whatever name, and anything else.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::rc::Rc;

use twat_cache::{bcache, fcache, mcache, ucache};
use twat_cache_core::testing::Counter;

fn dir() -> PathBuf {
    crate::dir("results")
}

/// A `Result` in disguise.
type Checked = Result<u32, String>;
type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

static COMPUTED: [Counter; 12] = [const { Counter::new() }; 12];

/// What a function does that fails three times.
fn at_last(counter: usize) -> Result<u32, String> {
    let before = COMPUTED[counter].count();
    if before < 3 { Err(format!("failed {before}")) } else { Ok(7) }
}

macro_rules! fallible {
    ($($name:ident: $attribute:meta, $counter:literal, $output:ty, $wrap:expr;)+) => {
        $(
            #[$attribute]
            fn $name(n: u32) -> $output {
                let _ = n;
                at_last($counter).map_err($wrap)
            }
        )+

        #[test]
        fn only_ok_is_remembered_by_whatever_name_the_result_goes() {
            $(
                for before in 0..3 {
                    assert_eq!($name(1).unwrap_err().to_string(), format!("failed {before}"), stringify!($name));
                    assert_eq!($name::peek(1).unwrap(), None);
                }
                assert_eq!(($name(1).unwrap(), $name(1).unwrap(), $name(1).unwrap()), (7, 7, 7));
                assert_eq!($name::peek(1).unwrap(), Some(7));
                assert_eq!(COMPUTED[$counter].get(), 4, stringify!($name));
            )+
        }
    };
}

fallible! {
    plain: mcache, 0, Result<u32, String>, |error| error;
    alias: mcache, 1, Checked, |error| error;
    io_alias: mcache, 2, io::Result<u32>, io::Error::other;
    generic_alias: mcache, 3, Fallible<u32>, Into::into;
    formatted: mcache, 4, Result<u32, Rc<str>>, Rc::from;
    on_disk: bcache(dir = dir()), 5, Checked, |error| error;
    in_a_file: fcache(dir = dir()), 6, io::Result<u32>, io::Error::other;
    wherever: ucache(dir = dir()), 7, Fallible<u32>, Into::into;
}

#[mcache]
fn none(n: u32) -> Option<u32> {
    COMPUTED[8].count();
    n.checked_sub(10)
}

#[test]
fn nothing_is_a_result_like_any_other() {
    assert_eq!((none(1), none(1), none(11)), (None, None, Some(1)));
    assert_eq!((COMPUTED[8].get(), none::peek(1).unwrap()), (2, Some(None)));
}

#[mcache]
fn result_inside(n: u32) -> Option<Result<u32, fmt::Error>> {
    COMPUTED[9].count();
    (n > 0).then_some(Err(fmt::Error))
}

#[test]
fn a_result_inside_of_something_else_is_a_value() {
    assert_eq!((result_inside(1), result_inside(1)), (Some(Err(fmt::Error)), Some(Err(fmt::Error))));
    assert_eq!(COMPUTED[9].get(), 1);
}

#[mcache]
fn returns_and_asks(text: &str) -> Result<i64, Box<dyn std::error::Error>> {
    COMPUTED[10].count();
    if text.is_empty() {
        return Ok(0);
    }
    let number: i64 = text.parse()?;
    if number < 0 {
        return Err("negative".into());
    }
    Ok(number)
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Reader;

impl Reader {
    #[mcache]
    fn returns_and_asks(&self, text: &str) -> Result<i64, Box<dyn std::error::Error>> {
        COMPUTED[11].count();
        if text.is_empty() {
            return Ok(0);
        }
        let number: i64 = text.parse()?;
        if number < 0 {
            return Err("negative".into());
        }
        Ok(number)
    }
}

#[test]
fn a_body_may_return_early_and_ask_questions() {
    for _ in 0..2 {
        for text in ["", "12", "x", "-1"] {
            let one = returns_and_asks(text).map_err(|error| error.to_string());
            let other = Reader.returns_and_asks(text).map_err(|error| error.to_string());
            let expected = match text {
                "" => Ok(0),
                "12" => Ok(12),
                "x" => Err("invalid digit found in string".to_owned()),
                _ => Err("negative".to_owned()),
            };
            assert_eq!((one, other), (expected.clone(), expected));
        }
    }
    // Two that are remembered, and two that fail twice.
    assert_eq!((COMPUTED[10].get(), COMPUTED[11].get()), (6, 6));
}
