//! Other attributes on a decorated function keep their meaning, and the generated code causes no warnings.

#![deny(warnings, missing_docs, clippy::pedantic, reason = "as the most careful of users")]

use std::time::Duration;

use twat_cache::mcache;
use twat_cache_core::testing::Counter;

static COMPUTED: Counter = Counter::new();

/// Documented.
#[mcache]
#[must_use]
#[inline]
pub fn must_be_used(n: u32) -> usize {
    COMPUTED.count() + n as usize
}

#[mcache]
#[deprecated(note = "for the test")]
fn deprecated(n: u32) -> u32 {
    n
}

#[mcache]
#[expect(deprecated)]
fn uses_what_is_deprecated(n: u32) -> u32 {
    deprecated(n)
}

#[test]
fn attributes_of_the_function_are_kept() {
    assert_eq!((must_be_used(1), must_be_used(1)), (1, 1));
    #[expect(deprecated)]
    let value = deprecated(1);
    assert_eq!((value, uses_what_is_deprecated(1)), (1, 1));
    #[expect(unused_must_use)]
    {
        must_be_used(1);
    }
}

#[mcache]
#[cfg(any())]
fn conditional(_: NoSuchType) -> NoSuchType {}

#[mcache]
#[cfg(not(any()))]
fn conditional(n: u32) -> u32 {
    n
}

#[cfg(any())]
#[mcache]
fn conditional(_: NoSuchType) -> NoSuchType {}

#[mcache]
#[cfg_attr(not(any()), must_use, expect(unused_variables))]
fn conditional_attributes(n: u32) -> u32 {
    3
}

struct Thing;

impl Thing {
    #[mcache]
    #[cfg(any())]
    fn conditional(_: NoSuchType) -> NoSuchType {}

    #[mcache]
    #[cfg(not(any()))]
    fn conditional(n: u32) -> u32 {
        n
    }
}

#[test]
fn a_function_that_cfg_removes_has_no_companion() {
    assert_eq!((conditional(1), conditional::len().unwrap(), Thing::conditional(1)), (1, 1, 1));
    assert_eq!(conditional_attributes(1), 3);
}

#[mcache]
#[expect(unused_variables)]
fn ignores(n: u32) -> u32 {
    3
}

#[mcache]
#[allow(non_snake_case)]
fn Loud(N: u32) -> u32 {
    N
}

#[mcache]
#[expect(non_snake_case)]
fn Louder(n: u32) -> u32 {
    n
}

#[mcache]
#[allow(dead_code)]
fn never_called(n: u32) -> u32 {
    n
}

#[mcache]
#[expect(clippy::many_single_char_names, clippy::too_many_arguments)]
fn many(a: u32, b: u32, c: u32, d: u32, e: u32, f: u32, g: u32, h: u32) -> u32 {
    a + b + c + d + e + f + g + h
}

#[mcache]
#[expect(clippy::unnecessary_wraps)]
fn wraps(n: u32) -> Option<u32> {
    Some(n)
}

#[mcache]
#[expect(unreachable_code)]
fn partly_unreachable(n: u32) -> u32 {
    return n;
    n + 1
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Careful;

impl Careful {
    #[mcache]
    #[expect(unused_variables)]
    fn ignores(&self, n: u32) -> u32 {
        3
    }

    // In the key, `self` would be used.
    #[mcache(skip(self))]
    #[must_use]
    #[expect(clippy::unused_self)]
    fn needs_no_self(&self, n: u32) -> u32 {
        n
    }

    #[mcache]
    #[allow(dead_code)]
    fn never_called(&self, n: u32) -> u32 {
        n
    }

    #[mcache]
    #[expect(non_snake_case)]
    fn Loud(&self, N: u32) -> u32 {
        N
    }

    #[mcache(memo = counted_memo, keep_if = |n| *n > 0, stale = Duration::MAX)]
    fn counted(&self, n: &str) -> usize {
        n.len()
    }

    #[mcache(memo = removed)]
    #[cfg(any())]
    fn removed(_: NoSuchType) -> NoSuchType {}

    #[mcache(memo = never_asked_for, ttl_by = |_| Duration::MAX)]
    async fn with_its_memo(n: f32) -> Result<Self, f32> {
        if n.is_nan() { Err(n) } else { Ok(Self) }
    }
}

#[mcache]
#[must_use]
fn generic<T: Clone + Default, const N: usize>(list: &[T; N], or: Option<T>) -> T
where
    T: PartialEq,
{
    list.iter().find(|one| **one != T::default()).cloned().or(or).unwrap_or_default()
}

#[test]
fn lints_may_be_allowed_and_expected() {
    assert_eq!((ignores(1), Loud(1), Louder(1), many(1, 1, 1, 1, 1, 1, 1, 1), wraps(1)), (3, 1, 1, 8, Some(1)));
    assert_eq!((generic(&[0, 1], None), generic::<char, 0>(&[], Some('a'))), (1, 'a'));
    assert_eq!((Careful.counted("ab"), Careful::counted_memo().len().unwrap()), (2, 1));
    assert!(futures_lite::future::block_on(Careful::with_its_memo(0.5)).is_ok());
    assert_eq!((partly_unreachable(1), Careful.ignores(1), Careful.needs_no_self(1), Careful.Loud(1)), (1, 3, 1, 1));
}
