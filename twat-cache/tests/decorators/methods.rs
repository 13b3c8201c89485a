//! Functions in an `impl` or a `trait`: `self` is an argument like the others.

use std::sync::Arc;

use twat_cache::mcache;
use twat_cache_core::testing::Counter;

static COMPUTED: [Counter; 8] = [const { Counter::new() }; 8];

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Shop {
    name: String,
    discount: u32,
}

fn shop(name: &str, discount: u32) -> Shop {
    Shop { name: name.into(), discount }
}

const MEMO: u32 = 1000;

impl Shop {
    #[mcache]
    fn price(&self, article: &str) -> u32 {
        COMPUTED[0].count();
        let price = u32::try_from(article.len()).unwrap() * 100;
        price * (100 - self.discount) / 100
    }

    #[mcache(skip(self))]
    fn tax(&self, price: u32) -> u32 {
        COMPUTED[1].count();
        let _ = self.discount;
        price / 5
    }

    #[mcache(key = (self.discount, price))]
    fn reduced(&self, price: u32) -> u32 {
        COMPUTED[2].count();
        price * (100 - self.discount) / 100
    }

    #[mcache]
    fn shared(self: Arc<Self>, n: usize) -> String {
        COMPUTED[4].count();
        self.name.repeat(n)
    }

    #[mcache]
    fn spelt(self: &Self, n: usize) -> String {
        self.name.repeat(n)
    }

    #[mcache(skip(self))]
    fn renamed(&mut self, name: &str) -> usize {
        COMPUTED[5].count();
        name.clone_into(&mut self.name);
        name.len()
    }

    #[mcache(skip(out))]
    fn lines(&self, mut count: usize, out: &mut Vec<String>) -> usize {
        while count > 0 {
            out.push(self.name.clone());
            count -= 1;
        }
        out.len()
    }

    #[mcache]
    fn average((a, b): (u32, u32)) -> u32 {
        COMPUTED[6].count();
        u32::midpoint(a, b)
    }

    #[mcache]
    fn merged(&self, other: &Self, extra: Option<Self>) -> Self {
        let name = format!("{}{}{}", self.name, other.name, extra.map_or(String::new(), |extra| extra.name));
        Self { name, discount: self.discount }
    }

    #[mcache]
    fn with_names_of_ours(&self, body: u32, memo: u32) -> u32 {
        self.discount + body + memo + MEMO
    }
}

#[test]
fn equal_instances_share_results_and_others_do_not() {
    let (cheap, dear) = (shop("a", 50), shop("a", 0));
    for _ in 0..3 {
        assert_eq!((cheap.price("tea"), dear.price("tea")), (150, 300));
        assert_eq!(shop("a", 50).price("tea"), 150);
    }
    assert_eq!(COMPUTED[0].get(), 2);
}

#[test]
fn all_instances_share_results_if_self_is_skipped() {
    assert_eq!((shop("a", 50).tax(100), shop("b", 0).tax(100)), (20, 20));
    assert_eq!(COMPUTED[1].get(), 1);
}

#[test]
fn a_key_may_have_parts_of_self() {
    assert_eq!((shop("a", 50).reduced(100), shop("b", 50).reduced(100), shop("b", 0).reduced(100)), (50, 50, 100));
    assert_eq!(COMPUTED[2].get(), 2);
}

#[test]
fn self_may_be_taken_in_an_arc_and_be_spelt_out() {
    for _ in 0..2 {
        assert_eq!(Arc::new(shop("a", 50)).shared(2), "aa");
        assert_eq!(Arc::new(shop("b", 50)).shared(2), "bb");
        assert_eq!(shop("a", 1).spelt(2), "aa");
    }
    assert_eq!(COMPUTED[4].get(), 2);
}

#[test]
fn mutably_borrowed_arguments_may_be_skipped() {
    let (mut one, mut other) = (shop("one", 0), shop("other", 0));
    assert_eq!((one.renamed("new"), other.renamed("new")), (3, 3));
    // As documented: side effects of the function happen once.
    assert_eq!((&*one.name, &*other.name, COMPUTED[5].get()), ("new", "other", 1));
    let mut out = Vec::new();
    assert_eq!((shop("a", 0).lines(2, &mut out), shop("a", 0).lines(2, &mut out)), (2, 2));
    assert_eq!(out, ["a", "a"]);
}

#[test]
fn associated_functions_without_self_are_cached() {
    assert_eq!((Shop::average((1, 3)), Shop::average((1, 3)), Shop::average((3, 5))), (2, 2, 4));
    assert_eq!(COMPUTED[6].get(), 2);
}

#[test]
fn self_may_be_the_type_of_arguments_and_results() {
    let merged = shop("a", 1).merged(&shop("b", 2), Some(shop("c", 3)));
    assert_eq!(merged, shop("abc", 1));
    assert_eq!(shop("a", 1).merged(&shop("b", 2), Some(shop("c", 3))), merged);
}

#[test]
fn names_in_a_method_do_not_clash_with_those_in_generated_code() {
    assert_eq!(shop("a", 1).with_names_of_ours(2, 3), 1006);
}

trait Animal {
    fn name(&self) -> String;

    #[mcache]
    fn sound(&self, times: usize) -> String
    where
        Self: Clone + Eq + std::hash::Hash + Send + Sync + 'static,
    {
        COMPUTED[7].count();
        self.name().repeat(times)
    }
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Cat;
#[derive(Clone, PartialEq, Eq, Hash)]
struct Dog;

impl Animal for Cat {
    #[mcache]
    fn name(&self) -> String {
        "miaow".into()
    }
}

impl Animal for Dog {
    #[mcache]
    fn name(&self) -> String {
        "woof".into()
    }
}

#[test]
fn methods_of_traits_are_cached_for_each_type() {
    for _ in 0..2 {
        assert_eq!((Cat.name(), Dog.name()), ("miaow".into(), "woof".into()));
        assert_eq!((Cat.sound(2), Dog.sound(2)), ("miaowmiaow".into(), "woofwoof".into()));
    }
    assert_eq!(COMPUTED[7].get(), 2);
}

#[test]
fn methods_of_types_in_functions_are_cached() {
    fn one() -> u32 {
        #[derive(Clone, PartialEq, Eq, Hash)]
        struct Local;
        impl Local {
            #[mcache]
            fn get(&self, n: u32) -> u32 {
                n + 1
            }

            #[mcache]
            fn associated(n: u32) -> u32 {
                n + 2
            }
        }
        Local.get(1) * 10 + Local::associated(1)
    }
    assert_eq!((one(), one()), (23, 23));
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Parser;

impl Parser {
    #[mcache]
    fn u32(&self, text: &str) -> Option<u32> {
        text.parse().ok()
    }

    #[mcache]
    fn bool(text: &str) -> bool {
        text == "true"
    }
}

#[test]
fn a_method_may_have_the_name_of_a_primitive_type() {
    assert_eq!((Parser.u32("3"), Parser::bool("true")), (Some(3), true));
}
