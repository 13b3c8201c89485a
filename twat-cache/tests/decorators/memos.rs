//! `memo = name`: a function beside a method that gives its memo.

use std::path::{Path, PathBuf};

use futures_lite::future::block_on;
use twat_cache::{Call, bcache, fcache, mcache, ucache};
use twat_cache_core::testing::Counter;

fn dir() -> PathBuf {
    crate::dir("memos")
}

static COMPUTED: [Counter; 3] = [const { Counter::new() }; 3];

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Shop {
    city: String,
}

impl Shop {
    #[mcache(memo = price_memo)]
    pub(crate) fn price(&self, item: &str) -> usize {
        COMPUTED[0].count() + item.len() * 100
    }

    #[mcache(memo = tax_memo, skip(self))]
    async fn tax(&self, price: u32) -> Result<u32, String> {
        COMPUTED[1].count();
        if price == 0 { Err("no price".into()) } else { Ok(price / 5) }
    }

    #[bcache(dir = dir(), memo = size_on_disk)]
    fn size(path: &Path, factor: f64) -> Option<String> {
        COMPUTED[2].count();
        (factor > 0.0).then(|| path.display().to_string())
    }

    #[mcache(memo = merged_memo)]
    fn merged(&self, (other, times): (Self, usize)) -> Result<Self, String> {
        Ok(Self { city: self.city.clone() + &other.city.repeat(times) })
    }

    #[ucache(dir = dir(), memo = count_memo, keep_if = |count| *count > 0, max_entries = 10)]
    fn count(&self) -> u64 {
        self.city.len() as u64
    }

    #[fcache(dir = dir(), memo = none_memo)]
    fn none() -> String
    where
        Self: Sized,
    {
        String::from("none")
    }

    #[mcache(memo = keyed_memo, key = self.city, on_evict = |_, n| _ = n.pow(2))]
    fn keyed(&self, n: u32) -> u32 {
        n
    }
}

#[test]
fn a_method_has_controls() {
    let (riga, oslo) = (Shop { city: "Riga".into() }, Shop { city: "Oslo".into() });
    assert_eq!((riga.price("tea"), oslo.price("tea"), riga.price("tea")), (300, 301, 300));
    // Several arguments are a `Call` of them.
    assert_eq!(Shop::price_memo().peek(&Call((&riga, "tea"))).unwrap(), Some(300));
    assert!(Shop::price_memo().forget(&Call((&riga, "tea"))).unwrap());
    assert_eq!((riga.price("tea"), oslo.price("tea")), (302, 301));
    Shop::price_memo().insert(&Call((&riga, "tea")), &7).unwrap();
    assert_eq!(riga.price("tea"), 7);
    assert_eq!(Shop::price_memo().store().cache().len(), 2);
    Shop::price_memo().clear().unwrap();
    assert_eq!(Shop::price_memo().len().unwrap(), 0);
}

#[test]
fn self_may_be_in_the_types_of_a_memo() {
    let shop = Shop { city: "a".into() };
    let merged = Shop { city: "aaa".into() };
    assert_eq!(shop.merged((shop.clone(), 2)), Ok(merged.clone()));
    assert_eq!(Shop::merged_memo().peek(&Call((&shop, Call((&shop, &2))))).unwrap(), Some(merged));
}

#[test]
fn the_key_of_a_method_with_one_argument_is_the_argument() {
    let shop = Shop { city: "Riga".into() };
    assert_eq!(block_on(shop.tax(100)), Ok(20));
    assert_eq!(Shop::tax_memo().peek(&100).unwrap(), Some(20));
    assert!(Shop::tax_memo().forget(&100).unwrap());
    assert_eq!(shop.count(), 4);
    assert_eq!(Shop::count_memo().peek(&shop).unwrap(), Some(4));
    assert_eq!(Shop::none(), "none");
    assert_eq!(Shop::none_memo().view_of(), "none");
    assert_eq!((shop.keyed(3), Shop::keyed_memo().len().unwrap()), (3, 1));
}

trait ViewOf {
    fn view_of(&self) -> String;
}

impl<S: twat_cache::store::ViewStore<(), View = twat_cache::View<String>, Value = String>> ViewOf
    for twat_cache::Memo<S, ()>
{
    fn view_of(&self) -> String {
        self.try_view_with(&(), || Err::<String, ()>(())).unwrap().to_string()
    }
}

#[test]
fn a_memo_keeps_its_name_on_disk() {
    assert_eq!(Shop::size(Path::new("a//b"), 1.0), Some("a//b".into()));
    assert_eq!((Shop::size_on_disk().len().unwrap(), COMPUTED[2].get()), (1, 1));
    let path = Shop::size_on_disk().store().primary().path().display().to_string();
    assert!(path.contains("memos"), "{path}");
}

/// An `impl` that a macro writes.
macro_rules! named {
    ($($name:ident: $type:ty),+) => {
        $(
            struct $name;

            impl $name {
                #[mcache(memo = name_memo, skip(self))]
                fn name(&self, of: $type) -> String {
                    format!("{} {of}", stringify!($name))
                }
            }
        )+
    };
}

named!(First: u8, Second: char);

#[test]
fn a_macro_may_write_methods_with_a_memo() {
    assert_eq!((First.name(1), Second.name('a')), ("First 1".into(), "Second a".into()));
    assert_eq!(First::name_memo().peek(&1).unwrap().as_deref(), Some("First 1"));
    assert_eq!(Second::name_memo().peek(&'a').unwrap().as_deref(), Some("Second a"));
}
