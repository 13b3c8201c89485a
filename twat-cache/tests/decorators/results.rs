//! Which results are cached: the `Ok` of a `Result`, under any name of the type, and all other types.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::thread;

use twat_cache::{bcache, fcache, mcache, rcache, scache, ucache};
use twat_cache_core::testing::{Counter, PATIENCE, until_waiting};

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
        fn only_ok_is_cached_under_any_alias_of_result() {
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
fn none_is_cached_like_any_other_result() {
    assert_eq!((none(1), none(1), none(11)), (None, None, Some(1)));
    assert_eq!((COMPUTED[8].get(), none::peek(1).unwrap()), (2, Some(None)));
}

#[mcache]
fn result_inside(n: u32) -> Option<Result<u32, fmt::Error>> {
    COMPUTED[9].count();
    (n > 0).then_some(Err(fmt::Error))
}

#[test]
fn a_result_inside_another_type_is_cached_even_if_it_is_an_error() {
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
fn a_body_may_return_early_and_use_question_marks() {
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
    // Two calls that are cached, and two that fail twice.
    assert_eq!((COMPUTED[10].get(), COMPUTED[11].get()), (6, 6));
}

/// How many callers a leader waits for, besides itself.
const WAITERS: usize = 99;

/// Functions that fail when all callers have arrived, and report the number of computations.
macro_rules! failing {
    ($($name:ident: $attribute:meta;)+) => {
        $(
            #[$attribute]
            fn $name(n: u32) -> Result<u32, String> {
                static COMPUTED: Counter = Counter::new();
                if COMPUTED.count() == 0 {
                    until_waiting($name::memo(), WAITERS);
                }
                Err(format!("{n} failed, {}", COMPUTED.get()))
            }
        )+

        #[test]
        fn an_error_that_can_be_cloned_is_returned_to_all_waiters() {
            $(
                thread::scope(|scope| {
                    for _ in 0..=WAITERS {
                        scope.spawn(|| assert_eq!($name(1), Err("1 failed, 1".into()), stringify!($name)));
                    }
                });
                assert_eq!($name(1), Err("1 failed, 2".into()), "and is not cached");
            )+
        }
    };
}

failing! {
    fails_in_memory: mcache;
    fails_on_disk: bcache(dir = dir());
    fails_shared: scache(dir = dir());
    fails_in_a_file: fcache(dir = dir());
    fails_remote: rcache(server = crate::server(), timeout = PATIENCE);
    fails_wherever: ucache(dir = dir());
}

#[fcache(dir = dir())]
async fn fails_eventually(n: u32) -> Result<u32, Arc<io::Error>> {
    static COMPUTED: Counter = Counter::new();
    if COMPUTED.count() == 0 {
        while fails_eventually::memo().waiting() < WAITERS {
            tokio::task::yield_now().await;
        }
    }
    Err(Arc::new(io::Error::other(format!("{n} failed, {}", COMPUTED.get()))))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_error_of_a_future_is_returned_to_all_waiters() {
    let tasks = (0..=WAITERS).map(|task| {
        tokio::spawn(async move {
            // A view waits for the same.
            if task % 2 == 0 { fails_eventually(1).await.map(drop) } else { fails_eventually::view(1).await.map(drop) }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        assert_eq!(task.await.unwrap().unwrap_err().to_string(), "1 failed, 1");
    }
}

#[mcache]
fn fails_by_itself(n: u32) -> io::Result<u32> {
    static FAILED: Counter = Counter::new();
    let before = FAILED.count();
    if before == 0 {
        until_waiting(fails_by_itself::memo(), 3);
    }
    Err(io::Error::other(format!("{n} failed, {before}")))
}

#[test]
fn with_errors_that_cannot_be_cloned_each_caller_gets_its_own() {
    let errors = thread::scope(|scope| {
        let callers: Vec<_> = (0..4).map(|_| scope.spawn(|| fails_by_itself(1).unwrap_err().to_string())).collect();
        callers.into_iter().map(|caller| caller.join().unwrap()).collect::<BTreeSet<_>>()
    });
    assert_eq!(errors.len(), 4, "{errors:?}");
}

/// The error's type, as it is known where the function is written, decides.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Failing<E>(PhantomData<fn() -> E>);

impl<E: From<String> + Send + Sync + 'static> Failing<E> {
    #[mcache(skip(self))]
    fn anyhow(&self, n: u32) -> Result<u32, E> {
        if n == 0 { Err(String::from("none").into()) } else { Ok(n) }
    }
}

impl<E: From<String> + Clone + Send + Sync + 'static> Failing<E> {
    #[mcache(skip(self))]
    fn by_clone(&self, n: u32) -> Result<u32, E> {
        if n == 0 { Err(String::from("none").into()) } else { Ok(n) }
    }
}

#[test]
fn the_type_of_an_error_may_be_a_parameter() {
    for _ in 0..2 {
        let failing = Failing::<String>(PhantomData);
        assert_eq!((failing.anyhow(0), failing.by_clone(0)), (Err("none".into()), Err("none".into())));
        assert_eq!((failing.anyhow(1), failing.by_clone(1)), (Ok(1), Ok(1)));
        let boxed = Failing::<Box<dyn std::error::Error + Send + Sync>>(PhantomData);
        assert_eq!((boxed.anyhow(0).unwrap_err().to_string(), boxed.anyhow(1).unwrap()), ("none".into(), 1));
    }
}
