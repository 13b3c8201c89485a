//! A body may consume an argument that it takes by value, although the key is made from it.

use std::path::Path;

use futures_lite::future::{block_on, yield_now};
use twat_cache::mcache;
use twat_cache_core::testing::Counter;

static COMPUTED: [Counter; 4] = [const { Counter::new() }; 4];

#[derive(Clone, PartialEq, Eq, Hash)]
struct Note {
    text: String,
}

fn note(text: &str) -> Note {
    Note { text: text.into() }
}

impl Note {
    #[mcache]
    fn taken_apart(self, more: String) -> String {
        COMPUTED[0].count();
        let Self { text } = self;
        text + &more
    }

    #[mcache]
    fn dropped(self) -> usize {
        let length = self.text.len();
        drop(self);
        length
    }

    #[mcache]
    fn changed(mut self, mut more: String) -> Self {
        more.push('!');
        self.text.push_str(&more);
        self
    }

    #[mcache]
    async fn eventually(self, more: String) -> String {
        COMPUTED[1].count();
        yield_now().await;
        self.text + &more
    }

    #[mcache(key = (&self.text, more.len()))]
    fn keyed(self, more: String) -> String {
        COMPUTED[2].count();
        self.text + &more
    }

    #[mcache(skip(more))]
    fn skipped(&self, more: Note) -> String {
        self.text.clone() + &more.text
    }
}

#[test]
fn a_method_may_consume_self() {
    for _ in 0..2 {
        assert_eq!((note("a").taken_apart("x".into()), note("b").taken_apart("x".into())), ("ax".into(), "bx".into()));
        assert_eq!((note("a").dropped(), note("bc").dropped()), (1, 2));
        assert_eq!(note("a").changed("x".into()).text, "ax!");
        let (one, other) = block_on(async { (note("a").eventually("x".into()).await, note("b").skipped(note("x"))) });
        assert_eq!((one, other), ("ax".into(), "bx".into()));
    }
    assert_eq!((COMPUTED[0].get(), COMPUTED[1].get()), (2, 1));
}

#[test]
fn a_method_may_consume_what_the_key_names() {
    assert_eq!((note("a").keyed("x".into()), note("a").keyed("y".into())), ("ax".into(), "ax".into()));
    assert_eq!((note("b").keyed("y".into()), COMPUTED[2].get()), ("by".into(), 2));
}

#[mcache(key = (&name, path.as_os_str()))]
fn borrowed_by_the_key(name: String, path: &Path) -> String {
    COMPUTED[3].count();
    name + &path.display().to_string()
}

#[mcache(key = name)]
fn named_by_the_key(name: String) -> String {
    name + "!"
}

#[mcache(key = (a, &b))]
fn pattern_in_the_key((a, b): (u32, String)) -> String {
    b + &a.to_string()
}

#[mcache(key = x.0)]
fn bound_in_the_key(x @ (_a, _b): (u32, u32)) -> u32 {
    x.1
}

#[mcache(key = name)]
async fn eventually(name: String) -> String {
    yield_now().await;
    name + "!"
}

#[test]
fn a_function_may_consume_what_the_key_names() {
    for _ in 0..2 {
        assert_eq!(borrowed_by_the_key("a".into(), Path::new("b")), "ab");
        assert_eq!(named_by_the_key("a".into()), "a!");
        assert_eq!(pattern_in_the_key((1, "a".into())), "a1");
        assert_eq!(bound_in_the_key((1, 2)), 2);
        assert_eq!(block_on(eventually("a".into())), "a!");
    }
    assert_eq!(COMPUTED[3].get(), 1);
}
