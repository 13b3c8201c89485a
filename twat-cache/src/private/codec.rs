use twat_cache_core::persist::{CacheValue, Neither, Rkyv};
#[cfg(feature = "serde")]
use twat_cache_core::persist::{MessagePack, SerdeValue};

use super::Probe;
#[cfg(feature = "ucache")]
use crate::ucache;

/// The codec of a value. The parameters tell which `impl` it is, because the compiler does not let two of them overlap.
pub trait Encoded<const IS_CACHE_VALUE: bool, const IS_SERDE: bool> {
    /// The codec.
    type Codec;
}

/// rkyv is faster, and distinguishes all values.
impl<V: CacheValue, const IS_SERDE: bool> Encoded<true, IS_SERDE> for V {
    type Codec = Rkyv;
}

impl<V: CacheValue> Probe<V> {
    /// rkyv can store it.
    pub const CACHE_VALUE: bool = true;

    /// The codec.
    #[inline]
    pub fn codec(self) -> Rkyv {
        Rkyv
    }
}

#[cfg(feature = "serde")]
impl<V: SerdeValue> Encoded<false, true> for V {
    type Codec = MessagePack;
}

#[cfg(feature = "serde")]
impl<V: SerdeValue> Probe<V> {
    /// serde can store it.
    pub const SERDE: bool = true;

    /// The codec of the option `serde`.
    #[inline]
    pub fn serde_codec(self) -> MessagePack {
        MessagePack
    }
}

/// A value that only serde can store.
#[cfg(feature = "serde")]
pub trait BySerde<V>: Sized {
    /// The codec.
    #[inline]
    fn codec(self) -> MessagePack {
        MessagePack
    }
}

#[cfg(feature = "serde")]
impl<V: SerdeValue> BySerde<V> for Probe<V> {}

/// A value that cannot be stored has a codec all the same. So the only error is where the codec is chosen.
impl<V> Encoded<false, false> for V {
    type Codec = Neither;
}

/// A value that cannot be stored.
pub trait NoCodec<V>: Sized {
    /// Does not compile.
    fn codec(self) -> Neither
    where
        V: Storable,
    {
        Neither
    }

    /// Does not compile.
    fn serde_codec(self) -> Neither
    where
        V: StorableBySerde,
    {
        Neither
    }
}

impl<V> NoCodec<V> for &Probe<V> {}

/// The error for a value that has neither codec. No type has this trait.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be stored",
    label = "neither a `CacheValue` nor serialisable by serde",
    note = "derive `twat_cache::CacheValue` for it, and for the types inside it; rkyv's own derives are not enough, and not needed",
    note = "or derive `serde::Serialize` and `serde::Deserialize` for it; that needs the feature `serde` of `twat-cache`"
)]
pub trait Storable {}

/// The error for a value that the option `serde` cannot store. No type has this trait.
#[diagnostic::on_unimplemented(
    message = "serde cannot store `{Self}`",
    label = "not serialisable by serde",
    note = "derive `serde::Serialize` and `serde::Deserialize` for it; that needs the feature `serde` of `twat-cache`",
    note = "or derive `twat_cache::CacheValue` for it, and remove the option `serde`"
)]
pub trait StorableBySerde {}

/// A builder of a store that encodes its values.
pub trait Encodes {
    /// The builder with another codec.
    type By<C>;

    /// Sets the codec.
    fn encoded_by<C>(self, codec: C) -> Self::By<C>;
}

macro_rules! encodes {
    ($($feature:literal $krate:ident $builder:ident;)+) => {
        $(
            #[cfg(feature = $feature)]
            impl Encodes for $krate::$builder {
                type By<C> = $krate::$builder<C>;

                #[inline]
                fn encoded_by<C>(self, _codec: C) -> Self::By<C> {
                    self.with_codec()
                }
            }
        )+
    };
}

encodes! {
    "disk" twat_cache_disk DiskBuilder;
    "shared" twat_cache_shared SharedBuilder;
    "file" twat_cache_file FileBuilder;
    "remote" twat_cache_remote RemoteBuilder;
    "ucache" ucache UnifiedBuilder;
}
