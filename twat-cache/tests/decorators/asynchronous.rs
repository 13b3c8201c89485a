//! Async functions and methods, on any executor. Their futures are `Send` if the futures of their bodies are.

use std::borrow::Cow;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use futures_lite::future::{block_on, yield_now};
use twat_cache::{bcache, fcache, mcache, ucache};
use twat_cache_core::testing::Counter;

fn dir() -> PathBuf {
    crate::dir("asynchronous")
}

static COMPUTED: [Counter; 8] = [const { Counter::new() }; 8];

#[mcache]
async fn page(url: &str, number: u32) -> String {
    COMPUTED[0].count();
    yield_now().await;
    format!("{url}/{number}")
}

#[mcache]
async fn fallible(factors: &[f64], text: String) -> Result<String, std::io::Error> {
    COMPUTED[1].count();
    yield_now().await;
    if factors.is_empty() {
        return Err(std::io::Error::other("no factors"));
    }
    Ok(text.repeat(factors.len()))
}

#[test]
fn the_result_of_an_async_function_is_cached() {
    block_on(async {
        for _ in 0..3 {
            let url = String::from("a");
            assert_eq!(page(&url, 1).await, "a/1");
            assert_eq!(fallible(&[0.5, 1.0], "x".into()).await.unwrap(), "xx");
            assert_eq!(fallible(&[], "x".into()).await.unwrap_err().to_string(), "no factors");
        }
    });
    assert_eq!((COMPUTED[0].get(), COMPUTED[1].get()), (1, 4));
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Site(String);

impl Site {
    #[mcache]
    async fn page(&self, number: u32) -> String {
        COMPUTED[2].count();
        yield_now().await;
        format!("{}/{number}", self.0)
    }

    #[mcache]
    async fn shared(self: Arc<Self>, text: &str) -> Result<String, String> {
        yield_now().await;
        Ok(format!("{}{text}", self.0))
    }

    #[mcache(skip(out))]
    async fn written(&self, out: &mut Vec<String>) -> usize {
        out.push(self.0.clone());
        yield_now().await;
        out.len()
    }

    #[mcache(key = text)]
    async fn changed(&mut self, text: &str) -> usize {
        self.0.push_str(text);
        yield_now().await;
        self.0.len()
    }

    #[mcache]
    async fn associated(number: u32) -> u32 {
        yield_now().await;
        number
    }
}

#[test]
fn the_results_of_async_methods_are_cached() {
    block_on(async {
        let (one, other) = (Site("one".into()), Site("other".into()));
        for _ in 0..3 {
            assert_eq!((one.page(1).await, other.page(1).await), ("one/1".into(), "other/1".into()));
            assert_eq!(Arc::new(other.clone()).shared("x").await.unwrap(), "otherx");
            assert_eq!(Site::associated(3).await, 3);
        }
        let mut out = Vec::new();
        assert_eq!((one.written(&mut out).await, one.written(&mut out).await), (1, 1));
        let mut one = one;
        assert_eq!((one.changed("abc").await, one.changed("abc").await), (6, 6));
    });
    assert_eq!(COMPUTED[2].get(), 2);
}

#[bcache(dir = dir())]
async fn on_disk(text: &str) -> usize {
    yield_now().await;
    text.len() + COMPUTED[3].count()
}

#[fcache(dir = dir())]
async fn in_a_file(text: &str) -> usize {
    yield_now().await;
    text.len() + COMPUTED[4].count()
}

#[ucache(dir = dir())]
async fn wherever(text: &str) -> usize {
    yield_now().await;
    text.len() + COMPUTED[5].count()
}

#[mcache]
async fn sent(url: &str, number: u32) -> String {
    yield_now().await;
    format!("{url}/{number}")
}

#[mcache]
async fn sent_or_not(factors: &[f64], text: String) -> Result<String, std::io::Error> {
    yield_now().await;
    Ok(text.repeat(factors.len()))
}

impl Site {
    #[mcache]
    async fn sent(&self, number: u32) -> String {
        yield_now().await;
        format!("{}/{number}", self.0)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_futures_are_send_and_a_cold_key_is_computed_once() {
    let tasks = (0..100).map(|_| {
        tokio::spawn(async {
            let url = String::from("once");
            let mut out = Vec::new();
            let site = Site("sent".into());
            (
                sent(&url, 7).await,
                sent_or_not(&[1.0], url.clone()).await.unwrap(),
                (on_disk(&url).await, in_a_file(&url).await, wherever(&url).await),
                (site.sent(1).await, site.written(&mut out).await),
                (site.clone().changed(&url).await, Arc::new(site).shared(&url).await.unwrap()),
            )
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        let (page, text, numbers, ..) = task.await.unwrap();
        assert_eq!((&*page, &*text, numbers), ("once/7", "once", (4, 4, 4)));
    }
    assert_eq!((COMPUTED[3].get(), COMPUTED[4].get(), COMPUTED[5].get()), (1, 1, 1));
}

#[mcache]
async fn on_one_thread(n: u32) -> usize {
    // Across the `await`, so that the future is not `Send`.
    let kept = Rc::new(n);
    yield_now().await;
    COMPUTED[6].count() + usize::try_from(*kept).unwrap()
}

#[test]
fn a_future_that_is_not_send_works_on_one_thread() {
    assert_eq!(block_on(async { (on_one_thread(1).await, on_one_thread(1).await) }), (1, 1));
}

#[mcache]
async fn fib(n: u64) -> u64 {
    COMPUTED[7].count();
    if n < 2 { n } else { Box::pin(fib(n - 1)).await + Box::pin(fib(n - 2)).await }
}

#[test]
fn an_async_function_may_call_itself() {
    assert_eq!((block_on(fib(60)), COMPUTED[7].get()), (1_548_008_755_920, 61));
}

trait Fetch {
    fn fetch(&self, n: u32) -> impl Future<Output = u32> + Send;
}

impl Fetch for Site {
    #[mcache]
    async fn fetch(&self, n: u32) -> u32 {
        yield_now().await;
        n + u32::try_from(self.0.len()).unwrap()
    }
}

#[test]
fn an_async_method_may_belong_to_a_trait() {
    assert_eq!(block_on(async { (Site("ab".into()).fetch(1).await, Site("abc".into()).fetch(1).await) }), (3, 4));
}

#[mcache]
async fn length(name: Cow<'static, str>, other: Option<&'static str>) -> usize {
    yield_now().await;
    name.len() + other.map_or(0, str::len)
}

#[mcache]
async fn checked(name: Cow<'static, str>) -> Result<Cow<'static, str>, &'static str> {
    yield_now().await;
    if name.is_empty() { Err("empty") } else { Ok(name) }
}

#[ucache(dir = dir())]
async fn length_wherever(name: Cow<'static, str>) -> usize {
    yield_now().await;
    name.len()
}

#[fcache(dir = dir())]
async fn length_in_a_file(name: Cow<'static, str>, (a, b): (f64, Option<&'static str>)) -> usize {
    yield_now().await;
    name.len() + b.map_or(0, str::len) + usize::from(a > 0.0)
}

impl Site {
    #[mcache]
    async fn named(&self, name: Cow<'static, str>, other: Option<&'static str>) -> usize {
        yield_now().await;
        self.0.len() + name.len() + other.map_or(0, str::len)
    }

    #[bcache(dir = dir(), skip(self))]
    async fn named_on_disk(&self, name: Cow<'static, str>) -> usize {
        yield_now().await;
        self.0.len() + name.len()
    }
}

#[test]
fn the_futures_are_send_with_static_borrows_inside_of_arguments() {
    fn send<T>(future: impl Future<Output = T> + Send) -> T {
        block_on(future)
    }
    let site = Site("site".into());
    for _ in 0..2 {
        assert_eq!(send(length("ab".into(), Some("c"))), 3);
        assert_eq!((send(checked("a".into())), send(checked("".into()))), (Ok("a".into()), Err("empty")));
        assert_eq!(send(length_wherever("ab".into())), 2);
        assert_eq!(send(length_in_a_file("ab".into(), (1.0, Some("c")))), 4);
        assert_eq!(send(site.named("ab".into(), Some("c"))), 7);
        assert_eq!(send(site.named_on_disk("ab".into())), 6);
    }
    assert_eq!(send(length::refresh("ab".into(), Some("c"))), 3);
    assert_eq!(*send(length_in_a_file::view("ab".into(), (1.0, Some("c")))), 4);
    assert_eq!(send(length::uncached("ab".into(), None)), 2);
}
