use std::io;

use super::{Codec, MessagePack, SerdeValue};
use crate::{Error, Namespace};

/// The codec [`MessagePack`], for stores that compress what it writes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Compressed;

impl<V: SerdeValue> Codec<V> for Compressed {
    const ID: u8 = 3;
    const IS_COMPRESSED: bool = true;

    fn encode(value: &V, output: &mut dyn io::Write) -> Result<(), Error> {
        MessagePack::encode(value, output)
    }

    fn decode(bytes: &[u8]) -> Result<V, Error> {
        MessagePack::decode(bytes)
    }

    fn within(namespace: &Namespace) -> Namespace {
        <MessagePack as Codec<V>>::within(namespace).with("compressed", "zstd")
    }
}
