//! Types that contain themselves, or each other.

use std::rc::Rc;

use twat_cache::CacheValue;
use twat_cache::store::persist::Shape;

use crate::comes_back;

#[derive(CacheValue, Clone, Debug, PartialEq)]
enum Tree {
    Leaf(u8),
    Node { children: Vec<Tree>, best: Option<Box<Self>> },
}

#[derive(CacheValue, Clone, Debug, PartialEq)]
struct List<T> {
    item: T,
    next: Option<Box<Self>>,
    others: Vec<List<T>>,
}

#[derive(CacheValue, Clone, Debug, PartialEq)]
struct Person {
    name: String,
    friends: Vec<Friend>,
}

#[derive(CacheValue, Clone, Debug, PartialEq)]
struct Friend {
    since: u16,
    who: Box<Person>,
    of: Rc<List<Option<Person>>>,
}

#[derive(CacheValue, Clone, Debug, PartialEq)]
struct Book<T> {
    author: T,
    #[rkyv(omit_bounds)]
    chapters: Vec<Chapter<T>>,
}

#[derive(CacheValue, Clone, Debug, PartialEq)]
struct Chapter<T> {
    sources: Vec<Book<T>>,
}

#[test]
fn types_that_contain_themselves_come_back() {
    let leaf = Tree::Leaf(1);
    comes_back(&Tree::Node { children: vec![leaf.clone(), leaf.clone()], best: Some(Box::new(leaf)) });
    let list = List { item: "a".to_owned(), next: None, others: Vec::new() };
    comes_back(&List { next: Some(Box::new(list.clone())), others: vec![list.clone()], ..list });
}

#[test]
fn generic_types_that_contain_each_other_come_back() {
    let book = Book { author: "a".to_owned(), chapters: Vec::new() };
    comes_back(&Book { author: "a".to_owned(), chapters: vec![Chapter { sources: vec![book] }] });
}

#[test]
fn types_that_contain_each_other_have_one_shape() {
    let shape = Shape::of::<Person>();
    assert!(shape.contains("friends:Vec<struct Friend{since:u16,who:Box<#0>"), "{shape}");
}
