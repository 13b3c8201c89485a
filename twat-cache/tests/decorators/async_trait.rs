//! Methods of an `impl` under `#[async_trait]`, which turns them into functions that return a boxed future.

use std::future::ready;
use std::path::PathBuf;
use std::pin::Pin;

use async_trait::async_trait;
use futures_lite::future::{block_on, yield_now};
use twat_cache::{bcache, mcache, ucache};
use twat_cache_core::testing::Counter;

fn dir() -> PathBuf {
    crate::dir("async_trait")
}

static COMPUTED: [Counter; 5] = [const { Counter::new() }; 5];

#[async_trait]
trait Shop: Send + Sync {
    async fn price(&self, item: &str, count: u32) -> u32;
    async fn checked(&self, item: String) -> Result<u32, String>;
    async fn sold(self, item: &str) -> String;
    async fn open(hour: u32) -> bool
    where
        Self: Sized;

    async fn tax(&self, price: u32) -> u32 {
        price / 5
    }
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Stall(String);

#[async_trait]
impl Shop for Stall {
    #[mcache]
    async fn price(&self, item: &str, count: u32) -> u32 {
        COMPUTED[0].count();
        yield_now().await;
        count * u32::try_from(item.len() + self.0.len()).unwrap_or_default()
    }

    #[bcache(dir = dir())]
    async fn checked(&self, item: String) -> Result<u32, String> {
        COMPUTED[1].count();
        if item.is_empty() {
            return Err(item + "nothing");
        }
        yield_now().await;
        let length: u32 = item.parse::<u32>().map_err(|error| error.to_string())?;
        Ok(length)
    }

    #[mcache]
    async fn sold(mut self, item: &str) -> String {
        COMPUTED[2].count();
        yield_now().await;
        self.0.push_str(item);
        self.0
    }

    #[ucache(dir = dir())]
    async fn open(hour: u32) -> bool {
        COMPUTED[3].count();
        yield_now().await;
        hour > 8
    }
}

/// Generic, and not `Send`.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Of<T>(T);

#[async_trait(?Send)]
trait Get<T> {
    async fn get(&self, n: usize) -> Option<T>;
}

#[async_trait(?Send)]
impl<T: Clone + Eq + std::hash::Hash + Send + Sync + 'static> Get<T> for Of<T> {
    #[mcache]
    async fn get(&self, n: usize) -> Option<T> {
        let kept = std::rc::Rc::new(n);
        yield_now().await;
        (*kept > 0).then(|| self.0.clone())
    }
}

impl Of<u32> {
    /// As it may be written by hand.
    #[mcache]
    fn boxed<'a>(&'a self, text: &'a str) -> Pin<Box<dyn Future<Output = usize> + Send + 'a>> {
        COMPUTED[4].count();
        if text.is_empty() {
            return Box::pin(ready(0));
        }
        Box::pin(async move { text.len() + self.0 as usize })
    }
}

fn send(future: impl Future<Output = ()> + Send) {
    block_on(future);
}

#[test]
fn methods_under_async_trait_are_cached() {
    let (one, other) = (Stall("one".into()), Stall("other".into()));
    let all = async {
        for _ in 0..3 {
            let item = String::from("tea");
            assert_eq!((one.price(&item, 1).await, other.price(&item, 2).await), (6, 16));
            assert_eq!(one.checked("12".into()).await, Ok(12));
            assert_eq!(one.checked(String::new()).await, Err("nothing".into()));
            assert_eq!(one.clone().sold(&item).await, "onetea");
            assert_eq!((Stall::open(8).await, Stall::open(9).await, one.tax(10).await), (false, true, 2));
        }
    };
    send(all);
    assert_eq!([0, 1, 2, 3].map(|counter: usize| COMPUTED[counter].get()), [2, 4, 1, 2]);
}

#[test]
fn methods_of_a_generic_impl_under_async_trait_are_cached() {
    block_on(async {
        assert_eq!(
            (Of(1_u8).get(1).await, Of(String::from("a")).get(1).await, Of(1_u8).get(0).await),
            (Some(1), Some("a".into()), None)
        );
        for _ in 0..2 {
            assert_eq!((Of(3_u32).boxed("ab").await, Of(3_u32).boxed("").await), (5, 0));
        }
    });
    assert_eq!(COMPUTED[4].get(), 2);
}
