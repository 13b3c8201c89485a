//! Decorated functions that a `macro_rules!` writes.

use std::path::PathBuf;

use twat_cache::{bcache, mcache};

fn dir() -> PathBuf {
    crate::dir("generated")
}

/// Parts of every kind, each of which the compiler wraps in an invisible group.
macro_rules! functions {
    ($($visibility:vis $name:ident($argument:ident: $type:ty) -> $output:ty = $body:expr;)+) => {
        $(
            #[mcache]
            $visibility fn $name($argument: $type) -> $output {
                $body
            }
        )+
    };
}

functions! {
    pub(crate) length(text: &str) -> usize = text.len();
    total(numbers: &[f64]) -> f64 = numbers.iter().sum();
    parsed(text: &str) -> Result<u32, std::num::ParseIntError> = text.parse();
    next(n: u32) -> u32 = n + 1;
    nan(n: f64) -> Option<f64> = Some(n);
}

#[test]
fn parts_of_a_function_may_come_from_a_macro() {
    for _ in 0..2 {
        let text = String::from("text");
        assert_eq!((length(&text), total(&[1.0, 2.0]), next(1)), (4, 3.0, 2));
        assert_eq!((parsed("1"), parsed("x").is_err(), nan(0.0)), (Ok(1), true, Some(0.0)));
    }
    assert_eq!((length::len().unwrap(), parsed::len().unwrap(), total::peek(&[1.0, 2.0]).unwrap()), (1, 1, Some(3.0)));
}

macro_rules! block {
    ($name:ident, $pattern:pat, $type:ty, $limit:expr, $body:block) => {
        #[mcache(max_entries = $limit)]
        fn $name($pattern: $type) -> u32 $body
    };
}

block!(sum, (a, b), (u32, u32), 10, { a + b });

#[test]
fn patterns_blocks_and_options_may_come_from_a_macro() {
    // The names in a pattern and in the block both come from the macro's caller.
    assert_eq!((sum((1, 2)), sum((1, 2)), sum::len().unwrap()), (3, 3, 1));
}

macro_rules! implementation {
    ($type:ident, $number:expr) => {
        #[derive(Clone, PartialEq, Eq, Hash)]
        struct $type;

        impl $type {
            #[mcache]
            fn method(&self, n: u32) -> u32 {
                n + $number
            }

            #[mcache]
            fn associated(n: u32) -> u32 {
                n + $number
            }

            #[bcache(dir = dir())]
            fn on_disk(&self, n: u32) -> u32 {
                n + $number
            }
        }
    };
}

implementation!(Ten, 10);
implementation!(Twenty, 20);

#[test]
fn a_whole_impl_may_come_from_a_macro() {
    assert_eq!((Ten.method(1), Twenty.method(1)), (11, 21));
    assert_eq!((Ten::associated(1), Twenty::associated(1)), (11, 21));
    assert_eq!((Ten.on_disk(1), Twenty.on_disk(1)), (11, 21));
}

macro_rules! in_a_function {
    ($offset:expr) => {{
        #[mcache]
        fn inner(n: u32) -> u32 {
            n + $offset
        }
        inner(1) + inner::peek(1).unwrap().unwrap_or_default()
    }};
}

#[test]
fn a_macro_may_write_functions_in_blocks() {
    assert_eq!((in_a_function!(1), in_a_function!(2)), (4, 6));
}
