//! Values in the form of serde that could end the process.

use std::thread;

use serde::{Deserialize, Serialize};
use twat_cache_core::ErrorKind;
use twat_cache_core::persist::{Codec, MessagePack};

#[derive(Serialize, Deserialize, Default)]
struct Nested(Vec<Nested>);

impl Nested {
    fn of(depth: usize) -> Self {
        (1..depth).fold(Self::default(), |inner, _| Self(vec![inner]))
    }
}

impl Drop for Nested {
    fn drop(&mut self) {
        while let Some(mut inner) = self.0.pop() {
            self.0.append(&mut inner.0);
        }
    }
}

#[derive(Serialize, Deserialize)]
struct List(Option<Box<List>>);

#[test]
fn a_value_is_encoded_only_if_it_can_be_decoded() {
    for (depth, is_encoded) in [(1, true), (128, true), (129, false), (1500, false)] {
        let mut bytes = Vec::new();
        let encoded = MessagePack::encode(&Nested::of(depth), &mut bytes);
        let decoded = <MessagePack as Codec<Nested>>::decode(&bytes);
        assert_eq!((encoded.is_ok(), decoded.is_ok()), (is_encoded, is_encoded), "{depth}");
    }
}

#[test]
fn a_deep_value_is_an_error_and_no_overflow_of_the_stack() {
    let encode = || {
        let list = (0..100_000).fold(List(None), |list, _| List(Some(Box::new(list))));
        let encoded =
            [MessagePack::encode(&Nested::of(100_000), &mut Vec::new()), MessagePack::encode(&list, &mut Vec::new())];
        // To drop it would overflow the stack.
        std::mem::forget(list);
        encoded.map(|encoded| encoded.unwrap_err().kind())
    };
    let errors = thread::Builder::new().stack_size(1 << 20).spawn(encode).unwrap().join().unwrap();
    assert_eq!(errors, [ErrorKind::Codec; 2]);
}
