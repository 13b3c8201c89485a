//! `peek`, `forget` and `insert` take what the function takes.

use std::borrow::Cow;

use futures_lite::future::block_on;
use twat_cache_core::{Call, LruStore, Memo};

#[expect(clippy::trivially_copy_pass_by_ref, reason = "a memo's function takes a reference")]
fn double(n: &u64) -> u64 {
    n * 2
}

async fn double_later(n: &u64) -> u64 {
    n * 2
}

#[test]
fn a_literal_needs_no_type_in_any_method() {
    let store = || LruStore::new(10);
    let closure = Memo::new(store(), |n: &u64| n * 2);
    let function = Memo::new(store(), double);
    assert_eq!((closure.call(&3), closure.peek(&3).unwrap(), closure.forget(&3).unwrap()), (6, Some(6), true));
    assert_eq!((function.call(&3), function.peek(&3).unwrap(), function.forget(&3).unwrap()), (6, Some(6), true));
    let later = Memo::new_async(store(), async |n: &u64| n * 2);
    assert_eq!(
        (block_on(later.call_async(&3)), later.peek(&3).unwrap(), later.forget(&3).unwrap()),
        (6, Some(6), true)
    );
    let named = Memo::new(store(), double_later);
    assert_eq!(
        (block_on(named.call_async(&3)), named.peek(&3).unwrap(), named.forget(&3).unwrap()),
        (6, Some(6), true)
    );
    let bare = Memo::new(store(), async |n: &u64| n * 2);
    assert_eq!((block_on(bare.call_async(&3)), bare.forget(&3_u64).unwrap()), (6, true));
}

#[test]
fn several_arguments_may_have_any_lifetime() {
    let memo = Memo::new(LruStore::new(10), |Call((text, n)): &Call<(&str, &usize)>| text.repeat(**n).len());
    let later =
        Memo::new_async(LruStore::new(10), async |Call((text, n)): &Call<(&str, &usize)>| text.repeat(**n).len());
    for text in ["a", "ab"] {
        let text = String::from(text);
        let key = Call((&*text, &3));
        let expected = text.len() * 3;
        assert_eq!(
            (memo.call(&key), memo.peek(&key).unwrap(), memo.forget(&key).unwrap()),
            (expected, Some(expected), true)
        );
        assert_eq!((block_on(later.call_async(&key)), later.forget(&key).unwrap()), (expected, true));
    }
    memo.insert(&Call(("abc", &0)), &7).unwrap();
    assert_eq!(memo.call(&Call(("abc", &0))), 7);
}

#[test]
fn the_memo_of_a_function_that_can_fail_takes_the_same_arguments() {
    let memo = Memo::new(LruStore::new(10), |n: &u64| if *n > 0 { Ok(n * 2) } else { Err("zero") }).share_errors();
    assert_eq!((memo.try_call(&3), memo.forget(&3).unwrap(), memo.try_call(&0)), (Ok(6), true, Err("zero")));
    let later = Memo::new_async(LruStore::new(10), async |n: &u64| Ok::<_, String>(n * 2)).share_errors();
    assert_eq!((block_on(later.try_call_async(&3)), later.forget(&3).unwrap()), (Ok(6), true));
}

#[test]
fn a_memo_without_a_function_takes_any_argument() {
    let memo = Memo::new(LruStore::new(10), ());
    assert_eq!(memo.call_with("key", || 1), 1);
    assert!(memo.forget("key").unwrap());
}

#[test]
fn futures_with_a_static_borrow_inside_an_owned_argument_are_send() {
    fn send<T: Send>(future: T) -> T {
        future
    }
    let memo = Memo::new_async(LruStore::new(10), async |name: &Cow<'static, str>| name.len());
    let name = Cow::Borrowed("abc");
    assert_eq!(block_on(send(memo.call_async(&name))), 3);
    let named = async |name: Cow<'static, str>| memo.call_with_async(&name.clone(), async || name.len()).await;
    assert_eq!(block_on(send(named("abcd".into()))), 4);
}
