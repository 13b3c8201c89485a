//! `depends(…)`: functions and types whose changes make other results.

use std::path::PathBuf;

use twat_cache::{bcache, fcache, mcache, ucache};
use twat_cache_core::testing::Counter;

fn dir() -> PathBuf {
    crate::dir("depends")
}

static COMPUTED: Counter = Counter::new();

/// Modules with the same functions, of which some differ. The functions that depend on others have a name, so that they find each
/// other's results if their versions are equal.
macro_rules! programs {
    ($($module:ident: $helper:literal, [$($deeper:tt)*], $config:ty;)+) => {
        $(
            mod $module {
                use super::*;

                type Config = $config;

                #[mcache $($deeper)*]
                fn deeper(n: usize) -> usize {
                    n
                }

                #[bcache(dir = dir(), depends(deeper, parts::Deepest))]
                fn helper(n: usize) -> usize {
                    n + $helper
                }

                mod parts {
                    pub(super) type Deepest = Vec<u8>;
                }

                #[bcache(dir = dir(), name = "on disk", depends(helper))]
                pub(crate) fn on_disk(n: usize) -> usize {
                    n * 1000 + COMPUTED.count()
                }

                #[fcache(dir = dir(), name = "in files", depends(helper, Config), version = 3)]
                pub(crate) async fn in_files(n: usize) -> usize {
                    n * 1000 + COMPUTED.count()
                }

                pub(crate) struct Program;

                impl Program {
                    #[ucache(dir = dir(), name = "wherever", skip(self), depends(helper))]
                    pub(crate) fn wherever(&self, n: usize) -> usize {
                        n * 1000 + COMPUTED.count()
                    }
                }

                #[bcache(dir = dir(), name = "only config", depends(Config))]
                pub(crate) fn only_config(n: usize) -> usize {
                    n * 1000 + COMPUTED.count()
                }

                pub(crate) fn all() -> [usize; 4] {
                    let _ = (helper(1), deeper(1));
                    let in_files = futures_lite::future::block_on(in_files(1));
                    [on_disk(1), in_files, Program.wherever(1), only_config(1)]
                }
            }
        )+
    };
}

mod configs {
    use twat_cache::CacheValue;

    #[derive(CacheValue)]
    pub(crate) struct Config {
        pub(crate) width: u32,
        pub(crate) height: u32,
    }

    pub(crate) mod edited {
        #[derive(super::CacheValue)]
        pub(crate) struct Config {
            pub(crate) height: u32,
            pub(crate) width: u32,
        }
    }
}

programs! {
    first: 1, [], configs::Config;
    helper_edited: 2, [], configs::Config;
    deeper_edited: 1, [(skip(n))], configs::Config;
    config_edited: 1, [], configs::edited::Config;
    again: 1, [], configs::Config;
}

#[test]
fn results_are_found_as_long_as_nothing_has_changed_that_they_depend_on() {
    let first = first::all();
    let same = |all: [usize; 4]| std::array::from_fn(|index| all[index] == first[index]);
    assert_eq!(same(helper_edited::all()), [false, false, false, true]);
    assert_eq!(same(deeper_edited::all()), [false, false, false, true]);
    assert_eq!(same(config_edited::all()), [true, false, true, false]);
    assert_eq!(same(again::all()), [true; 4]);
}

#[bcache(dir = dir(), depends(odd, Vec<(u8, String)>))]
fn even(n: u32) -> bool {
    n == 0 || odd(n - 1)
}

#[bcache(dir = dir(), depends(even, odd), version = ("odd", 1))]
fn odd(n: u32) -> bool {
    n > 0 && even(n - 1)
}

#[test]
fn functions_may_depend_on_each_other() {
    assert!(even(4) && odd(3) && !even(3));
    assert_eq!((even::peek(4).unwrap(), odd::peek(3).unwrap()), (Some(true), Some(true)));
}
