//! Which results outlive a process and a change of the function.

use std::path::PathBuf;
use std::sync::OnceLock;

use twat_cache::{bcache, fcache, scache, ucache};
use twat_cache_core::testing::Counter;
use twat_cache_core::testing::child::{Child, Task};

fn dir() -> PathBuf {
    crate::dir("persistence")
}

static COMPUTED: Counter = Counter::new();

/// Successive versions of one function. They have an explicit name, because here they exist at the same time.
macro_rules! history {
    ($test:ident: $attribute:ident; $($module:ident: [$($options:tt)*], |$n:ident| $body:block;)+) => {
        mod $test {
            use super::*;

            $(
                pub(super) mod $module {
                    use super::*;

                    #[$attribute(dir = dir(), name = stringify!($test) $($options)*)]
                    pub(crate) fn edited($n: usize) -> usize $body
                }
            )+
        }
    };
}

history! { body: bcache;
    first: [], |n| { n * 100 + super::super::COMPUTED.count() };
    edited: [], |n| { n * 1000 + super::super::COMPUTED.count() };
    back: [], |n| {
        // Comments and spaces do not change the function.
        n*100 + super :: super::COMPUTED.count()
    };
}

history! { body_shared: scache;
    first: [], |n| { n * 100 + super::super::COMPUTED.count() };
    edited: [], |n| { n * 1000 + super::super::COMPUTED.count() };
    back: [], |n| { n * 100 + super::super::COMPUTED.count() };
}

history! { body_in_files: fcache;
    first: [], |n| { n * 100 + super::super::COMPUTED.count() };
    edited: [], |n| { n * 1000 + super::super::COMPUTED.count() };
    back: [], |n| { n * 100 + super::super::COMPUTED.count() };
}

history! { body_wherever: ucache;
    first: [], |n| { n * 100 + super::super::COMPUTED.count() };
    edited: [], |n| { n * 1000 + super::super::COMPUTED.count() };
    back: [], |n| { n * 100 + super::super::COMPUTED.count() };
}

history! { pinned: bcache;
    first: [, version = 1], |n| { n * 100 + super::super::COMPUTED.count() };
    edited: [, version = 1], |n| { n * 1000 + super::super::COMPUTED.count() };
    raised: [, version = 2], |n| { n * 1000 + super::super::COMPUTED.count() };
}

history! { keys: bcache;
    all: [, version = 1], |n| { n * 100 + super::super::COMPUTED.count() };
    other: [, version = 1, key = n / 10], |n| { n * 100 + super::super::COMPUTED.count() };
    skipped: [, version = 1, skip(n)], |n| { n * 100 + super::super::COMPUTED.count() };
}

macro_rules! assert_edited_and_back {
    ($($history:ident)+) => {
        $(
            let first = $history::first::edited(1);
            let edited = $history::edited::edited(1);
            assert!(first < 1000 && edited >= 1000, "an edited function never gets the results from before: {edited}");
            assert_eq!($history::back::edited(1), first, "the old function finds its old results again");
            assert_eq!($history::edited::edited(1), edited);
        )+
    };
}

#[test]
fn an_edited_function_gets_no_old_results_and_changed_back_it_finds_them_again() {
    assert_edited_and_back!(body body_shared body_in_files body_wherever);
}

#[test]
fn a_version_replaces_the_tokens_of_the_function() {
    let first = pinned::first::edited(1);
    assert_eq!(pinned::edited::edited(1), first);
    assert!(pinned::raised::edited(1) >= 1000);
}

#[test]
fn functions_with_another_key_share_nothing() {
    let results = [keys::all::edited(1), keys::other::edited(1), keys::skipped::edited(1)];
    assert!(results[0] != results[1] && results[1] != results[2] && results[0] != results[2], "{results:?}");
}

/// Where a child process keeps its results.
static OF_THE_TASK: OnceLock<PathBuf> = OnceLock::new();

fn of_the_task() -> PathBuf {
    OF_THE_TASK.get().expect("called by a child only").clone()
}

static COMPUTED_BY_CHILD: Counter = Counter::new();

#[bcache(dir = of_the_task().join("disk"))]
fn on_disk(text: &str, n: f64) -> Result<String, std::io::Error> {
    COMPUTED_BY_CHILD.count();
    Ok(format!("{text} {n}"))
}

#[scache(dir = of_the_task().join("shared"))]
fn shared(number: (u8, String)) -> (String, u8) {
    COMPUTED_BY_CHILD.count();
    (number.1, number.0)
}

#[fcache(dir = of_the_task().join("file"))]
fn in_a_file(numbers: &[u64]) -> Vec<u64> {
    COMPUTED_BY_CHILD.count();
    numbers.repeat(2)
}

#[ucache(dir = of_the_task().join("unified"))]
async fn wherever(n: Option<u32>) -> Option<u32> {
    COMPUTED_BY_CHILD.count();
    n
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Greeter {
    greeting: String,
}

impl Greeter {
    #[bcache(dir = of_the_task().join("disk"))]
    fn greet(&self, name: &str) -> String {
        COMPUTED_BY_CHILD.count();
        format!("{}, {name}", self.greeting)
    }

    #[fcache(dir = of_the_task().join("file"))]
    fn associated(n: u32) -> u32 {
        COMPUTED_BY_CHILD.count();
        n
    }
}

#[test]
fn another_process_finds_every_result() {
    const NAME: &str = "persistence::another_process_finds_every_result";
    if let Some(task) = Task::given() {
        OF_THE_TASK.get_or_init(|| task.dir.clone());
        let greeter = Greeter { greeting: "hello".into() };
        for _ in 0..2 {
            assert_eq!(on_disk("text", -0.0).unwrap(), "text -0");
            assert_eq!(shared((1, "one".to_owned())), ("one".to_owned(), 1));
            assert_eq!(in_a_file(&[1, 2]), [1, 2, 1, 2]);
            assert_eq!(futures_lite::future::block_on(wherever(None)), None);
            assert_eq!(greeter.greet("you"), "hello, you");
            assert_eq!(Greeter::associated(3), 3);
        }
        task.say(COMPUTED_BY_CHILD.get());
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(Child::start(NAME, dir.path()).finish(), ["6"]);
    assert_eq!(Child::start(NAME, dir.path()).finish(), ["0"]);
}
