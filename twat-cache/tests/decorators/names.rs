//! The names of persistent caches: two functions never share by accident.

use std::path::PathBuf;

use futures_lite::future::block_on;
use twat_cache::{bcache, fcache, ucache};

fn dir() -> PathBuf {
    crate::dir("names")
}

/// Functions with the same names and tokens, in which the names mean different things.
macro_rules! twins {
    ($($module:ident)+) => {
        $(
            mod $module {
                use super::*;

                const HERE: &str = stringify!($module);

                #[bcache(dir = dir())]
                pub(super) fn on_disk(n: u32) -> String {
                    format!("{HERE}{n}")
                }

                #[fcache(dir = dir())]
                pub(super) fn in_a_file(n: u32) -> String {
                    format!("{HERE}{n}")
                }

                #[ucache(dir = dir())]
                pub(super) fn wherever(n: u32) -> String {
                    format!("{HERE}{n}")
                }

                #[bcache(dir = dir())]
                pub(super) async fn eventually(n: u32) -> String {
                    format!("{HERE}{n}")
                }

                pub(super) fn around() -> String {
                    #[bcache(dir = dir())]
                    fn inner(n: u32) -> String {
                        format!("{HERE}{n}")
                    }
                    inner(1)
                }

                #[derive(Clone, PartialEq, Eq, Hash)]
                pub(super) struct Type;

                impl Type {
                    #[bcache(dir = dir())]
                    pub(super) fn method(&self, n: u32) -> String {
                        format!("{HERE}{n}")
                    }

                    #[fcache(dir = dir())]
                    pub(super) fn associated(n: u32) -> String {
                        format!("{HERE}{n}")
                    }

                    #[bcache(dir = dir())]
                    pub(super) async fn eventually(&self, n: u32) -> String {
                        format!("{HERE}{n}")
                    }
                }

                pub(super) trait Trait {
                    fn of_trait(&self, n: u32) -> String;
                }

                // One type, two traits of the same name.
                impl Trait for u8 {
                    #[bcache(dir = dir())]
                    fn of_trait(&self, n: u32) -> String {
                        format!("{HERE}{n}")
                    }
                }
            }
        )+
    };
}

twins!(one other);

#[test]
fn functions_of_the_same_name_in_two_modules_never_share() {
    for _ in 0..2 {
        assert_eq!((one::on_disk(1), other::on_disk(1)), ("one1".into(), "other1".into()));
        assert_eq!((one::in_a_file(1), other::in_a_file(1)), ("one1".into(), "other1".into()));
        assert_eq!((one::wherever(1), other::wherever(1)), ("one1".into(), "other1".into()));
        let (one, other) = (block_on(one::eventually(1)), block_on(other::eventually(1)));
        assert_eq!((one, other), ("one1".into(), "other1".into()));
    }
}

#[test]
fn functions_of_the_same_name_in_two_functions_never_share() {
    assert_eq!((one::around(), other::around()), ("one1".into(), "other1".into()));
}

#[test]
fn methods_of_the_same_name_of_two_types_never_share() {
    for _ in 0..2 {
        assert_eq!((one::Type.method(1), other::Type.method(1)), ("one1".into(), "other1".into()));
        assert_eq!((one::Type::associated(1), other::Type::associated(1)), ("one1".into(), "other1".into()));
        let (one, other) = (block_on(one::Type.eventually(1)), block_on(other::Type.eventually(1)));
        assert_eq!((one, other), ("one1".into(), "other1".into()));
    }
}

#[test]
fn methods_of_the_same_name_of_two_traits_never_share() {
    for _ in 0..2 {
        assert_eq!(one::Trait::of_trait(&1, 1), "one1");
        assert_eq!(other::Trait::of_trait(&1, 1), "other1");
    }
}

/// One trait, two types, in modules where a name means different things.
trait Named {
    fn named(&self) -> String;
}

mod first {
    use super::*;
    const HERE: &str = "first";
    impl Named for u16 {
        #[bcache(dir = dir())]
        fn named(&self) -> String {
            HERE.to_owned()
        }
    }
}

mod second {
    use super::*;
    const HERE: &str = "second";
    impl Named for i16 {
        #[bcache(dir = dir())]
        fn named(&self) -> String {
            HERE.to_owned()
        }
    }
}

#[test]
fn methods_of_one_trait_for_two_types_never_share() {
    assert_eq!((1_u16.named(), 1_i16.named(), 1_u16.named()), ("first".into(), "second".into(), "first".into()));
}

#[test]
fn types_of_the_same_name_in_two_functions_never_share() {
    fn first() -> String {
        const HERE: &str = "first";
        struct Local;
        impl Local {
            #[bcache(dir = dir())]
            fn associated(n: u32) -> String {
                format!("{HERE}{n}")
            }
        }
        Local::associated(1)
    }
    fn second() -> String {
        const HERE: &str = "second";
        struct Local;
        impl Local {
            #[bcache(dir = dir())]
            fn associated(n: u32) -> String {
                format!("{HERE}{n}")
            }
        }
        Local::associated(1)
    }
    assert_eq!((first(), second()), ("first1".into(), "second1".into()));
}

#[fcache(dir = dir())]
fn told(n: u32) -> u32 {
    n
}

#[test]
fn a_name_contains_the_package_the_path_and_the_function() {
    told(1);
    let path = told::store().primary().path().display().to_string();
    for part in ["twat-cache", "decorators", "names", "told"] {
        assert!(path.contains(part), "no {part} in {path}");
    }
    assert!(!path.contains('#'), "nothing else: {path}");
}

/// Functions with one name and the same tokens, in blocks, which a path does not contain.
macro_rules! in_a_block {
    ($number:expr) => {{
        const NUMBER: u32 = $number;

        #[bcache(dir = dir())]
        fn on_disk(n: u32) -> u32 {
            n * NUMBER
        }
        #[fcache(dir = dir(), version = 1)]
        fn in_a_file(n: u32) -> u32 {
            n * NUMBER
        }
        #[ucache(dir = dir(), key = n)]
        fn wherever(n: u32) -> u32 {
            n * NUMBER
        }
        #[bcache(dir = dir())]
        async fn eventually(n: u32) -> u32 {
            n * NUMBER
        }

        #[derive(Clone, PartialEq, Eq, Hash)]
        struct Local;
        impl Local {
            #[bcache(dir = dir())]
            fn method(&self, n: u32) -> u32 {
                n * NUMBER
            }
            #[ucache(dir = dir())]
            fn associated(n: u32) -> u32
            where
                Self: Sized,
            {
                n * NUMBER
            }
        }
        let numbers = [on_disk(3), in_a_file(3), wherever(3), block_on(eventually(3)), Local.method(3)];
        (numbers, Local::associated(3))
    }};
}

#[test]
fn blocks_of_one_function_never_share() {
    assert_eq!((in_a_block!(1), in_a_block!(2)), (([3; 5], 3), ([6; 5], 6)));
    {
        assert_eq!(in_a_block!(3), ([9; 5], 9));
        {
            assert_eq!(in_a_block!(4), ([12; 5], 12));
        }
    }
}

/// A macro repetition: all functions that it writes have the same source position.
macro_rules! in_blocks {
    ($($number:literal)+) => {
        [$({
            #[bcache(dir = dir())]
            fn repeated(n: u32) -> u32 {
                const NUMBER: u32 = $number;
                n * NUMBER
            }
            #[ucache(dir = dir(), version = "given")]
            fn pinned(n: u32) -> u32 {
                n * $number
            }
            (repeated(3), pinned(3))
        }),+]
    };
}

#[test]
fn repetitions_of_one_macro_never_share() {
    for _ in 0..2 {
        assert_eq!(in_blocks!(1 2 3), [(3, 3), (6, 6), (9, 9)]);
    }
}

trait Numbered {
    fn numbered(&self, n: u32) -> u32;
}

macro_rules! in_constants {
    ($($type:ty: $number:literal)+) => {
        $(
            const _: () = {
                const NUMBER: u32 = $number;

                #[bcache(dir = dir())]
                fn helper(n: u32) -> u32 {
                    n * NUMBER
                }

                impl Numbered for $type {
                    #[bcache(dir = dir())]
                    fn numbered(&self, n: u32) -> u32 {
                        helper(n) + NUMBER
                    }
                }
            };
        )+
    };
}

in_constants!(u8: 1 u16: 2 u32: 3);

#[test]
fn functions_in_unnamed_constants_never_share() {
    for _ in 0..2 {
        assert_eq!((1_u8.numbered(3), 1_u16.numbered(3), 1_u32.numbered(3)), (4, 8, 12));
    }
}

#[test]
fn two_types_of_the_same_name_share_nothing_on_disk() {
    trait Factor {
        const FACTOR: u32;
    }
    struct By<T>(std::marker::PhantomData<T>);
    impl<T: Factor> By<T> {
        #[bcache(dir = dir())]
        fn times(n: u32) -> u32 {
            n * T::FACTOR
        }
    }
    let two = || {
        struct Local;
        impl Factor for Local {
            const FACTOR: u32 = 2;
        }
        By::<Local>::times(1)
    };
    let three = || {
        struct Local;
        impl Factor for Local {
            const FACTOR: u32 = 3;
        }
        By::<Local>::times(1)
    };
    for _ in 0..2 {
        assert_eq!((two(), three()), (2, 3));
    }
}

#[test]
fn a_name_that_is_given_is_shared_by_all_that_give_it() {
    fn twice(run: impl Fn() -> [u32; 2]) -> [u32; 2] {
        run();
        run()
    }
    let one = {
        #[bcache(dir = dir(), name = "given", version = 1)]
        fn given(n: u32) -> [u32; 2] {
            [n, 1]
        }
        twice(|| given(1))
    };
    let other = {
        #[bcache(dir = dir(), name = "given", version = 1)]
        fn given(n: u32) -> [u32; 2] {
            [n, 2]
        }
        twice(|| given(1))
    };
    assert_eq!((one, other), ([1, 1], [1, 1]));
}
