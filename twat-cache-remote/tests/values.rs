//! Values of many types come back as they were, with each codec, and compressed ones take less space.

mod common;

use std::collections::HashMap;
use std::fmt::Debug;

use common::Server;
use twat_cache_core::persist::Codec;
use twat_cache_core::testing::Random;
#[cfg(feature = "compress")]
use twat_cache_remote::redis::cmd;
use twat_cache_remote::{KeyedStore as _, RemoteBuilder};

/// A second store finds the value.
fn comes_back<V, C>(builder: impl Fn() -> RemoteBuilder<C>, value: V)
where
    V: Send + Sync + PartialEq + Debug,
    C: Codec<V>,
{
    builder().open::<V>().unwrap().insert(&1_u64, &value).unwrap();
    assert!(builder().open::<V>().unwrap().get(&1_u64).unwrap() == Some(value));
}

macro_rules! values_come_back {
    ($server:expr, $builder:expr) => {
        comes_back(|| $builder($server, "unit"), ());
        comes_back(|| $builder($server, "nothing"), String::new());
        comes_back(|| $builder($server, "number"), u64::MAX);
        comes_back(|| $builder($server, "text"), "ß".repeat(100_000));
        comes_back(
            || $builder($server, "map"),
            HashMap::from([("one".to_owned(), vec![1_u8]), ("two".to_owned(), vec![])]),
        );
        comes_back(|| $builder($server, "noise"), Random(7).bytes(100_000));
        comes_back(|| $builder($server, "most"), vec![0_u8; (1 << 20) - 64]);
    };
}

#[test]
fn values_come_back_by_rkyv() {
    let Some(server) = server!() else { return };
    values_come_back!(&server, |server: &Server, name: &str| server.named(name));
}

#[cfg(feature = "serde")]
#[test]
fn values_come_back_by_serde() {
    let Some(server) = server!() else { return };
    values_come_back!(&server, |server: &Server, name: &str| server.named(name).serde());
}

#[cfg(feature = "compress")]
#[test]
fn values_come_back_compressed() {
    let Some(server) = server!() else { return };
    values_come_back!(&server, |server: &Server, name: &str| server.named(name).serde().compress());
}

#[cfg(feature = "compress")]
#[test]
fn compressed_texts_take_less_space_and_are_apart_from_others() {
    let Some(server) = server!() else { return };
    let text = "a text that repeats itself ".repeat(100);
    let [plain, compressed] = [false, true].map(|is_compressed| {
        let builder = server.named("texts").serde();
        let store = if is_compressed { builder.compress().open() } else { builder.open() }.unwrap();
        assert_eq!(store.get(&1_u64).unwrap(), None::<String>);
        store.insert(&1_u64, &text).unwrap();
        let name = server.entry();
        let length: usize = server.ask(cmd("STRLEN").arg(&name));
        server.ask::<()>(cmd("DEL").arg(name));
        length
    });
    assert!(compressed * 4 < plain, "{compressed} of {plain} bytes");
}
